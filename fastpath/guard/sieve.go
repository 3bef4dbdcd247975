package guard

// A Sieve spares a worker the look for the bucket of each source, where bursts are long: it counts many sources together in one of
// a few buckets, which are always in the near cache. As long as all of them are within half of what one may ask, none has to
// be looked at. It is for one goroutine.
//
// The workers have half of a source's burst, and its rate, between them, as its requests may reach them all. Its own bucket has the
// other half: in all a source has no more in a row than its burst.
type Sieve struct {
	workers uint64
	full    [sieveBuckets]uint64 // as a bucket's
}

const sieveBuckets = 256

// NewSieve returns the sieve of one of so many workers.
func NewSieve(workers int) *Sieve { return &Sieve{workers: uint64(max(workers, 1))} }

// passes reports whether no source of a bucket has asked too often, and counts a request of one. A bucket that has run over opens
// again when all of its sources together have asked more slowly for a while.
func (s *Sieve) passes(key, now, interval, burst uint64) bool {
	full := &s.full[key>>56]
	interval *= s.workers
	half := burst / 2 / s.workers * interval
	t := min(max(*full, now)+interval, now+2*half+interval)
	*full = t
	return t-now <= half
}
