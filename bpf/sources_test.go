package bpf

import (
	"net/netip"
	"testing"

	"dcs/testdata"
)

// What the program lets through is what testdata/sources.csv says.
func TestSourcesAsTheTableSays(t *testing.T) {
	var listen []netip.AddrPort
	for _, p := range testdata.Host() {
		listen = append(listen, netip.AddrPortFrom(p.Addr(), 69))
	}
	s := loadSteerForTest(t, Config{Listen: listen, Transfers: testPorts()})
	if err := s.setOwn(testdata.Host()); err != nil {
		t.Fatal(err)
	}
	cases := testdata.Sources(t, "xdp")
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			if err := s.programs[0].objs.Inside.Set(!c.Wire); err != nil {
				t.Fatal(err)
			}
			for port, payload := range map[uint16][]byte{c.To.Port(): rrq, 40050: ack} {
				f := frame{source: c.From, target: netip.AddrPortFrom(c.To.Addr(), port), options: c.Options, payload: payload}
				if port == 40050 && f.source == c.To {
					f.source = f.target
				}
				got := s.judged(t, f.octets())
				// What goes to no address of ours is the kernel's to drop.
				if !c.Silence && got != PassSocket || c.Silence && got != DropSource && got != PassOther {
					t.Errorf("to port %d: %v; silence is right: %v", port, got, c.Silence)
				}
			}
		})
	}
	if len(cases) < 60 {
		t.Errorf("only %d cases", len(cases))
	}
}

// An address that the host loses may be another's, and one that it gets is its own from then on.
func TestOwnAddressesAreFollowed(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	own := netip.MustParsePrefix
	judge := func(from string, want Verdict) {
		t.Helper()
		f := frame{source: netip.AddrPortFrom(netip.MustParseAddr(from), 2070), target: server4, payload: rrq}
		if got := s.judged(t, f.octets()); got != want {
			t.Errorf("from %s: %v, want %v", from, got, want)
		}
	}
	for _, step := range []struct {
		have   []netip.Prefix
		want   Verdict // from 10.9.0.1, 10.9.0.127
		others Verdict // from 10.9.1.1
	}{
		{nil, PassSocket, PassSocket},
		{[]netip.Prefix{own("10.9.0.1/25")}, DropSource, PassSocket},
		{[]netip.Prefix{own("10.9.0.1/25"), own("10.9.1.1/32")}, DropSource, DropSource},
		{[]netip.Prefix{own("10.9.1.1/31")}, PassSocket, DropSource},
		{nil, PassSocket, PassSocket},
	} {
		if err := s.setOwn(step.have); err != nil {
			t.Fatal(err)
		}
		judge("10.9.0.1", step.want)
		judge("10.9.0.127", step.want)
		judge("10.9.1.1", step.others)
		judge("10.9.0.255", PassSocket)
	}
}

// A source is a prefix, and what is exempt passes.
func TestSourcesArePrefixes(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	if err := s.SetRate(0.25, 1); err != nil {
		t.Fatal(err)
	}
	ask := func(from string, want Verdict) {
		t.Helper()
		a, to := netip.MustParseAddr(from), server4
		if a.Is6() {
			to = server6
		}
		if got := s.judged(t, frame{source: netip.AddrPortFrom(a, 2070), target: to, payload: rrq}.octets()); got != want {
			t.Errorf("from %s: %v, want %v", from, got, want)
		}
	}
	ask("10.1.2.3", PassSocket)
	ask("10.1.2.4", PassSocket)
	ask("10.1.2.3", DropRate)
	ask("fd00:32::1", PassSocket)
	ask("fd00:32::ffff:0:0:1", DropRate)
	ask("fd00:32:0:1::1", PassSocket)
	exempt := []netip.Prefix{netip.MustParsePrefix("10.1.2.3/31"), netip.MustParsePrefix("fd00:32::/64")}
	for _, step := range []struct {
		exempt  []netip.Prefix
		verdict Verdict
	}{{exempt, PassSocket}, {exempt[:1], DropRate}} {
		if err := s.SetSources(32, 64, step.exempt); err != nil {
			t.Fatal(err)
		}
		ask("10.1.2.3", PassSocket)
		ask("10.1.2.2", PassSocket)
		ask("10.1.2.4", DropRate)
		ask("fd00:32::ffff:0:0:1", step.verdict)
	}
	if err := s.SetSources(20, 48, nil); err != nil {
		t.Fatal(err)
	}
	ask("10.3.16.1", PassSocket)
	ask("10.3.31.255", DropRate)
	ask("10.3.32.0", PassSocket)
	ask("fd00:33:0:1::1", PassSocket)
	ask("fd00:33:0:ffff::1", DropRate)
	ask("fd00:33:1::1", PassSocket)
	for _, bad := range [][2]int{{0, 64}, {33, 64}, {32, 0}, {32, 129}} {
		if s.SetSources(bad[0], bad[1], nil) == nil {
			t.Errorf("sources of %v: no error", bad)
		}
	}
}
