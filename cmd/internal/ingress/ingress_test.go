package ingress

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
)

func TestOnHost(t *testing.T) {
	for a, want := range map[string]bool{
		"0.0.0.0": true, "::": true, "127.0.0.1": true, "127.1.2.3": true, "198.18.255.254": false, "fd00:198:18:ff::1": false,
		"fe80::1%none0": false, "": true,
	} {
		addr, _ := netip.ParseAddr(a)
		if has, err := OnHost([]netip.Addr{addr}); err != nil || has[0] != want {
			t.Errorf("%q: %v, %v", a, has, err)
		}
	}
}

// A worker that waits keeps its processor only while the run-time has another one.
func TestSpareProcessor(t *testing.T) {
	had := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(had)
	for _, tt := range []struct {
		said          string // $GOMAXPROCS
		workers, want int
	}{
		{"", had, had + 1},
		{"", had + 3, had + 4},
		{"", had - 1, had},
		{fmt.Sprint(had), had, had}, // the operator's word holds
	} {
		runtime.GOMAXPROCS(had)
		t.Setenv("GOMAXPROCS", tt.said)
		if spareProcessor(tt.workers); runtime.GOMAXPROCS(0) != tt.want {
			t.Errorf("GOMAXPROCS=%q, %d workers: %d processors, want %d", tt.said, tt.workers, runtime.GOMAXPROCS(0), tt.want)
		}
	}
}
