// Package transfer is a worker's table of running TFTP transfers: clients, state and retransmission.
package transfer

import (
	"hash/maphash"

	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
	"dcs/render/device"
)

// An ID names a transfer from Request to Start, Reject or Drop.
type ID int32

// A Table holds one worker's transfers. Its methods do not allocate, lock or read a clock: now is a monotonic time in
// nanoseconds. Replies go to a packet.Queue whose packets have room for the largest block. Received packets must have
// passed Prepare.
type Table struct {
	// Count is how often each Event happened.
	Count [NumEvents]uint64

	cfg           Config
	blksize       int // largest block granted, octets
	blksize6      int // over IPv6
	seed          maphash.Seed
	entries       []entry
	cold          []cold // by ID, as entries
	free          int32  // first entry of the free list
	fresh         int32  // entries from here on were never used, and their memory is untouched
	active        int
	index         index
	wheel         wheel
	memory        *arena
	halfOpen      halfOpenQueue
	owners        halfOpenQueue // half-open transfers whose body is in the arena
	numHalfOpen   int           // number of half-open transfers
	waiting       []uint64      // a bit for each entry, set while it is half-open
	pressureUntil int64         // until when the table counts as under pressure, monotonic ns
	random        uint32        // state of the generator that picks samples
	text          []byte        // scratch buffer for netascii blocks that are not sent
	recent        [recentSlots]finished
	touched       uint64 // sum of what Prepare has read, so that the reads are not optimised away
	failure       device.Outcome
	writing       *packet.Packet // the packet that is being written
}

// New returns an empty table.
func New(cfg Config, now int64) *Table {
	cfg = cfg.withDefaults()
	t := &Table{
		cfg:      cfg,
		seed:     maphash.MakeSeed(),
		entries:  make([]entry, cfg.Transfers),
		cold:     make([]cold, cfg.Transfers),
		free:     none,
		index:    newIndex(cfg.Transfers),
		memory:   newArena(cfg.Memory),
		halfOpen: newHalfOpenQueue(cfg.Transfers),
		owners:   newHalfOpenQueue(cfg.Transfers),
		waiting:  make([]uint64, (cfg.Transfers+63)/64),
		text:     make([]byte, 0, cfg.MaxBlksize),
	}
	t.Grant(cfg.MaxBlksize, cfg.MaxBlksize)
	t.wheel.init(now)
	return t
}

// Grant sets the largest block sizes granted to new transfers over IPv4 and IPv6, octets, at most Config.MaxBlksize.
func (t *Table) Grant(v4, v6 int) {
	within := func(n int) int { return min(max(n, tftp.MinBlksize), t.cfg.MaxBlksize) }
	t.blksize, t.blksize6 = within(v4), within(v6)
}

// Active returns the number of running transfers.
func (t *Table) Active() int { return t.active }

// Prepare reads the cache lines that a batch of packets will need; call it once per batch, before the packets are
// handled. With tens of thousands of clients the table does not fit into the near caches. As no read depends on
// another, the processor fetches many lines at a time, which saves a sixth of the cost of a packet.
func (t *Table) Prepare(in []packet.Packet) {
	sum := t.touched
	for i := range in {
		sum += uint64(t.index.slots[t.index.first(tag(in[i].Hash))].tag)
	}
	for i := range in {
		if ref := t.index.slots[t.index.first(tag(in[i].Hash))].ref; ref != 0 {
			e := &t.entries[ref-1]
			sum += uint64(e.peer.Port()) + uint64(e.acked) + uint64(e.sentAt) + uint64(len(e.body))
			c := &t.cold[ref-1] // likely the next request reuses this entry
			sum += c.name + uint64(c.nameLen)
		}
	}
	t.touched = sum
}

// ACK handles an ACK of block.
func (t *Table) ACK(now int64, in *packet.Packet, block uint16, out *packet.Queue) {
	hash := in.Hash
	id := t.find(hash, in)
	if id == none {
		t.stranger(now, hash, in, out)
		return
	}
	e := &t.entries[id]
	if e.completes(block) {
		t.Count[Finished]++
		key := t.key(hash, e.local.Port())
		t.recent[key%recentSlots] = finished{key, now + int64(t.cfg.MaxTimeout)}
		t.release(id)
		return
	}
	news := uint32(0) // blocks acknowledged by this ACK
	e.follow(in)
	if e.state == negotiating {
		if block != 0 {
			t.Count[FutureACK]++
			return
		}
		e.state = sending
		e.rtt = now - e.sentAt
	} else {
		// The difference to the last block acknowledged, modulo 2^16: block numbers roll over.
		ahead, outstanding := uint32(block-uint16(e.acked)), e.sent-e.acked
		switch {
		case ahead == 0:
			// A repeated ACK must not cause a retransmission (Sorcerer's Apprentice). With a window it may instead
			// report that the first block was lost: then it arrives about a round trip after the window was sent,
			// and is honoured once.
			if e.window == 1 || e.rewound || now-e.sentAt <= e.rtt/2 {
				t.Count[RepeatedACK]++
				return
			}
			e.rewound = true
			e.resends++
			t.Count[WindowResent]++
			if t.transmit(id, e, 0, uint32(e.window), out) {
				t.schedule(id, e, now+e.interval)
			}
			return
		case ahead >= 1<<15:
			t.Count[RepeatedACK]++
			return
		case ahead > outstanding:
			t.Count[FutureACK]++
			return
		case ahead < outstanding:
			e.resends++
			t.Count[WindowResent]++
		default:
			e.rtt = now - e.sentAt
		}
		news = ahead
	}
	if t.overdue(now, e) {
		t.fail(id, Overdue, nil)
		t.release(id)
		return
	}
	if e.retries > 0 || !e.established {
		e.retries = 0
		e.interval = t.firstInterval(e)
	}
	t.establish(id, e)
	e.rewound = false
	e.sentAt = now
	if t.transmit(id, e, news, uint32(e.window), out) {
		t.schedule(id, e, now+e.interval)
	}
}

// completes reports whether an ACK of block acknowledges the whole file: the last block was sent, and no earlier
// outstanding block has the same number.
func (e *entry) completes(block uint16) bool {
	return e.state == sending && e.sent == e.last && block == uint16(e.last) && e.acked != e.last
}

// release ends a transfer and frees its entry.
func (t *Table) release(id ID) {
	e := &t.entries[id]
	if e.isHalfOpen() {
		t.removeHalfOpen(id)
	}
	e.state = vacant
	t.disarm(e)
	t.index.remove(e.tag, int32(id))
	if e.owned {
		t.memory.give(e.ref)
		e.owned = false
	} else {
		e.body, e.hold = nil, nil // not ours
	}
	e.next = t.free
	t.free = int32(id)
	t.active--
}
