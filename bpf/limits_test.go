package bpf

import (
	"net/netip"
	"testing"
	"time"

	"dcs/bench/require"
)

func TestACL(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	prefix := netip.MustParsePrefix
	for _, step := range []struct {
		allow   []netip.Prefix
		in, out []string
	}{
		{nil, []string{"10.32.1.2", "192.0.2.1", "fd00:32::1", "2001:db8::1"}, nil},
		{
			[]netip.Prefix{prefix("10.32.0.0/15"), prefix("fd00:32::/64")},
			[]string{"10.32.0.0", "10.33.255.255", "fd00:32::1", "fd00:32::ffff:ffff:ffff:ffff"},
			[]string{"10.31.255.255", "10.34.0.0", "fd00:32:0:1::1", "fd00:31::1", "2001:db8::1"},
		},
		{
			[]netip.Prefix{prefix("10.33.7.7/32"), prefix("fd00:33::7/128")},
			[]string{"10.33.7.7", "fd00:33::7"},
			[]string{"10.33.7.6", "10.32.0.0", "fd00:33::8", "fd00:32::1"},
		},
		{[]netip.Prefix{prefix("0.0.0.0/0")}, []string{"10.32.1.2", "192.0.2.1"}, []string{"fd00:32::1", "2001:db8::1"}},
		{[]netip.Prefix{prefix("::/0")}, []string{"fd00:32::1", "a00::1"}, []string{"10.32.1.2", "192.0.2.1"}},
		{[]netip.Prefix{prefix("10.32.1.2/8")}, []string{"10.99.0.1"}, []string{"11.0.0.1"}},
		{[]netip.Prefix{prefix("10.0.0.0/8"), prefix("10.1.0.0/16"), prefix("10.0.0.0/8")}, []string{"10.1.2.3", "10.2.2.3"}, []string{"11.0.0.1"}},
		{nil, []string{"10.32.1.2", "11.0.0.1", "fd00:32::1"}, nil},
	} {
		if err := s.SetACL(step.allow); err != nil {
			t.Fatal(err)
		}
		for _, list := range []struct {
			sources []string
			want    Verdict
		}{{step.in, PassSocket}, {step.out, DropACL}} {
			for _, a := range list.sources {
				f := frame{source: netip.AddrPortFrom(netip.MustParseAddr(a), 2070), target: server6, payload: rrq}
				if f.source.Addr().Is4() {
					f.target = server4
				}
				if got := s.judged(t, f.octets()); got != list.want {
					t.Errorf("%v: %s: %v, want %v", step.allow, a, got, list.want)
				}
			}
		}
	}
}

// A list with a mistake in it, or too long, changes nothing.
func TestACLThatIsRefused(t *testing.T) {
	require.Long(t, "an access list that is too long")
	s := loadSteerForTest(t, testConfig())
	good := []netip.Prefix{netip.MustParsePrefix("10.32.0.0/16")}
	if err := s.SetACL(good); err != nil {
		t.Fatal(err)
	}
	long := make([]netip.Prefix, s.objs.AclOdd.MaxEntries()+1)
	a := netip.MustParseAddr("11.0.0.0")
	for i := range long {
		long[i] = netip.PrefixFrom(a, 32)
		a = a.Next()
	}
	for name, bad := range map[string][]netip.Prefix{
		"no prefix":      {netip.MustParsePrefix("11.0.0.0/8"), {}},
		"IPv4 in IPv6":   {netip.MustParsePrefix("::ffff:11.0.0.0/104")},
		"too many":       long,
		"after too many": append(long[:1:1], netip.Prefix{}),
	} {
		if err := s.SetACL(bad); err == nil {
			t.Errorf("%s: no error", name)
		}
		if got := s.judged(t, frame{source: modem4, target: server4, payload: rrq}.octets()); got != PassSocket {
			t.Errorf("%s: %v", name, got)
		}
		if got := s.judged(t, frame{source: netip.MustParseAddrPort("11.0.0.0:9"), target: server4, payload: rrq}.octets()); got != DropACL {
			t.Errorf("%s: %v of a prefix that was refused", name, got)
		}
	}
	if err := s.SetACL(long[1:]); err != nil {
		t.Error(err)
	}
}

