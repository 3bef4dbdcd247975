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
	// If more than one turn behind, visit each slot once.
	w.tick = max(w.tick, cur-wheelSlots)
	for budget := perExpire; w.tick < cur; {
		tick := w.tick + 1
		slot := &w.slots[tick&(wheelSlots-1)]
		relink := int32(none)
		for *slot != none && budget > 0 {
			id := ID(*slot)
			e := &t.entries[id]
			t.disarm(e)
			if due := e.deadline>>tickShift + 1; due > tick {
				// Its deadline has moved since, or is a turn of the wheel away.
				e.due = due
				if due&(wheelSlots-1) != tick&(wheelSlots-1) {
					t.arm(id, e)
				} else {
					e.next = relink
					relink = int32(id)
				}
				continue
			}
			budget--
			t.timeout(now, id, e, out)
		}
		for relink != none {
			id := ID(relink)
			e := &t.entries[id]
			relink = e.next
			t.arm(id, e)
		}
		if budget == 0 {
			return
		}
		w.tick = tick
	}
}

func (t *Table) timeout(now int64, id ID, e *entry, out *packet.Queue) {
	retries := t.cfg.Retries
	if e.isHalfOpen() {
		retries = min(retries, t.resends(now, e))
	}
	switch {
	case int(e.retries) >= retries && e.isHalfOpen() && len(e.body) == 0:
		t.Count[Probed]++ // the client may have wanted only the size in the OACK, or the file is empty
		t.release(id)
		return
	case int(e.retries) >= retries:
		t.fail(id, GaveUp, nil)
		if e.isHalfOpen() {
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
	if !e.established || e.options&tftp.Timeout == 0 {
		e.interval = min(2*e.interval, int64(t.cfg.MaxTimeout))
	}
	e.rewound = false
	e.suspect()
	t.Count[TimedOut]++
	// One block of the window suffices to make the client report its position, and limits the cost of clients that are
	// gone.
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

// overdue reports whether a transfer has exceeded its time, or has been sent again too often.
func (t *Table) overdue(now int64, e *entry) bool {
	blocks := int(e.last)
	if e.netascii {
		blocks = (len(e.body)/int(e.blksize) + 1) * 2 // upper bound: every octet may be sent as two
	}
	return now-e.begun > int64(grace)+int64(blocks)*int64(t.cfg.Pace) || int(e.resends) > graceResent+blocks
}

// Allowances of a transfer: time in addition to Config.Pace for each block, and windows sent again in addition to one
// for each block.
const (
	grace       = time.Minute
	graceResent = 16
)
