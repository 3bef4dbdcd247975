package store

import "sync/atomic"

// intake passes questions from workers to the dispatcher: a bounded lock-free ring with many producers and one consumer (D. Vyukov's
// bounded queue). One source of requests fills at most an eighth of it.
type intake struct {
	slots []intakeSlot
	bound int32 // questions of one lane
	_     [36]byte
	lanes [intakeLanes]lane
	wake  chan struct{} // holds one when there is something to take
	_     [64]byte      // head is what workers contend for
	head  atomic.Uint64
	_     [56]byte
	tail  uint64
}

type intakeSlot struct {
	turn atomic.Uint64
	lane uint64
	q    question
}

// lane is a group of source prefixes. It has a cache line of its own: in a flood from everywhere, workers drop more questions than one word
// that counts them for all could bear.
type lane struct {
	waiting atomic.Int32
	dropped atomic.Int64
	_       [48]byte
}

// intakeLanes is the number of groups that source prefixes are hashed to.
const intakeLanes = 1 << 10

// newIntake returns a ring for at least n questions.
func newIntake(n int) *intake {
	size := 64
	for size < n {
		size *= 2
	}
	in := &intake{slots: make([]intakeSlot, size), bound: int32(size / 8), wake: make(chan struct{}, 1)}
	for i := range in.slots {
		in.slots[i].turn.Store(uint64(i))
	}
	return in
}

// put adds a question of a source whose prefix hashes to lane, and reports whether there was room. If not, it counts it as dropped.
func (in *intake) put(q question, lane uint64) bool {
	l := &in.lanes[lane%intakeLanes]
	if l.waiting.Load() >= in.bound || !in.add(q, l, lane) {
		l.dropped.Add(1)
		return false
	}
	return true
}

func (in *intake) add(q question, l *lane, lane uint64) bool {
	for {
		at := in.head.Load()
		slot := &in.slots[at%uint64(len(in.slots))]
		switch ahead := int64(slot.turn.Load() - at); {
		case ahead < 0:
			return false
		case ahead > 0 || !in.head.CompareAndSwap(at, at+1):
			continue // another goroutine was faster
		}
		l.waiting.Add(1)
		slot.q, slot.lane = q, lane
		slot.turn.Store(at + 1)
		select {
		case in.wake <- struct{}{}:
		default:
		}
		return true
	}
}

// get removes the oldest question. It is called by one goroutine at a time.
func (in *intake) get() (q question, ok bool) {
	slot := &in.slots[in.tail%uint64(len(in.slots))]
	if slot.turn.Load() != in.tail+1 {
		return question{}, false
	}
	q = slot.q
	in.lanes[slot.lane%intakeLanes].waiting.Add(-1)
	slot.turn.Store(in.tail + uint64(len(in.slots)))
	in.tail++
	return q, true
}

// dropped returns how many questions found no room.
func (in *intake) dropped() (n int64) {
	for i := range in.lanes {
		n += in.lanes[i].dropped.Load()
	}
	return n
}
