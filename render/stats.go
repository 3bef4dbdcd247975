package render

import (
	"sync/atomic"

	"dcs/render/skeleton"
)

// counters are those of a worker, which is their only writer.
type counters struct {
	requests atomic.Uint64
	files    [skeleton.NumKinds]atomic.Uint64
	static   atomic.Uint64
	unknown  atomic.Uint64
	asking   atomic.Uint64
	faults   [skeleton.NumReasons]atomic.Uint64
	logged   [NumMismatches]atomic.Uint64
	refused  [NumMismatches]atomic.Uint64
	_        [64]byte // separates the cache lines of workers
}

// add increments a counter. With a single writer a load and a store are enough.
func (*counters) add(c *atomic.Uint64) { c.Store(c.Load() + 1) }

// Stats are counters since the Engine was created.
type Stats struct {
	Files   [skeleton.NumKinds]uint64 // rendered from templates, by kind
	Static  uint64                    // static files
	Unknown uint64                    // unknown names
	Asking  uint64                    // unanswered, as their device was being looked up
	Faults  [skeleton.NumReasons]uint64
	Logged  [NumMismatches]uint64 // mismatches that were answered
	Refused [NumMismatches]uint64 // mismatches that were refused
	Learned int                   // kinds of names in the learned table
	Octets  int64                 // their memory
	Hits    uint64                // requests for known names for which nothing had to be learned
	Misses  uint64                // kinds of names that were not in the table when they were requested
	Evicted uint64                // kinds of names that were evicted from the learned table
}

// Stats returns the sums of the workers' counters.
func (e *Engine) Stats() Stats {
	var s Stats
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, w := range e.workers {
		for i := range s.Files {
			s.Files[i] += w.counted.files[i].Load()
		}
		for i := range s.Faults {
			s.Faults[i] += w.counted.faults[i].Load()
		}
		for m := range s.Logged {
			s.Logged[m] += w.counted.logged[m].Load()
			s.Refused[m] += w.counted.refused[m].Load()
		}
		s.Hits += w.counted.requests.Load()
		s.Static += w.counted.static.Load()
		s.Unknown += w.counted.unknown.Load()
		s.Asking += w.counted.asking.Load()
	}
	snap := e.Library()
	s.Learned = snap.Len()
	s.Octets, _ = snap.LearnedOctets()
	s.Misses, s.Evicted = snap.Learning()
	// A request that has just missed may not be counted as one yet, and one that fits no kind misses twice.
	s.Hits -= min(s.Hits, s.Unknown+s.Misses)
	return s
}
