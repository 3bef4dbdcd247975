package guard

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"slices"
)

// ranges are prefixes as sorted, disjoint ranges of addresses.
type ranges struct {
	four []range4
	six  []range6
}

type range4 struct{ first, last uint32 }

type range6 struct{ first, last word128 }

type word128 struct{ hi, lo uint64 }

func wordOf(a netip.Addr) word128 {
	b := a.As16()
	return word128{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func (w word128) less(o word128) bool { return w.hi < o.hi || w.hi == o.hi && w.lo < o.lo }

func newRanges(prefixes []netip.Prefix) (*ranges, error) {
	r := new(ranges)
	for _, p := range prefixes {
		if !p.IsValid() {
			return nil, fmt.Errorf("%v is not a prefix", p)
		}
		a := p.Masked().Addr()
		if a.Is4In6() {
			return nil, fmt.Errorf("%v: IPv4-mapped; write it as an IPv4 prefix", p)
		}
		if a.Is4() {
			b := a.As4()
			first := binary.BigEndian.Uint32(b[:])
			r.four = append(r.four, range4{first, first | uint32(1<<(32-p.Bits())-1)})
			continue
		}
		first := wordOf(a)
		last := first
		if n := p.Bits(); n < 64 {
			last.hi |= 1<<(64-n) - 1
			last.lo = math.MaxUint64
		} else {
			last.lo |= 1<<(128-n) - 1
		}
		r.six = append(r.six, range6{first, last})
	}
	// Prefixes are nested or disjoint: one that begins inside the previous one also ends there.
	slices.SortFunc(r.four, func(a, b range4) int {
		if a.first != b.first {
			return compare(a.first < b.first)
		}
		return compare(a.last > b.last)
	})
	r.four = outer(r.four, func(a, b range4) bool { return a.last < b.last })
	slices.SortFunc(r.six, func(a, b range6) int {
		if a.first != b.first {
			return compare(a.first.less(b.first))
		}
		return compare(b.last.less(a.last))
	})
	r.six = outer(r.six, func(a, b range6) bool { return a.last.less(b.last) })
	return r, nil
}

// outer returns the ranges that lie within no other.
func outer[T any](sorted []T, endsBefore func(a, b T) bool) []T {
	kept := sorted[:0]
	for _, r := range sorted {
		if n := len(kept); n == 0 || endsBefore(kept[n-1], r) {
			kept = append(kept, r)
		}
	}
	return kept
}

func compare(before bool) int {
	if before {
		return -1
	}
	return 1
}

// contain reports whether an address lies in one of the ranges, which can only be the last one that begins at or before
// it.
func (r *ranges) contain(a netip.Addr) bool {
	if a.Is4() {
		b := a.As4()
		x := binary.BigEndian.Uint32(b[:])
		lo, hi := 0, len(r.four)
		for lo < hi {
			if m := int(uint(lo+hi) >> 1); r.four[m].first <= x {
				lo = m + 1
			} else {
				hi = m
			}
		}
		return lo > 0 && x <= r.four[lo-1].last
	}
	x := wordOf(a)
	lo, hi := 0, len(r.six)
	for lo < hi {
		if m := int(uint(lo+hi) >> 1); !x.less(r.six[m].first) {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo > 0 && !r.six[lo-1].last.less(x)
}
