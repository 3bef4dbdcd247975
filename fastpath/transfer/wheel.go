package transfer

// A wheel finds the transfers whose deadline has passed. A transfer is linked into the slot of the tick after its
// deadline. When an ACK moves the deadline to later, the transfer stays in its slot and is relinked when that tick
// comes.
type wheel struct {
	slots [wheelSlots]int32 // first transfer of each slot
	tick  int64             // last tick visited
}

const (
	tickShift  = 24 // a tick is 2^24 ns, about 17 ms
	wheelSlots = 1024
	// perExpire bounds the transfers that one call of Expire handles, so that the end of an outage does not keep the
	// worker from its sockets.
	perExpire = 256
)

func (w *wheel) init(now int64) {
	for i := range w.slots {
		w.slots[i] = none
	}
	w.tick = now >> tickShift
}

// schedule sets the deadline of transfer id.
func (t *Table) schedule(id ID, e *entry, deadline int64) {
	e.deadline = deadline
	due := max(deadline>>tickShift, t.wheel.tick) + 1
	if e.due != 0 {
		if e.due <= due {
			return
		}
		t.disarm(e)
	}
	e.due = due
	t.arm(id, e)
}

func (t *Table) arm(id ID, e *entry) {
	slot := &t.wheel.slots[e.due&(wheelSlots-1)]
	e.prev, e.next = none, *slot
	if e.next != none {
		t.entries[e.next].prev = int32(id)
	}
	*slot = int32(id)
}

func (t *Table) disarm(e *entry) {
	if e.due == 0 {
		return
	}
	if e.prev != none {
		t.entries[e.prev].next = e.next
	} else {
		t.wheel.slots[e.due&(wheelSlots-1)] = e.next
	}
	if e.next != none {
		t.entries[e.next].prev = e.prev
	}
	e.due = 0
}
