package skeleton

import (
	"math"
	"sync/atomic"
	"unsafe"
)

// A Budget limits the memory of cached skeletons in octets, including what they cache per secret. The zero value allows
// none.
type Budget struct{ most, used atomic.Int64 }

// Open sets the limit in octets.
func (b *Budget) Open(octets int64) { b.most.Store(octets) }

// Close sets the limit to zero. What is cached still counts.
func (b *Budget) Close() { b.most.Store(0) }

// Most returns the limit in octets.
func (b *Budget) Most() int64 { return b.most.Load() }

// Used returns the memory in use, in octets.
func (b *Budget) Used() int64 { return b.used.Load() }

// Add counts n more octets, or fewer if n is negative.
func (b *Budget) Add(n int64) { b.used.Add(n) }

// Keep makes the memory that s caches from now on count in b; the caller counts that of Octets. It must be called
// before s is used by more than one goroutine.
func (s *Skeleton) Keep(b *Budget) { s.budget = b }

// Drop ends Keep, and subtracts what has been counted.
func (s *Skeleton) Drop() {
	if s.budget != nil {
		s.budget.Add(-s.extra.Swap(math.MinInt64 / 2)) // what is cached later is freed with s
	}
}

// spend counts n more octets and reports true, if there is room for them.
func (s *Skeleton) spend(n int) bool {
	b := s.budget
	switch {
	case b == nil: // s is not cached
		return true
	case b.used.Load()+int64(n) > b.Most():
		return false
	}
	if s.extra.Add(int64(n)) >= 0 {
		b.Add(int64(n))
	}
	return true
}

// Octets returns the memory of s in octets, including what it caches for one secret.
func (s *Skeleton) Octets() int {
	n := int(unsafe.Sizeof(*s)) + cap(s.base) + cap(s.prefix) + len(s.broken.Text) + s.keyedOctets()
	n += cap(s.slots)*int(unsafe.Sizeof(slot{})) + cap(s.fixups)*int(unsafe.Sizeof(fixup{})) + cap(s.order)*int(unsafe.Sizeof(topTLV{}))
	for i := range s.slots {
		sl := &s.slots[i]
		n += cap(sl.prog)*int(unsafe.Sizeof(instr{})) + partsOctets(sl.parts) + cap(sl.attrs)*8 + cap(sl.instead) + cap(sl.oid)
	}
	return n
}

// keyedOctets returns the memory in octets that s takes per secret.
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
