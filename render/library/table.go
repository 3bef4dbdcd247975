package library

import (
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"dcs/render/attr"
	"dcs/render/skeleton"
)

// DefaultLearned is the default of Config.Learned, in octets.
const DefaultLearned = 64 << 20

const (
	setSize     = 8    // slots that a hash may be stored in
	smallOctets = 1024 // typical size of a learned name
)

// table caches learned names: set-associative, lock-free for readers, bounded in octets. A full set, or a full table, evicts a name that
// has not been requested since the clock hand last passed it.
type table struct {
	mask  uint64
	slots []atomic.Pointer[Learned]
	mu    sync.Mutex // of writers
	hands []uint8    // position of each set's clock hand
	hand  int        // position of the table's

	budget          skeleton.Budget
	misses, evicted atomic.Uint64
}

// newTable makes a table for names of that many octets in total. The table itself takes about one percent of that in addition.
func newTable(octets int) *table {
	sets := 1
	for sets*setSize*smallOctets < octets {
		sets *= 2
	}
	t := &table{mask: uint64(sets - 1), slots: make([]atomic.Pointer[Learned], sets*setSize), hands: make([]uint8, sets)}
	t.budget.Open(int64(octets))
	return t
}

// set returns the slots in which a hash may be stored.
func (t *table) set(h uint64) []atomic.Pointer[Learned] {
	at := int(h&t.mask) * setSize
	return t.slots[at : at+setSize]
}

func (l *Learned) touch() *Learned {
	if !l.used.Load() { // an unconditional store would bounce the cache line between workers
		l.used.Store(true)
	}
	return l
}

// find returns the entry of a name; nil: none.
func (t *table) find(h uint64, name []byte) *Learned {
	set := t.set(h)
	for i := range set {
		if l := set[i].Load(); l != nil && l.hash == h && !l.variant && l.name.Text == string(name) {
			return l.touch()
		}
	}
	return nil
}

// variant returns the entry of a name for one kind of device; nil: none.
func (t *table) variant(h uint64, of *Learned, structural []int, rec attr.Record, ipv6 bool) *Learned {
	set := t.set(h)
	for i := range set {
		l := set[i].Load()
		if l == nil || l.hash != h || !l.variant || l.Template != of.Template || l.name.Text != of.name.Text || l.name.IPv6 != ipv6 {
			continue
		}
		same := true
		for k, at := range structural {
			v, _ := rec.Get(at)
			same = same && l.name.Keys[k] == v
		}
		if same {
			return l.touch()
		}
	}
	return nil
}

// put stores l and returns it, or the equal entry that another goroutine has stored in the meantime. An entry larger than the table is
// not stored.
func (t *table) put(l *Learned) *Learned {
	l.octets = l.size()
	t.mu.Lock()
	defer t.mu.Unlock()
	if l.octets > t.room() {
		return l
	}
	if l.skel != nil {
		l.skel.Keep(&t.budget)
	}
	set := t.set(l.hash)
	for i := range set {
		if o := set[i].Load(); o != nil && o.same(l) {
			return o
		}
	}
	t.trim(t.room() - l.octets)
	hand := &t.hands[l.hash&t.mask]
	for {
		at := &set[*hand%setSize]
		*hand++
		if o := at.Load(); o != nil && o.used.Swap(false) {
			continue // requested since: it stays for another round
		}
		t.drop(at)
		at.Store(l)
		t.budget.Add(l.octets)
		return l
	}
}

// room is the share of the budget that names may fill, in octets. The rest is for the files that entries cache under further secrets.
func (t *table) room() int64 { return t.budget.Most() - t.budget.Most()/16 }

// trim evicts names that were not requested recently until the others take at most so many octets.
func (t *table) trim(octets int64) {
	for n := 0; t.budget.Used() > octets && n < 3*len(t.slots); n++ {
		at := &t.slots[t.hand]
		t.hand = (t.hand + 1) % len(t.slots)
		// If all of them are requested all the time, some are evicted nevertheless.
		if o := at.Load(); o != nil && (!o.used.Swap(false) || n >= 2*len(t.slots)) {
			t.drop(at)
		}
	}
}

// drop empties a slot.
func (t *table) drop(at *atomic.Pointer[Learned]) {
	o := at.Swap(nil)
	if o == nil {
		return
	}
	t.evicted.Add(1)
	t.budget.Add(-o.octets)
	if o.skel != nil {
		o.skel.Drop()
	}
}

// size returns the memory of l in octets. A variant counts the name too: it may outlive the entry that it shares it with.
func (l *Learned) size() int64 {
	n := int(unsafe.Sizeof(*l)) + len(l.name.Text) + cap(l.name.Captures)*int(unsafe.Sizeof("")) + cap(l.name.Given)
	for _, k := range l.name.Keys {
		n += int(unsafe.Sizeof(k)) + len(k)
	}
	if l.fault != nil {
		n += int(unsafe.Sizeof(*l.fault)) + len(l.fault.Text)
	}
	if l.skel != nil {
		n += l.skel.Octets()
	}
	return int64(n)
}

func (l *Learned) same(o *Learned) bool {
	return l.hash == o.hash && l.variant == o.variant && l.Template == o.Template &&
		l.name.Text == o.name.Text && l.name.IPv6 == o.name.IPv6 && slices.Equal(l.name.Keys, o.name.Keys)
}

// Learning returns how often a requested name had not been learned, and how many names were evicted, in this snapshot and the ones before it.
func (s *Snapshot) Learning() (misses, evicted uint64) {
	return s.table.misses.Load(), s.table.evicted.Load()
}

// Len returns the number of learned names.
func (s *Snapshot) Len() int {
	n := 0
	for i := range s.table.slots {
		if s.table.slots[i].Load() != nil {
			n++
		}
	}
	return n
}

// LearnedOctets returns the memory of the learned names and its limit, in octets.
func (s *Snapshot) LearnedOctets() (used, most int64) {
	return s.table.budget.Used(), s.table.budget.Most()
}
