package transfer

import "unsafe"

// An index finds transfers by the hash of their client: open addressing, probed linearly, never more than half
// full. It is as large as the transfers that run want it. With 65,536 possible ones the largest size takes 1 MiB, which
// is in no near cache: to look there for one of a few hundred running transfers took a sixth of the time of a file.
type index struct {
	slots  []slot
	mask   uint32
	used   int
	memory []slot // of all sizes: that of n slots stands in [n:2n], empty unless it is in use
}

// A slot is a transfer. The tag, a part of the hash, says where it wants to stand, and saves most visits to
// transfers that do not match.
type slot struct {
	tag uint32
	ref int32 // the entry's number plus 1; 0 is empty
}

const minSlots = 1024

// indexOctets is what an index takes for each possible transfer, at most.
const indexOctets = 8 * int(unsafe.Sizeof(slot{}))

// newIndex returns an index of at most n transfers.
func newIndex(n int) index {
	most := 2
	for most < 2*n {
		most *= 2
	}
	x := index{memory: make([]slot, 2*most)}
	x.take(min(most, minSlots))
	return x
}

// take makes the memory of n slots the one that is used.
func (x *index) take(n int) {
	x.slots, x.mask = x.memory[n:2*n], uint32(n-1)
}

// tag is the part of a client's hash that the index goes by.
func tag(hash uint64) uint32 { return uint32(hash >> 32) }

// first returns the place where a search for the tag begins; next the one after. The search ends at an empty slot.
func (x *index) first(tag uint32) uint32 { return tag & x.mask }
func (x *index) next(i uint32) uint32    { return (i + 1) & x.mask }

func (x *index) insert(tag uint32, id int32) {
	if x.used++; 2*x.used > len(x.slots) && 4*len(x.slots) <= len(x.memory) {
		x.resize(2 * len(x.slots))
	}
	x.put(slot{tag, id + 1})
}

func (x *index) put(s slot) {
	i := x.first(s.tag)
	for x.slots[i].ref != 0 {
		i = x.next(i)
	}
	x.slots[i] = s
}

// remove closes the hole that it leaves by moving back what was pushed past it.
func (x *index) remove(tag uint32, id int32) {
	i := x.first(tag)
	for x.slots[i].ref != id+1 {
		i = x.next(i)
	}
	for j := i; ; {
		j = x.next(j)
		s := x.slots[j]
		if s.ref == 0 {
			break
		}
		if home := x.first(s.tag); (j-home)&x.mask >= (j-i)&x.mask {
			x.slots[i] = s
			i = j
		}
	}
	x.slots[i] = slot{}
	// Far below the size that would grow again.
	if x.used--; 16*x.used < len(x.slots) && len(x.slots) > minSlots {
		x.resize(len(x.slots) / 2)
	}
}

// resize moves all transfers to the memory of n slots.
func (x *index) resize(n int) {
	old := x.slots
	x.take(n)
	for i, s := range old {
		if s.ref != 0 {
			x.put(s)
			old[i] = slot{}
		}
	}
}
