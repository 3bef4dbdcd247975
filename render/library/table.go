package library

import (
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"dcs/render/attr"
	"dcs/render/skeleton"
)

// DefaultLearned is what the names learned may take where nothing else is said, in octets.
const DefaultLearned = 64 << 20

const (
	ways  = 8    // places of the table that a hash may be kept in
	small = 1024 // octets of a small name with what it was found to mean
)

// table is the names learned: a set-associative cache without locks for readers, bounded in
// octets. A full set, or a full table, drops a name that was not asked for since it was last
// looked at (clock).
type table struct {
	mask  uint64
	slots []atomic.Pointer[Learned]
	mu    sync.Mutex // of writers
	hands []uint8    // where each set's clock stands
	hand  int        // where the table's does

	budget          skeleton.Budget
	misses, evicted atomic.Uint64
}

// newTable makes a table for names of that many octets together. The table itself takes one
// in a hundred of them.
func newTable(octets int) *table {
	sets := 1
	for sets*ways*small < octets {
		sets *= 2
	}
	t := &table{mask: uint64(sets - 1), slots: make([]atomic.Pointer[Learned], sets*ways), hands: make([]uint8, sets)}
	t.budget.Open(int64(octets))
	return t
}

// set returns the places where a hash may be kept.
func (t *table) set(h uint64) []atomic.Pointer[Learned] {
	at := int(h&t.mask) * ways
	return t.slots[at : at+ways]
}

func (l *Learned) touch() *Learned {
	if !l.used.Load() { // a store each time would bounce the line between the workers
		l.used.Store(true)
	}
	return l
}

// find returns what is known of a name.
func (t *table) find(h uint64, name []byte) *Learned {
	set := t.set(h)
	for i := range set {
		if l := set[i].Load(); l != nil && l.hash == h && !l.variant && l.name.Text == string(name) {
			return l.touch()
		}
	}
	return nil
}

// variant returns what is known of a name for one kind of device.
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

// put keeps l, or what another goroutine has kept for the same meanwhile, and returns it.
// What is larger than the table is not kept.
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
		at := &set[*hand%ways]
		*hand++
		if o := at.Load(); o != nil && o.used.Swap(false) {
			continue // asked for since: it gets another round
		}
		t.drop(at)
		at.Store(l)
		t.budget.Add(l.octets)
		return l
	}
}

// room is how far the table is filled with names. The rest is for what they come to remember
// under further secrets.
func (t *table) room() int64 { return t.budget.Most() - t.budget.Most()/16 }

// trim drops names that were not asked for of late until those left take at most so many octets.
func (t *table) trim(octets int64) {
	for n := 0; t.budget.Used() > octets && n < 3*len(t.slots); n++ {
		at := &t.slots[t.hand]
		t.hand = (t.hand + 1) % len(t.slots)
		// Where all are asked for all the time some have to go nevertheless.
		if o := at.Load(); o != nil && (!o.used.Swap(false) || n >= 2*len(t.slots)) {
			t.drop(at)
		}
	}
}

// drop empties a place.
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

// size returns the octets that l takes. A variant counts its name, too: it may outlive the other.
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

// Learning returns how often a name was not among those learned, and how many left the table for others, since the
// first of the snapshots that were loaded one after another.
func (s *Snapshot) Learning() (misses, evicted uint64) {
	return s.table.misses.Load(), s.table.evicted.Load()
}

// Len returns how many names are learned at the moment.
func (s *Snapshot) Len() int {
	n := 0
	for i := range s.table.slots {
		if s.table.slots[i].Load() != nil {
			n++
		}
	}
	return n
}

// LearnedOctets returns what the names learned take, and what they may take at most.
func (s *Snapshot) LearnedOctets() (used, most int64) {
	return s.table.budget.Used(), s.table.budget.Most()
}