// While the list is exchanged there is no moment at which one that is on both is shut out, nor one at which one that is on
// neither gets in.
func TestACLChangesAtOnce(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	lists := [][]netip.Prefix{
		{netip.MustParsePrefix("10.32.0.0/16"), netip.MustParsePrefix("192.0.2.0/24")},
		{netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("10.32.1.0/24")},
	}
	if err := s.SetACL(lists[0]); err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		in := frame{source: modem4, target: server4, payload: rrq}.octets()
		out := frame{source: netip.MustParseAddrPort("203.0.113.1:9"), target: server4, payload: rrq}.octets()
		for {
			select {
			case <-stop:
				return
			default:
			}
			if got := s.judged(t, in); got != PassSocket {
				t.Errorf("on both lists: %v", got)
			}
			if got := s.judged(t, out); got != DropACL {
				t.Errorf("on neither list: %v", got)
			}
		}
	}()
	for i := range 200 {
		if err := s.SetACL(lists[i%2]); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	<-done
}

func TestRate(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	ask := frame{source: modem4, target: server4, payload: rrq}
	expect := func(f frame, want ...Verdict) {
		t.Helper()
		for i, w := range want {
			if got := s.judged(t, f.octets()); got != w {
				t.Errorf("packet %d: %v, want %v", i, got, w)
			}
		}
	}
	// A token in 4 s: none comes while this test runs.
	if err := s.SetRate(0.25, 2); err != nil {
		t.Fatal(err)
	}
	expect(ask, PassSocket, PassSocket, DropRate, DropRate)
	write := ask
	write.payload = []byte("\x00\x02x\x00octet\x00")
	expect(write, DropRate)
	// Packets of running transfers cost nothing, and are not held back.
	running := ask
	running.target, running.payload = tid4, ack
	expect(running, PassSocket, PassSocket, PassSocket, PassSocket)
	single := ask
	single.payload = ack
	expect(single, PassSocket, PassSocket, PassSocket, PassSocket)
	// A request at the port of a running transfer is a stray packet, not a request.
	stray := running
	stray.payload = rrq
	expect(stray, PassSocket, PassSocket, PassSocket)
	neighbour := ask
	neighbour.source = netip.AddrPortFrom(modem4.Addr().Next(), modem4.Port())
	expect(neighbour, PassSocket, PassSocket, DropRate)
	ask6 := frame{source: modem6, target: server6, payload: rrq}
	expect(ask6, PassSocket, PassSocket, DropRate)
	// What is dropped for another reason costs nothing.
	bad := frame{source: netip.MustParseAddrPort("10.32.9.9:9"), target: server4, payload: rrq, checksum: 1}
	expect(bad, DropChecksum, DropChecksum, DropChecksum)
	bad.checksum = 0
	expect(bad, PassSocket, PassSocket, DropRate)

	if err := s.SetRate(0, 0); err != nil {
		t.Fatal(err)
	}
	expect(ask, PassSocket, PassSocket, PassSocket, PassSocket)
	// Those who have spent all by the old rate begin with an empty bucket, and wait no longer than the new one says.
	if err := s.SetRate(1e6, 1000); err != nil {
		t.Fatal(err)
	}
	expect(ask, DropRate)
	for end := time.Now().Add(3 * time.Second); s.judged(t, ask.octets()) != PassSocket; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no token within 3 s; by the old rate it takes 4")
		}
	}
	expect(ask, PassSocket, PassSocket, PassSocket)
	if err := s.SetRate(0.1, 1); err == nil {
		t.Error("a rate that has no room: no error")
	}
}

// A flood from sources that nobody has heard of leaves memory flat, and others are served.
func TestRateUnderManySources(t *testing.T) {
	cfg := testConfig()
	cfg.Sources = 1000
	s := loadSteerForTest(t, cfg)
	if err := s.SetRate(0.25, 2); err != nil {
		t.Fatal(err)
	}
	a := netip.MustParseAddr("11.0.0.1")
	for range 5000 {
		f := frame{source: netip.AddrPortFrom(a, 9), target: server4, payload: rrq}
		if got := s.judged(t, f.octets()); got != PassSocket {
			t.Fatalf("first request of %v: %v", a, got)
		}
		a = a.Next()
	}
	if n := s.objs.Sources.MaxEntries() * ways; n != 1024 {
		t.Errorf("%d sources can be remembered", n)
	}
}

// A source that has been caught is not forgotten for a flood of others.
func TestFloodForgetsTheQuietFirst(t *testing.T) {
	cfg := testConfig()
	cfg.Sources = 64
	s := loadSteerForTest(t, cfg)
	if err := s.SetRate(0.25, 10); err != nil {
		t.Fatal(err)
	}
	ask := frame{source: modem4, target: server4, payload: rrq}.octets()
	for range 12 {
		s.judged(t, ask)
	}
	a := netip.MustParseAddr("11.0.0.1")
	for range 1000 {
		s.judged(t, frame{source: netip.AddrPortFrom(a, 9), target: server4, payload: rrq}.octets())
		a = a.Next()
	}
	if got := s.judged(t, ask); got != DropRate {
		t.Errorf("the flooder is judged %v", got)
	}
}
