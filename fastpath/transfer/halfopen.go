package transfer

import (
	"unsafe"

	"dcs/fastpath/packet"
)

// A half-open transfer is one of which nothing has been acknowledged yet. Its client may not exist: requests are easily
// sent from forged addresses. Half-open transfers therefore never keep others out. One is evicted when its entry or
// memory is needed, and it waits no longer than the server's own configuration says.

// A halfOpenQueue is a ring of half-open transfers in the order of their first packets. Those that have been
// acknowledged or have ended since stay in it until they are popped.
type halfOpenQueue struct {
	ring []halfOpen
	head uint32
	n    uint32
}

type halfOpen struct {
	id    ID
	birth uint32
}

const (
	// halfOpenOctets is the memory of both queues per table entry. Each queue is twice as long as the table.
	halfOpenOctets = 2 * 2 * int(unsafe.Sizeof(halfOpen{}))
	// halfOpenRetries is how often the first packet is retransmitted.
	halfOpenRetries = 1
	// eviction is how many octets of half-open bodies are freed at most for one new body. Bodies fill pages in the
	// order of arrival, so after that many a page is free, unless established transfers have a block in each.
	eviction = 2 * pageSize
	// samples is how many entries are examined for a silent client.
	samples = 8
)

func newHalfOpenQueue(transfers int) halfOpenQueue {
	return halfOpenQueue{ring: make([]halfOpen, 2*transfers)}
}

// isHalfOpen reports whether the transfer is running and nothing of it has been acknowledged.
func (e *entry) isHalfOpen() bool { return e.state > pending && !e.established }

// addHalfOpen enqueues a transfer whose first packet is being sent.
func (t *Table) addHalfOpen(id ID, e *entry) {
	t.numHalfOpen++
	t.waiting[id/64] |= 1 << (id % 64)
	t.enqueue(&t.halfOpen, halfOpen{id, e.birth})
	if e.owned {
		t.enqueue(&t.owners, halfOpen{id, e.birth})
	}
}

func (t *Table) enqueue(q *halfOpenQueue, m halfOpen) {
	if int(q.n) == len(q.ring) {
		t.evictIfHalfOpen(q.pop()) // only if still half-open: more transfers than the table holds have started since
	}
	q.ring[(q.head+q.n)%uint32(len(q.ring))] = m
	q.n++
}

// pop removes and returns the oldest transfer.
func (q *halfOpenQueue) pop() halfOpen {
	m := q.ring[q.head]
	if q.head++; int(q.head) == len(q.ring) {
		q.head = 0
	}
	q.n--
	return m
}

// evictIfHalfOpen ends a transfer if it is still half-open, and returns how many octets of the arena its body had.
func (t *Table) evictIfHalfOpen(m halfOpen) (octets int, ok bool) {
	if t.waiting[m.id/64]>>(m.id%64)&1 == 0 {
		return 0, false // the common case, decided without reading the entry, which is not in a near cache
	}
	e := &t.entries[m.id]
	if e.birth != m.birth || !e.isHalfOpen() {
		return 0, false
	}
	if e.owned {
		octets = len(e.body)
	}
	t.Count[Evicted]++
	t.release(m.id)
	return octets, true
}

// evict ends the oldest half-open transfer of q. ok is false if there is none.
func (t *Table) evict(q *halfOpenQueue) (octets int, ok bool) {
	for q.n > 0 && !ok {
		octets, ok = t.evictIfHalfOpen(q.pop())
	}
	return octets, ok
}

// establish records that the client of a transfer has answered.
func (t *Table) establish(id ID, e *entry) {
	if !e.established {
		e.established = true
		t.removeHalfOpen(id)
	}
}

// removeHalfOpen records that a transfer is no longer half-open.
func (t *Table) removeHalfOpen(id ID) {
	t.numHalfOpen--
	t.waiting[id/64] &^= 1 << (id % 64)
}

// retire samples the established transfers and ends the one whose client has been silent the longest, if any has been
// silent longer than the timeout. With owned, only transfers whose body is in the arena are considered.
func (t *Table) retire(now int64, owned bool) bool {
	oldest, since := ID(none), now-int64(t.cfg.Timeout)
	for range samples {
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

// room returns memory for a body, if necessary by evicting half-open transfers and then by retiring silent clients.
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
	for tries := 0; mem == nil && tries < samples && t.retire(now, true); tries++ {
		mem, ref = t.memory.take(n)
	}
	return mem, ref
}

// answersAtOnce reports whether a file can be sent without keeping a transfer: half of the table is half-open, and the
// file is one block that was requested without options. If the packet is lost the client asks again, as it does when
// its request is lost.
func (t *Table) answersAtOnce(now int64, e *entry, body []byte) bool {
	if 2*t.numHalfOpen < len(t.entries) {
		return false
	}
	t.pressureUntil = now + 2*int64(t.cfg.Timeout)
	return e.options == 0 && !e.netascii && len(body) < int(e.blksize)
}

// resends returns how often the first packet of a half-open transfer is retransmitted. Under pressure a file of one
// block is not: had it been requested a little later, it would have been sent without a transfer.
func (t *Table) resends(now int64, e *entry) int {
	if now < t.pressureUntil && e.state == sending && e.last == 1 {
		return 0
	}
	return halfOpenRetries
}

// once sends the only block of a file and releases the entry.
func (t *Table) once(id ID, e *entry, body []byte, hold any, out *packet.Queue) {
	e.body, e.hold, e.last, e.state, e.established = body, hold, 1, sending, true
	t.Count[Once]++
	if t.transmit(id, e, 0, 1, out) {
		t.release(id)
	}
}
