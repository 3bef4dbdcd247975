package transfer

import (
	"math/bits"
	"runtime"
	"syscall"
)

// An arena holds the bodies that a worker's transfers own: a fixed region of memory in pages of 64 KiB, each divided
// into blocks of one size class. A page whose blocks are all free can be reused for another class. Taking or returning
// a block touches only the page's record and the block itself.
//
// A minimum of pages is reserved for each class. Otherwise slow transfers that each pin one page of a class could
// starve all other classes.
type arena struct {
	mem     []byte
	pages   []arenaPage
	free    int32             // first page without a class
	partial [numClasses]int32 // first page of each class that has a free block
	owned   [numClasses]int   // pages of each class
	spare   int               // pages without a class
	kept    int               // spare pages that are still reserved for classes below their minimum
	least   int               // pages reserved for each class
}

type arenaPage struct {
	next, prev int32
	class      uint8
	used       uint8 // blocks taken
	carved     uint8 // blocks ever taken since the page got its class; those after it are free and untouched
	head       uint8 // first free block below carved; the block's first octet is the index of the next
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

// reserve allocates a's memory outside the Go heap, where only pages that were written to count. In the heap all of it
// would count at once, and under a memory limit the garbage collector would run for memory that is not used.
func (a *arena) reserve(n int) {
	mem, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil { // probably a limit on address space
		a.mem = make([]byte, n)
		return
	}
	a.mem = mem
	runtime.AddCleanup(a, func(mem []byte) { _ = syscall.Munmap(mem) }, mem) // our own mapping, unmapped whole: cannot fail
}

// take returns a block of n octets, 0 to 65,536, and its reference for give; nil if no block is free.
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

// give returns a block to the arena.
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
