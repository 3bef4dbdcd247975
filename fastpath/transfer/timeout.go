package transfer

import (
	"time"

	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
)

// Expire retransmits for transfers whose timeout has passed, and gives up after Config.Retries.
func (t *Table) Expire(now int64, out *packet.Queue) {
	cur := now >> tickShift
	w := &t.wheel
	if w.tick >= cur {
		return
	}
	// Behind by more than a turn, each slot is gone through once.
	w.tick = max(w.tick, cur-wheelSlots)
	for budget := perExpire; w.tick < cur; {
		tick := w.tick + 1
		slot := &w.slots[tick&(wheelSlots-1)]
		keep := int32(none)
		for *slot != none && budget > 0 {
			id := ID(*slot)
			e := &t.entries[id]
			t.unhang(e)
			if due := e.deadline>>tickShift + 1; due > tick {
				// Moved to later meanwhile, or a turn of the wheel away.
				e.due = due
				if due&(wheelSlots-1) != tick&(wheelSlots-1) {
					t.hang(id, e)
				} else {
					e.next = keep
					keep = int32(id)
				}
				continue
			}
			budget--
			t.timeout(now, id, e, out)
		}
		for keep != none {
			id := ID(keep)
			e := &t.entries[id]
			keep = e.next
			t.hang(id, e)
		}
		if budget == 0 {
			return
		}
		w.tick = tick
	}
}

func (t *Table) timeout(now int64, id ID, e *entry, out *packet.Queue) {
	retries := t.cfg.Retries
	if e.embryonic() {
		retries = min(retries, t.resends(now, e))
	}
	switch {
	case int(e.retries) >= retries && e.embryonic() && len(e.body) == 0:
		t.Count[Probed]++ // a client may take the size in the OACK, or a first block without octets, for all that there is
		t.release(id)
		return
	case int(e.retries) >= retries:
		t.fail(id, GaveUp, nil)
		if e.embryonic() {
			t.Count[GaveUpFirst]++
		} else if e.acked+1 == e.last {
			t.Count[GaveUpLast]++
		}
		t.release(id)
		return
	case t.overdue(now, e):
		t.fail(id, Overdue, nil)
		t.release(id)
		return
	}
	e.retries++
	e.resends++
	if !e.proved || e.options&tftp.Timeout == 0 {
		e.interval = min(2*e.interval, int64(t.cfg.MaxTimeout))
	}
	e.rewound = false
	e.suspect()
	t.Count[TimedOut]++
	// Of a window one block is enough to have the client say where it is, and all that a client who is not there costs.
	if t.transmit(id, e, 0, 1, out) {
		t.schedule(id, e, now+e.interval)
	}
}

func (t *Table) firstInterval(e *entry) int64 {
	if e.options&tftp.Timeout != 0 {
		return min(int64(e.timeout)*int64(time.Second), int64(t.cfg.MaxTimeout))
	}
	return int64(t.cfg.Timeout)
}

// overdue reports whether a transfer has had its time, or has been sent again so often that nobody means it.
func (t *Table) overdue(now int64, e *entry) bool {
	blocks := int(e.last)
	if e.netascii {
		blocks = (len(e.body)/int(e.blksize) + 1) * 2 // at most: every octet may leave as two
	}
	return now-e.begun > int64(grace)+int64(blocks)*int64(t.cfg.Pace) || int(e.resends) > graceResent+blocks
}

// A transfer may take so long beside what its blocks may, and so many windows may be sent again beside one for each block.
const (
	grace       = time.Minute
	graceResent = 16
)
