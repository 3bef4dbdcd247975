package store

import (
	"hash/maphash"
	"slices"
	"sync/atomic"
	"time"
)

// unknowns is a set-associative cache of devices that no source has. Workers read it without a lock; one goroutine at a time adds to
// it.
//
// If a set is full, a flood of nonexistent devices displaces its own entries: one of the same prefix is replaced first, then an
// unlikely device, then one of the prefix with most entries in the set, then the oldest. Hashes are keyed, so that nobody can choose
// devices that collide.
type unknowns struct {
	seed   maphash.Seed
	again  time.Duration               // lifetime of an entry
	slots  [unknownSlots]atomic.Uint64 // 32 bits of the hash, and the second at which the entry expires
	owners [unknownSlots]uint16        // 15 bits of the hash of the asking prefix, and whether the device was unlikely
}

const (
	unknownSlots   = 1 << 16 // 640 KiB in all
	unknownSetSize = 8       // places of a set
)

func newUnknowns(again time.Duration) *unknowns {
	return &unknowns{seed: maphash.MakeSeed(), again: again}
}

// hash returns a question's hash.
func (u *unknowns) hash(q question) uint64 {
	var b [17]byte
	if !q.mac.IsZero() {
		copy(b[:], q.mac[:])
	} else {
		ip := q.ip.As16()
		copy(b[:], ip[:])
		b[16] = 1
	}
	return maphash.Bytes(u.seed, b[:])
}

// set returns the first slot of the set for a hash.
func (u *unknowns) set(hash uint64) uint64 {
	return hash % (unknownSlots / unknownSetSize) * unknownSetSize
}

// counts reports whether the entry x is valid at now, in seconds since 1970. An entry that would be valid for longer than its lifetime
// is from before the clock was set back.
func (u *unknowns) counts(x uint64, now int64) bool {
	left := int64(x&0xffffffff) - now
	return left > 0 && left <= int64(u.again/time.Second)+1
}

// has reports whether a device has an entry; now is in nanoseconds since 1970.
func (u *unknowns) has(hash uint64, now int64) bool {
	set := u.set(hash)
	for i := range u.slots[set : set+unknownSetSize] {
		if x := u.slots[set+uint64(i)].Load(); x>>32 == hash>>32 && u.counts(x, now/1e9) {
			return true
		}
	}
	return false
}

// add adds a device that no source has.
func (u *unknowns) add(hash, prefix uint64, likely bool, now time.Time) {
	owner := uint16(prefix) << 1
	if !likely {
		owner |= 1
	}
	at := u.place(hash, owner, now.Unix())
	u.owners[at] = owner
	u.slots[at].Store(hash>>32<<32 | uint64(now.Add(u.again).Unix())&0xffffffff)
}

// place returns the slot for a device: its own, a free one, or that of the entry to be replaced.
func (u *unknowns) place(hash uint64, owner uint16, now int64) uint64 {
	set := u.set(hash)
	free, goes := int64(-1), set
	var worst [4]int
	for i := set; i < set+unknownSetSize; i++ {
		x := u.slots[i].Load()
		if x>>32 == hash>>32 && x != 0 {
			return i
		}
		if !u.counts(x, now) {
			free = int64(i)
			continue
		}
		why := [4]int{0, int(u.owners[i] & 1), u.share(set, u.owners[i]>>1), -int(x & 0xffffffff)}
		if u.owners[i]>>1 == owner>>1 {
			why[0] = 1
		}
		if i == set || slices.Compare(why[:], worst[:]) > 0 {
			goes, worst = i, why
		}
	}
	if free >= 0 {
		return uint64(free)
	}
	return goes
}

// share returns the number of slots of a set that a prefix has.
func (u *unknowns) share(set uint64, prefix uint16) (n int) {
	for _, o := range u.owners[set : set+unknownSetSize] {
		if o>>1 == prefix {
			n++
		}
	}
	return n
}
