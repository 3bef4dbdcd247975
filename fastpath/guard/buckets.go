package guard

import (
	"hash/maphash"
	"math"
	"net/netip"
	"sync/atomic"
)

// ways is how many buckets a source can have: those of one cache line.
const ways = 4

// buckets are the token buckets of a bounded number of sources, without locks. A source is identified by a keyed hash
// of 64 bits, so that no sender can choose whose bucket it shares.
type buckets struct {
	seed maphash.Seed
	sets [][ways]bucket // a power of two
}

// A bucket is unused when it is full: its time is past.
type bucket struct {
	source atomic.Uint64
	full   atomic.Uint64 // when the bucket is full again, Unix ns (generic cell rate algorithm, ITU-T I.371)
}

func newBuckets(sources int) *buckets {
	n := 1
	for n*ways < sources {
		n *= 2
	}
	return &buckets{seed: maphash.MakeSeed(), sets: make([][ways]bucket, n)}
}

// take takes a token from a source's bucket and reports whether there was one. If all buckets that a new source could
// use are in use, the fullest is reused. The bucket of a source that floods is the emptiest and is therefore not
// forgotten.
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
		return true // lost the race to another worker: let this request pass without a token
	}
	w.full.Store(now + r.interval)
	return true
}

func (b *buckets) hash(a netip.Addr) uint64 {
	as := a.As16()
	return max(maphash.Bytes(b.seed, as[:]), 1) // 0 marks an unused bucket
}

func (w *bucket) take(now, interval, burst uint64) bool {
	// A source whose requests reach several workers at once may lose the race for its own bucket. Four times in a row
	// means that it floods.
	for range 4 {
		old := w.full.Load()
		// A bucket filled at another rate, or before the clock was set back, counts as empty at most.
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

// With bursts of longBurst or more, fewer sources are remembered: not many flood at once, and their buckets stay in a
// near cache. bpf/sources.go has the same limits.
const (
	longBurst = 1024
	longSets  = 1 << 13
)
