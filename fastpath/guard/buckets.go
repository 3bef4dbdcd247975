package guard

import (
	"hash/maphash"
	"math"
	"net/netip"
	"sync/atomic"
)

// ways is how many buckets a source may be in: those of a cache line.
const ways = 4

// buckets are token buckets of a bounded number of sources, without locks. A source is known by a keyed hash of 64 bits,
// as no sender may choose whose bucket it shares.
type buckets struct {
	seed maphash.Seed
	sets [][ways]bucket // a power of two of them
}

// A bucket is empty of knowledge when it is full: the time in it is past.
type bucket struct {
	source atomic.Uint64
	full   atomic.Uint64 // when it is full again, Unix ns (the generic cell rate algorithm, ITU-T I.371)
}

func newBuckets(sources int) *buckets {
	n := 1
	for n*ways < sources {
		n *= 2
	}
	return &buckets{seed: maphash.MakeSeed(), sets: make([][ways]bucket, n)}
}

// take takes a token from a source's bucket and reports whether there was one. Where all buckets that a new source may have are
// in use, the fullest is given to it: one that floods, whose bucket is the emptiest, is not forgotten for that.
func (r *rules) take(key, now uint64) bool {
	set := &r.buckets.sets[key&r.sets]
	fullest := 0
	least := uint64(math.MaxUint64)
	for i := range set {
		if set[i].source.Load() == key {
			return set[i].take(now, r.interval, r.burst)
		}
		if full := set[i].full.Load(); full < least {
			fullest, least = i, full
		}
	}
	w := &set[fullest]
	old := w.source.Load()
	if !w.source.CompareAndSwap(old, key) {
		return true // another worker was faster: this request is let through for nothing
	}
	w.full.Store(now + r.interval)
	return true
}

func (b *buckets) hash(a netip.Addr) uint64 {
	as := a.As16()
	return max(maphash.Bytes(b.seed, as[:]), 1) // 0 is nobody's
}

func (w *bucket) take(now, interval, burst uint64) bool {
	// A source whose requests reach several workers at once may lose the race for its own bucket; four times in a row, and
	// it floods.
	for range 4 {
		old := w.full.Load()
		// A bucket that was filled by another rate, or before the clock was set back, is no emptier than empty.
		t := min(max(old, now), now+burst*interval)
		taken := t-now <= (burst-1)*interval
		if taken {
			t += interval
		}
		if t == old || w.full.CompareAndSwap(old, t) {
			return taken
		}
	}
	return false
}

// Who may ask so often in a row is remembered among fewer sources: so many do not flood at once, and their buckets stay in a near
// cache. The twin is in bpf.
const (
	longBurst = 1024
	longSets  = 1 << 13
)
