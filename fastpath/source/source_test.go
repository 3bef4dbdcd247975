package source

import (
	"net/netip"
	"testing"
)

func TestBroadcast(t *testing.T) {
	for prefix, want := range map[string]string{
		"10.1.0.1/16": "10.1.255.255", "192.0.2.129/25": "192.0.2.255", "192.0.2.1/30": "192.0.2.3", "10.0.0.1/8": "10.255.255.255",
		"192.0.2.1/31": "", "192.0.2.1/32": "", "fd00:1::1/64": "", "fd00::1/24": "",
	} {
		got, ok := broadcast(netip.MustParsePrefix(prefix))
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%s: %v, %v", prefix, got, ok)
		}
	}
}

// No foreign address is taken for a broadcast, whatever addresses the host has, and none at all without a Host.
func TestHost(t *testing.T) {
	var none *Host
	h := NewHost([]netip.Prefix{netip.MustParsePrefix("10.1.0.1/16"), netip.MustParsePrefix("10.1.0.2/16"), netip.MustParsePrefix("fe80::1/64")})
	for a, want := range map[string][2]bool{
		"10.1.255.255": {true, false}, "10.2.255.255": {}, "10.1.0.1": {false, true}, "10.1.0.3": {}, "fe80::1": {false, true}, "::": {},
		"10.1.0.255": {}, "fd00::ffff": {},
	} {
		addr := netip.MustParseAddr(a)
		if got := [2]bool{h.Broadcasts(addr), h.Owns(addr)}; got != want {
			t.Errorf("%s: %v, want %v", a, got, want)
		}
		if none.Broadcasts(addr) || none.Owns(addr) {
			t.Errorf("%s is known to nobody", a)
		}
	}
}

func TestNoAllocs(t *testing.T) {
	h := NewHost([]netip.Prefix{netip.MustParsePrefix("10.1.0.1/16")})
	from, to := netip.MustParseAddrPort("10.1.255.255:1"), netip.MustParseAddrPort("10.1.0.1:69")
	if n := testing.AllocsPerRun(1000, func() {
		if !Possible(from, to) || !h.Broadcasts(from.Addr()) || h.Owns(from.Addr()) {
			t.Error("misjudged")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
