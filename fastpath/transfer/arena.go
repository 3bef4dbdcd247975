package transfer

import (
	"math/bits"
	"runtime"
	"syscall"
)

// An arena holds the bodies that a worker's transfers own: a fixed piece of memory in pages of
// 64 KiB, each page cut into blocks of one size. A page whose blocks are all free may serve another
// size. Taking and giving back a block touches the page's record and the block only.
//
// Some pages are kept for each size, or one transfer in each page, which somebody spins out, would leave bodies of all other
// sizes without.
type arena struct {
	mem     []byte
	pages   []arenaPage
	free    int32             // first page that belongs to no size
	partial [numClasses]int32 // first page of each size that has a free block
	owned   [numClasses]int   // pages of each size
	spare   int               // pages that belong to no size
	kept    int               // of these, those that sizes have yet to take of what is kept for them
	least   int               // pages that are kept for each size
}

type arenaPage struct {
	next, prev int32
	class      uint8
	used       uint8 // blocks taken
	carved     uint8 // blocks ever taken since the page got its size; those behind are free and untouched
	head       uint8 // first free block below carved; the block's first octet names the next
}

const (
	pageShift  = 16
	pageSize   = 1 << pageShift
	minShift   = 9
	numClasses = pageShift - minShift + 1
	maxBody    = pageSize
	blockBits  = pageShift - minShift
	none       = -1
	noBlock    = 0xff
)

func newArena(size int) *arena {
	n := max(1, size>>pageShift)
	a := &arena{pages: make([]arenaPage, n), free: none, spare: n, least: n / 64}
	a.kept = numClasses * a.least
	a.reserve(n << pageShift)
	for i := range a.partial {
		a.partial[i] = none
	}
	for i := n - 1; i >= 0; i-- {
		a.pages[i].next = a.free
		a.free = int32(i)
	}
	return a
}

// reserve gives a its memory, which lies outside of Go's heap and takes room as it is written to. In the heap the
// whole would count at once, and the collector, held to a limit, would run for memory that nobody uses.
func (a *arena) reserve(n int) {
	mem, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil { // a limit on address space, perhaps
		a.mem = make([]byte, n)
		return
	}
	a.mem = mem
	runtime.AddCleanup(a, func(mem []byte) { _ = syscall.Munmap(mem) }, mem) // ours and whole: it cannot fail
}

// take returns a block of n octets, 0 to 65,536, and its name for give; nil if there is none left.
func (a *arena) take(n int) (block []byte, ref uint32) {
	class := bits.Len(uint(max(n, 1)-1) >> minShift)
	if n > maxBody {
		return nil, 0
	}
	i := a.partial[class]
	if i == none {
		if i = a.free; i == none || a.owned[class] >= a.least && a.spare <= a.kept {
			return nil, 0
		}
		a.free = a.pages[i].next
		a.spare--
		if a.owned[class]++; a.owned[class] <= a.least {
			a.kept--
		}
		a.pages[i] = arenaPage{class: uint8(class), next: none, prev: none, head: noBlock}
		a.link(i)
	}
	p := &a.pages[i]
	b := int(p.head)
	at := int(i)<<pageShift + b<<(minShift+class)
	if b != noBlock {
		p.head = a.mem[at]
	} else {
		b = int(p.carved)
		p.carved++
		at = int(i)<<pageShift + b<<(minShift+class)
	}
	p.used++
	if int(p.used) == pageSize>>(minShift+class) {
		a.unlink(i)
	}
	return a.mem[at : at+n : at+n], uint32(i)<<blockBits | uint32(b)
}

// give takes a block back.
func (a *arena) give(ref uint32) {
	i, b := int32(ref>>blockBits), int(ref&(1<<blockBits-1))
	p := &a.pages[i]
	class := int(p.class)
	if int(p.used) == pageSize>>(minShift+class) {
		a.link(i)
	}
	a.mem[int(i)<<pageShift+b<<(minShift+class)] = p.head
	p.head = uint8(b)
	p.used--
	if p.used == 0 {
		a.unlink(i)
		p.next = a.free
		a.free = i
		a.spare++
		if a.owned[class]--; a.owned[class] < a.least {
			a.kept++
		}
	}
}

func (a *arena) link(i int32) {
	p := &a.pages[i]
	p.prev, p.next = none, a.partial[p.class]
	if p.next != none {
		a.pages[p.next].prev = i
	}
	a.partial[p.class] = i
}

func (a *arena) unlink(i int32) {
	p := &a.pages[i]
	if p.prev != none {
		a.pages[p.prev].next = p.next
	} else {
		a.partial[p.class] = p.next
	}
	if p.next != none {
		a.pages[p.next].prev = p.prev
	}
}
