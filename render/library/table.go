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
	smallOctets = 1024 // typical size of a kind
	shardCount  = 64   // of writers that do not meet
)

// table caches kinds of names: set-associative, lock-free for readers, bounded in octets. A full set, or a full table, evicts a kind that
// has not been requested since the clock hand last passed it. Writers lock only their shard of the sets.
type table struct {
	mask   uint64
	slots  []atomic.Pointer[kind]
	hands  []uint8 // position of each set's clock hand
	shards []shard
	counts *counts

	_       [64]byte        // what follows is written when a kind is learned, what precedes is read by every request
	budget  skeleton.Budget // of the kinds
	further skeleton.Budget // of what the skeletons that templates keep cache under further secrets
	hand    atomic.Uint64   // the table's clock hand
	_       [64]byte
}

// shard is the share of the sets that one writer at a time changes. Each has its own cache lines.
type shard struct {
	mu sync.Mutex
	_  [128 - 8]byte
}

// counts are those of each shard, shared by the tables of a library before and after a reload: requests that are under way in the earlier
// one still count.
type counts [shardCount]struct {
	misses, evicted atomic.Uint64
	_               [128 - 16]byte
}

// kind is what is learned: the skeleton of all names of a template in which the same groups took part in the match, and that differ only
// in groups which are not fixed, for the devices with the same values of structural attributes. It is immutable, except for the mark
// that it is in use.
type kind struct {
	hash  uint64
	of    *Template
	file  *File // nil, or the static file that of was made from: the kind leads from the file to the template
	fixed skeleton.Fixed
	given uint64
	name  string   // if it is that of one name
	texts []string // of the fixed groups that took part in the match
	keys  []string // the device's values
	ipv6  bool

	used   atomic.Bool
	octets int64
	skel   *skeleton.Skeleton
	fault  *skeleton.Fault
}

// newTable makes a table for kinds of that many octets in total. The table itself takes about one percent of that in addition.
func newTable(octets int) *table {
	sets := 1
	for sets*setSize*smallOctets < octets {
		sets *= 2
	}
	t := &table{
		mask: uint64(sets - 1), slots: make([]atomic.Pointer[kind], sets*setSize), hands: make([]uint8, sets),
		shards: make([]shard, min(sets, shardCount)), counts: new(counts),
	}
	t.further.Open(int64(octets / 16))
	t.budget.Open(int64(octets - octets/16))
	return t
}

// set returns the slots in which a hash may be stored.
func (t *table) set(h uint64) []atomic.Pointer[kind] {
	at := int(h&t.mask) * setSize
	return t.slots[at : at+setSize]
}

// shard returns the number of the shard of a hash.
func (t *table) shard(h uint64) uint64 { return (h & t.mask) % uint64(len(t.shards)) }

func (k *kind) touch() *kind {
	if !k.used.Load() { // an unconditional store would bounce the cache line between workers
		k.used.Store(true)
	}
	return k
}

// find returns the kind of a name and a device; nil: it is not there, which counts as a miss.
func (t *table) find(h uint64, f *Found, rec attr.Record, ipv6 bool) *kind {
	set := t.set(h)
	for i := range set {
		if k := set[i].Load(); k != nil && k.hash == h && k.of == f.Template && k.file == nil && k.fixed == f.fixed && k.ipv6 == ipv6 && k.holds(f, rec) {
			return k.touch()
		}
	}
	t.counts[t.shard(h)].misses.Add(1)
	return nil
}

// holds reports whether k is the kind of f and a device, given that they have the same template and fixed groups.
func (k *kind) holds(f *Found, rec attr.Record) bool {
	if k.fixed&skeleton.Exact != 0 {
		if k.name != string(f.name) {
			return false
		}
	} else {
		if k.given != f.given {
			return false
		}
		n := 0
		for i := 1; i < len(f.groups)/2; i++ {
			if !k.fixed.Has(i) || f.given>>i&1 == 0 {
				continue
			}
			if k.texts[n] != string(f.group(i)) {
				return false
			}
			n++
		}
	}
	for i, at := range f.Template.Structural() {
		if v, _ := rec.Get(at); k.keys[i] != v {
			return false
		}
	}
	return true
}

