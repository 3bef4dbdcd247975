package render

import (
	"sync/atomic"

	"dcs/render/skeleton"
)

// counters are one worker's: it alone writes them, anybody may read.
type counters struct {
	requests  atomic.Uint64
	files     [skeleton.NumKinds]atomic.Uint64
	static    atomic.Uint64
	unknown   atomic.Uint64
	unlearned atomic.Uint64 // of these, names that were known to be unknown
	asking    atomic.Uint64
	faults    [skeleton.NumReasons]atomic.Uint64
	logged    [NumMismatches]atomic.Uint64
	refused   [NumMismatches]atomic.Uint64
	_         [64]byte // the next worker's counters are on another cache line
}

// add counts one more. A load and a store are enough where there is one writer.
func (*counters) add(c *atomic.Uint64) { c.Store(c.Load() + 1) }

// Stats counts what has been rendered since the engine was made.
type Stats struct {
	Files   [skeleton.NumKinds]uint64 // made from templates, by kind
	Static  uint64                    // served as they are
	Unknown uint64                    // names that nothing has
	Asking  uint64                    // left without an answer, because their device is being asked for
	Faults  [skeleton.NumReasons]uint64
	Logged  [NumMismatches]uint64 // requests that contradict what is known of devices, and were let pass
	Refused [NumMismatches]uint64 // those that were refused
	Learned int                   // names in the learned table
	Octets  int64                 // that they take
	Hits    uint64                // requests for a name that was in the learned table
	Misses  uint64                // requests for a name that was not
	Evicted uint64                // names that had to leave the table for others
}

// Stats sums up what the workers have counted.
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
		s.Hits += w.counted.requests.Load() - w.counted.unlearned.Load()
		s.Static += w.counted.static.Load()
		s.Unknown += w.counted.unknown.Load()
		s.Asking += w.counted.asking.Load()
	}
	snap := e.Library()
	s.Learned = snap.Len()
	s.Octets, _ = snap.LearnedOctets()
	s.Misses, s.Evicted = snap.Learning()
	// A request that has just missed may not be counted as one yet.
	s.Hits -= min(s.Hits, s.Misses)
	return s
}
