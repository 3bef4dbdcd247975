package transfer

import (
	"unsafe"

	"dcs/fastpath/packet"
)

// An embryo is a transfer that nobody has acknowledged. Whoever asked for it may not be there: anybody can send a request in
// another's name. So an embryo keeps nobody out: it has its place until another needs it, and waits no longer than the
// server wants.

// embryos are embryonic transfers in the order of their first packets, in a ring. Those that were acknowledged meanwhile, or
// have ended, stand among them until it is their turn.
type embryos struct {
	ring []embryo
	head uint32
	n    uint32
}

type embryo struct {
	id    ID
	birth uint32
}

const (
	// embryoOctets is what the rings take for each possible transfer: two, each twice as long as there are places.
	embryoOctets = 2 * 2 * int(unsafe.Sizeof(embryo{}))
	// embryoRetries is how often the first packet is sent again.
	embryoRetries = 1
	// eviction is how many octets of embryos' bodies at most go for the body of another. Bodies fill pages in the order of
	// their coming, so that one page is free by then, unless transfers that go on have a part of each.
	eviction = 2 * pageSize
	// glances is how many places are looked at for a client that is silent.
	glances = 8
)

func newEmbryos(transfers int) embryos { return embryos{ring: make([]embryo, 2*transfers)} }

// embryonic reports whether a transfer runs that nobody has acknowledged yet.
func (e *entry) embryonic() bool { return e.state > pending && !e.proved }

// bear notes a transfer whose first packet is sent now.
func (t *Table) bear(id ID, e *entry) {
	t.unproved++
	t.waiting[id/64] |= 1 << (id % 64)
	t.enqueue(&t.embryos, embryo{id, e.birth})
	if e.owned {
		t.enqueue(&t.owners, embryo{id, e.birth})
	}
}

func (t *Table) enqueue(q *embryos, m embryo) {
	if int(q.n) == len(q.ring) {
		t.dismiss(q.next()) // if it still waits: twice as many have begun since as there are places
	}
	q.ring[(q.head+q.n)%uint32(len(q.ring))] = m
	q.n++
}

// next takes the first of the ring.
func (q *embryos) next() embryo {
	m := q.ring[q.head]
	if q.head++; int(q.head) == len(q.ring) {
		q.head = 0
	}
	q.n--
	return m
}

// dismiss ends a transfer if it is still embryonic, and returns the octets of the table's memory that its body had.
func (t *Table) dismiss(m embryo) (octets int, ok bool) {
	if t.waiting[m.id/64]>>(m.id%64)&1 == 0 {
		return 0, false // as most: its entry, which is in no near cache, need not be read
	}
	e := &t.entries[m.id]
	if e.birth != m.birth || !e.embryonic() {
		return 0, false
	}
	if e.owned {
		octets = len(e.body)
	}
	t.Count[Evicted]++
	t.release(m.id)
	return octets, true
}

// evict ends the embryo of q that has waited the longest. It is false if there is none.
func (t *Table) evict(q *embryos) (octets int, ok bool) {
	for q.n > 0 && !ok {
		octets, ok = t.dismiss(q.next())
	}
	return octets, ok
}

// prove notes that the client of a transfer is there.
func (t *Table) prove(id ID, e *entry) {
	if !e.proved {
		e.proved = true
		t.forgetEmbryo(id)
	}
}

// forgetEmbryo notes that a transfer is no embryo any more.
func (t *Table) forgetEmbryo(id ID) {
	t.unproved--
	t.waiting[id/64] &^= 1 << (id % 64)
}

// retire ends, of some transfers whose client was there, the one that has been silent the longest, unless all of these are
// well under way. With owned it has a body in the table's memory.
func (t *Table) retire(now int64, owned bool) bool {
	oldest, since := ID(none), now-int64(t.cfg.Timeout)
	for range glances {
		t.random = t.random*1664525 + 1013904223
		id := ID(uint64(t.random) * uint64(len(t.entries)) >> 32)
		if e := &t.entries[id]; e.state > pending && e.sentAt < since && (e.owned || !owned) {
			oldest, since = id, e.sentAt
		}
	}
	if oldest == none {
		return false
	}
	t.fail(oldest, Retired, nil)
	t.release(oldest)
	return true
}

// room returns memory for a body, if need be that of embryos, else of clients that are silent.
func (t *Table) room(now int64, n int) (mem []byte, ref uint32) {
	mem, ref = t.memory.take(n)
	for freed := 0; mem == nil && freed < eviction; {
		octets, ok := t.evict(&t.owners)
		if !ok {
			break
		}
		freed += max(octets, 1<<minShift)
		mem, ref = t.memory.take(n)
	}
	for tries := 0; mem == nil && tries < glances && t.retire(now, true); tries++ {
		mem, ref = t.memory.take(n)
	}
	return mem, ref
}

// answersAtOnce reports whether a transfer is over with its first packet as far as we are concerned: half of all places have
// embryos, and its file is one block that the client has asked for without options. If that is lost the client asks
// again, as it does when its request is lost.
func (t *Table) answersAtOnce(now int64, e *entry, body []byte) bool {
	if 2*t.unproved < len(t.entries) {
		return false
	}
	t.pressed = now + 2*int64(t.cfg.Timeout)
	return e.options == 0 && !e.netascii && len(body) < int(e.blksize)
}

// resends returns how often the first packet of an embryo is sent again. In times of pressure a file of one block is not, as it would
// not be had it come a little later.
func (t *Table) resends(now int64, e *entry) int {
	if now < t.pressed && e.state == sending && e.last == 1 {
		return 0
	}
	return embryoRetries
}

// once sends the only block of a file and forgets the transfer.
func (t *Table) once(id ID, e *entry, body []byte, hold any, out *packet.Queue) {
	e.body, e.hold, e.last, e.state, e.proved = body, hold, 1, sending, true
	t.Count[Once]++
	if t.transmit(id, e, 0, 1, out) {
		t.release(id)
	}
}