// same reports whether k and o are the same kind.
func (k *kind) same(o *kind) bool {
	return k.hash == o.hash && k.file == o.file && (k.file != nil || k.of == o.of) && k.fixed == o.fixed && k.given == o.given && k.name == o.name &&
		k.ipv6 == o.ipv6 && slices.Equal(k.texts, o.texts) && slices.Equal(k.keys, o.keys)
}

// put stores k and returns it, or the equal kind that another goroutine has stored in the meantime. A kind larger than the table is
// not stored.
func (t *table) put(k *kind) *kind {
	if k.octets = k.size(); k.octets > t.room() {
		return k
	}
	if k.skel != nil {
		k.skel.Keep(&t.budget)
	}
	t.trim(t.room() - k.octets)
	set, sh := t.set(k.hash), &t.shards[t.shard(k.hash)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for i := range set {
		if o := set[i].Load(); o != nil && o.same(k) {
			return o
		}
	}
	for hand := &t.hands[k.hash&t.mask]; ; *hand++ {
		at := &set[*hand%setSize]
		if o := at.Load(); o != nil && o.used.Swap(false) {
			continue // requested since: it stays for another round
		}
		t.budget.Add(k.octets)
		t.evicted(at.Swap(k))
		*hand++
		return k
	}
}

// room is the share of the budget that kinds may fill, in octets. The rest is for the files that they cache under further secrets.
func (t *table) room() int64 { return t.budget.Most() - t.budget.Most()/16 }

// trim evicts kinds that were not requested recently until the others take at most so many octets. Several goroutines may trim at
// once.
func (t *table) trim(octets int64) {
	for n := 0; t.budget.Used() > octets && n < 3*len(t.slots); n++ {
		at := &t.slots[t.hand.Add(1)%uint64(len(t.slots))]
		// If all of them are requested all the time, some are evicted nevertheless.
		if o := at.Load(); o != nil && (!o.used.Swap(false) || n >= 2*len(t.slots)) && at.CompareAndSwap(o, nil) {
			t.evicted(o)
		}
	}
}

// evicted counts and frees a kind that another one has replaced; nil: the slot was empty.
func (t *table) evicted(k *kind) {
	if k != nil {
		t.counts[t.shard(k.hash)].evicted.Add(1)
		t.free(k)
	}
}

// free subtracts the memory of a kind that has been taken out of its slot.
func (t *table) free(k *kind) {
	t.budget.Add(-k.octets)
	if k.skel != nil {
		k.skel.Drop()
	}
}

// close empties the table for good.
func (t *table) close() {
	t.budget.Close()
	t.further.Close()
	for i := range t.slots {
		if k := t.slots[i].Swap(nil); k != nil {
			t.free(k)
		}
	}
}

// size returns the memory of k in octets.
func (k *kind) size() int64 {
	n := int(unsafe.Sizeof(*k)) + len(k.name)
	for _, texts := range [][]string{k.texts, k.keys} {
		for _, s := range texts {
			n += int(unsafe.Sizeof(s)) + len(s)
		}
	}
	if k.fault != nil && k.fault != skeleton.Unfit {
		n += int(unsafe.Sizeof(*k.fault)) + len(k.fault.Text)
	}
	if k.skel != nil {
		n += k.skel.Octets()
	}
	if k.file != nil && k.of != nil {
		n += signedOctets
	}
	return int64(n)
}

// Learning returns how often the kind of a requested name had not been learned, and how many kinds were evicted, in this snapshot and the
// ones before it.
func (s *Snapshot) Learning() (misses, evicted uint64) {
	for i := range s.table.counts {
		c := &s.table.counts[i]
		misses, evicted = misses+c.misses.Load(), evicted+c.evicted.Load()
	}
	return misses, evicted
}

// Len returns the number of learned kinds of names.
func (s *Snapshot) Len() int {
	n := 0
	for i := range s.table.slots {
		if s.table.slots[i].Load() != nil {
			n++
		}
	}
	return n
}

// LearnedOctets returns the memory of the learned kinds and its limit, in octets. A kind that a literal name's template keeps counts with
// what it caches for further secrets only.
func (s *Snapshot) LearnedOctets() (used, most int64) {
	t := s.table
	return t.budget.Used() + t.further.Used(), t.budget.Most() + t.further.Most()
}
