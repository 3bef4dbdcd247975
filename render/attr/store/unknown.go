package store

import (
	"hash/maphash"
	"slices"
	"sync/atomic"
	"time"
)

// unknowns remembers devices that no source has, a fixed number of them. Workers read it without a lock; one goroutine at a time
// adds to it.
//
// A device may be in any place of one set. Where all places are taken, a flood of devices that are not there displaces its
// own: one of the same prefix goes first, then one that nothing spoke for, then one of the prefix that has most of the set, then
// the oldest. Hashes are keyed: nobody can make up a device that looks like another.
type unknowns struct {
	seed   maphash.Seed
	again  time.Duration               // for how long one is remembered
	slots  [unknownSlots]atomic.Uint64 // 32 bits of the hash, and the second until which it counts
	owners [unknownSlots]uint16        // who asked: 15 bits of the prefix's hash, and whether the device was unlikely
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

// set returns the first place of the set that a hash belongs to.
func (u *unknowns) set(hash uint64) uint64 {
	return hash % (unknownSlots / unknownSetSize) * unknownSetSize
}

// counts tells whether what is in a place counts now, in seconds since 1970. What would count for longer than any did when it was
// noted is from before the clock was set back.
func (u *unknowns) counts(x uint64, now int64) bool {
	left := int64(x&0xffffffff) - now
	return left > 0 && left <= int64(u.again/time.Second)+1
}

// has tells whether a device is known to be unknown; now is in nanoseconds since 1970.
func (u *unknowns) has(hash uint64, now int64) bool {
	set := u.set(hash)
	for i := range u.slots[set : set+unknownSetSize] {
		if x := u.slots[set+uint64(i)].Load(); x>>32 == hash>>32 && u.counts(x, now/1e9) {
			return true
		}
	}
	return false
}

// add notes that no source has a device.
func (u *unknowns) add(hash, prefix uint64, likely bool, now time.Time) {
	owner := uint16(prefix) << 1
	if !likely {
		owner |= 1
	}
	at := u.place(hash, owner, now.Unix())
	u.owners[at] = owner
	u.slots[at].Store(hash>>32<<32 | uint64(now.Add(u.again).Unix())&0xffffffff)
}

// place chooses a place for a device: its own, one that is free, or that of one who goes.
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

// share returns how many places of a set a prefix has.
func (u *unknowns) share(set uint64, prefix uint16) (n int) {
	for _, o := range u.owners[set : set+unknownSetSize] {
		if o>>1 == prefix {
			n++
		}
	}
	return n
}
