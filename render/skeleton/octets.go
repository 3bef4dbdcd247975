package skeleton

import (
	"math"
	"sync/atomic"
	"unsafe"
)

// A Budget bounds the octets of skeletons that are kept, and of what they remember under
// secrets. Its zero value has room for nothing.
type Budget struct{ most, used atomic.Int64 }

// Open makes room for that many octets.
func (b *Budget) Open(octets int64) { b.most.Store(octets) }

// Close takes all room away; what is kept goes on to count.
func (b *Budget) Close() { b.most.Store(0) }

// Most returns for how many octets there is room.
func (b *Budget) Most() int64 { return b.most.Load() }

// Used returns how many octets are kept.
func (b *Budget) Used() int64 { return b.used.Load() }

// Add notes n more octets, or with a negative n fewer.
func (b *Budget) Add(n int64) { b.used.Add(n) }

// Keep has what s remembers from now on count in b; what Octets returns is counted by the
// caller. It comes before s is used by more than one goroutine.
func (s *Skeleton) Keep(b *Budget) { s.budget = b }

// Drop ends Keep, and takes off what has been counted.
func (s *Skeleton) Drop() {
	if s.budget != nil {
		s.budget.Add(-s.extra.Swap(math.MinInt64 / 2)) // what is remembered later goes with s
	}
}

// spend tells whether there is room for n octets more, and counts them.
func (s *Skeleton) spend(n int) bool {
	b := s.budget
	switch {
	case b == nil: // s is used once
		return true
	case b.used.Load()+int64(n) > b.Most():
		return false
	}
	if s.extra.Add(int64(n)) >= 0 {
		b.Add(int64(n))
	}
	return true
}

// Octets returns how much memory s takes with what it remembers under one secret.
func (s *Skeleton) Octets() int {
	n := int(unsafe.Sizeof(*s)) + cap(s.base) + cap(s.prefix) + len(s.broken.Text) + s.keyedOctets()
	n += cap(s.slots)*int(unsafe.Sizeof(slot{})) + cap(s.fixups)*int(unsafe.Sizeof(fixup{})) + cap(s.order)*int(unsafe.Sizeof(topTLV{}))
	for i := range s.slots {
		sl := &s.slots[i]
		n += cap(sl.prog)*int(unsafe.Sizeof(instr{})) + partsOctets(sl.parts) + cap(sl.attrs)*8 + cap(sl.instead) + cap(sl.oid)
	}
	return n
}

// keyedOctets returns what s takes for one secret.
func (s *Skeleton) keyedOctets() int {
	n := int(unsafe.Sizeof(keyed{}))
	if s.Static() {
		n += len(s.base) + 48 // the MICs, the end and padding
	}
	return n
}

func partsOctets(parts []part) int {
	n := cap(parts) * int(unsafe.Sizeof(part{}))
	for i := range parts {
		n += len(parts[i].lit) + partsOctets(parts[i].fallback)
	}
	return n
}
