package storm

// wheel holds each modem's deadline. A slot is about a millisecond, a turn about 17 seconds; later deadlines stay in
// their slot for another turn. Setting and clearing take constant time.
type wheel struct {
	slots []int32 // first modem of each slot's list, or none
	next  []int32
	prev  []int32 // for the first of a list: ^slot
	due   []int64
	tick  int64
}

const (
	slotBits = 20 // ns, 1.05 ms
	slots    = 1 << 14
	none     = int32(-1 << 31)
)

func newWheel(modems int) *wheel {
	w := &wheel{
		slots: make([]int32, slots), next: make([]int32, modems), prev: make([]int32, modems),
		due: make([]int64, modems),
	}
	for i := range w.slots {
		w.slots[i] = none
	}
	for i := range w.prev {
		w.prev[i] = none
	}
	return w
}

// set sets i's deadline, which replaces an earlier one.
func (w *wheel) set(i int32, due int64) {
	w.clear(i)
	// A deadline before the current slot would be found only a turn later.
	s := int32(max(due>>slotBits, w.tick) & (slots - 1))
	w.due[i] = due
	w.next[i], w.prev[i] = w.slots[s], ^s
	if head := w.slots[s]; head != none {
		w.prev[head] = i
	}
	w.slots[s] = i
}

func (w *wheel) clear(i int32) {
	p := w.prev[i]
	if p == none {
		return
	}
	n := w.next[i]
	if p >= 0 {
		w.next[p] = n
	} else {
		w.slots[^p] = n
	}
	if n != none {
		w.prev[n] = p
	}
	w.prev[i] = none
}

// expire calls f for each modem whose deadline has passed, after clearing it, and returns how many. f may call set.
func (w *wheel) expire(now int64, f func(int32)) int {
	expired := 0
	for end := now >> slotBits; ; w.tick++ {
		for i := w.slots[w.tick&(slots-1)]; i != none; {
			next := w.next[i]
			if w.due[i] <= now {
				w.clear(i)
				f(i)
				expired++
			}
			i = next
		}
		if w.tick >= end {
			return expired
		}
	}
}
