package guard

// A Sieve saves a worker most lookups of source buckets when bursts are long: it counts many sources together in one of
// a few buckets, which stay in the near cache. As long as they ask together for less than a sixteenth of the burst of
// one source, none is looked up. A Sieve is for one goroutine.
//
// The workers share the sixteenth, as a source's requests may reach all of them. The source's own bucket is unchanged:
// it gets its burst, and at most a sixteenth more.
type Sieve struct {
	workers uint64
	full    [sieveBuckets]uint64 // as in bucket
}

const sieveBuckets = 256

// NewSieve returns the Sieve of one worker out of that many.
func NewSieve(workers int) *Sieve { return &Sieve{workers: uint64(max(workers, 1))} }

// passes counts a request and reports whether no source of its bucket can have exceeded its rate. A bucket that has
// overflowed passes again once its sources together have asked more slowly for a while.
func (s *Sieve) passes(key, now, interval, burst uint64) bool {
	full := &s.full[key>>56]
	interval *= s.workers
	share := burst / 16 / s.workers * interval
	t := min(max(*full, now)+interval, now+2*share+interval)
	*full = t
	return t-now <= share
}
