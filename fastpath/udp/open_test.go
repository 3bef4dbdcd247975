package udp

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dcs/fastpath/packet"
)

// Workers share a listening port, and each has its own transfer port from the range.
func TestWorkers(t *testing.T) {
	const lo, hi = 39100, 39199
	ts, err := Open(Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, TIDMin: lo, TIDMax: hi}, 3)
	if err != nil {
		t.Fatal(err)
	}
	tids := map[uint16]bool{}
	for _, tr := range ts {
		defer tr.Close()
		if tr.Addrs()[0] != ts[0].Addrs()[0] {
			t.Errorf("listens at %v and %v", tr.Addrs()[0], ts[0].Addrs()[0])
		}
		tid := tr.Ports(false)[0]
		if tid < lo || tid > hi || tids[tid] || tr.Ports(false)[0] != tid {
			t.Errorf("TID %d", tid)
		}
		tids[tid] = true
	}
	_, err = Open(Config{Listen: ts[0].Addrs()}, 2)
	if !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("a second server on the port: %v", err)
	}
}

// An address that no interface has can be bound by all workers, also for transfers: it may be assigned later.
func TestOpenAbsentAddress(t *testing.T) {
	for _, a := range []string{"198.18.255.254:0", "[fd00:198:18:ff::1]:0"} {
		want := netip.MustParseAddrPort(a)
		ts, err := Open(Config{Listen: []netip.AddrPort{want}}, 2)
		if errors.Is(err, unix.EAFNOSUPPORT) {
			t.Logf("%s: %v", a, err)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", a, err)
			continue
		}
		for _, tr := range ts {
			for _, s := range tr.reading {
				if s.local.Addr() != want.Addr() || s.local.Port() == 0 {
					t.Errorf("%s: a socket is bound to %v", a, s.local)
				}
			}
			_ = tr.Close()
		}
	}
}

func TestOpenErrors(t *testing.T) {
	a := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}
	taken := openOne(t, Config{Listen: a})
	tid := taken.Ports(false)[0]
	for _, tt := range []struct {
		name string
		cfg  Config
		want error
	}{
		{"nothing to listen on", Config{}, nil},
		{"range upside down", Config{Listen: a, TIDMin: 2000, TIDMax: 1000}, nil},
		{"range is taken", Config{Listen: a, TIDMin: tid, TIDMax: tid}, unix.EADDRINUSE},
		{"port is taken", Config{Listen: taken.Addrs()}, unix.EADDRINUSE},
		{"no such interface", Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("[fe80::1%none0]:0")}}, nil},
	} {
		ts, err := Open(tt.cfg, 1)
		if err == nil {
			_ = ts[0].Close()
			t.Errorf("%s: no error", tt.name)
		} else if tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// With the largest number of listen addresses, each is answered from.
func TestManyListeners(t *testing.T) {
	cfg := Config{RcvBuf: 1 << 16, SndBuf: 1 << 16}
	for i := range maxListen {
		cfg.Listen = append(cfg.Listen, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 1, byte(1 + i)}), 0))
	}
	cfg.Listen[maxListen-1] = netip.AddrPortFrom(loopback(t, true), 0) // the other family has ports for transfers too
	tr := openOne(t, cfg)
	for _, from := range tr.Addrs() {
		c := dial(t, netip.AddrPort{}, from)
		p := packet.NewSlab(1, 0, 64)
		p[0].Data = append(p[0].Data, "answer"...)
		p[0].Local, p[0].Peer = from, netip.MustParseAddrPort(c.LocalAddr().String())
		if err := tr.Send(p); err != nil || tr.SendErrors() != 0 {
			t.Fatalf("from %v: %v, %d errors", from, err, tr.SendErrors())
		}
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		buf := make([]byte, 64)
		if n, err := c.Read(buf); err != nil || string(buf[:n]) != "answer" {
			t.Errorf("from %v: %q, %v", from, buf[:n], err)
		}
	}
	cfg.Listen = append(cfg.Listen, netip.MustParseAddrPort("127.0.2.1:0"))
	if _, err := Open(cfg, 1); err == nil || !strings.Contains(err.Error(), "62 addresses to listen on, must be 1 to 61") {
		t.Errorf("one more: %v", err)
	}
}
