package transfer

import "unsafe"

// An index finds transfers by the hash of their client: open addressing with linear probing, at most half full. Its
// size follows the number of running transfers: at the full size for 65,536 transfers it takes 1 MiB, which does not
// fit into the near caches, and lookups among a few hundred running transfers cost a sixth of the time of a file.
type index struct {
	slots  []slot
	mask   uint32
	used   int
	memory []slot // for all sizes: a table of n slots is [n:2n], empty unless in use
}

// A slot refers to a transfer. The tag, a part of the hash, gives the preferred position and saves most reads of
// entries that do not match.
type slot struct {
	tag uint32
	ref int32 // index of the entry plus 1; 0: empty
}

const minSlots = 1024

// indexOctets is the memory of an index per possible transfer, at most.
const indexOctets = 8 * int(unsafe.Sizeof(slot{}))

// newIndex returns an index for at most n transfers.
func newIndex(n int) index {
	most := 2
	for most < 2*n {
		most *= 2
	}
	x := index{memory: make([]slot, 2*most)}
	x.take(min(most, minSlots))
	return x
}

// take switches to the table of n slots.
func (x *index) take(n int) {
	x.slots, x.mask = x.memory[n:2*n], uint32(n-1)
}

// tag is the part of a client's hash that the index uses.
func tag(hash uint64) uint32 { return uint32(hash >> 32) }

// first returns the position at which a search for the tag begins, next the one after. A search ends at an empty slot.
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

// remove empties a slot and moves entries back that were displaced past it.
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
	// Shrinks only far below the size at which it would grow again.
	if x.used--; 16*x.used < len(x.slots) && len(x.slots) > minSlots {
		x.resize(len(x.slots) / 2)
	}
}

// resize moves all transfers to the table of n slots.
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
