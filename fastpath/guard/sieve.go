package guard

// A Sieve spares a worker the look for the bucket of each source, where bursts are long: it counts many sources together in one of
// a few buckets, which are always in the near cache. As long as all of them together ask for less than a sixteenth of what one
// may, none has to be looked at. It is for one goroutine.
//
// The workers share the sixteenth, as a source's requests may reach them all. Its own bucket is as without: a source has its burst
// in a row, and at most a sixteenth of it more.
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
	share := burst / 16 / s.workers * interval
	t := min(max(*full, now)+interval, now+2*share+interval)
	*full = t
	return t-now <= share
}
