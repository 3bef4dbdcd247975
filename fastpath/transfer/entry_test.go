package transfer

import (
	"testing"
	"unsafe"
)

// Both parts of a transfer are whole cache lines: a field too many costs every packet another line, which only shows
// with tens of thousands of transfers (BenchmarkManyTransfers of package fastpath).
func TestEntrySizes(t *testing.T) {
	const line = 64
	var e entry
	var c cold
	for _, tt := range []struct {
		name      string
		got, want uintptr
	}{
		{"size of entry", unsafe.Sizeof(e), 4 * line},
		{"offset of zone", unsafe.Offsetof(e.zone), line},
		{"offset of link", unsafe.Offsetof(e.link), 2 * line},
		{"offset of body", unsafe.Offsetof(e.body), 3 * line},
		{"size of cold", unsafe.Sizeof(c), 2 * line},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %d octets, want %d", tt.name, tt.got, tt.want)
		}
	}
}
