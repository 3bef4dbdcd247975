package store

import (
	"time"

	"dcs/render/attr"
)

// State is the state of a source.
type State struct {
	Name            string
	Up              bool      // its last call succeeded
	Loading         int       // devices of the running load so far; -1: not loading
	Loaded          time.Time // time of the load in service; zero: never
	Devices         int
	Duplicates      int
	SharedIPs       int
	Rejected        attr.Rejected
	Changes         int64 // applied since the start
	Asked           int64 // devices looked up
	Found           int64 // of these
	Damaged         bool  // its file is damaged, so that devices may be missing
	Err             error // last error, nil once it has recovered
	HeldBack        error // describes losses that are held back, an attr.ErrHeldBack; nil: none
	ChangesHeldBack int   // changes held back, in whole or in part, since the last accepted load
}

// State returns the state of each source, in the order of the configuration.
func (s *Store) State() []State {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []State
	for _, src := range s.srcs {
		st := State{
			Name: src.Name(), Up: src.up, Loading: int(src.loading.Load()), Loaded: src.meta.Loaded,
			Devices: int(src.stats.Devices), Duplicates: int(src.stats.Duplicates), SharedIPs: int(src.stats.SharedIPs),
			Rejected: src.meta.Rejected,
			Changes:  src.changes.Load(), Asked: src.asked.Load(), Found: src.found.Load(), Err: src.err,
			HeldBack: src.guard.heldBack(), ChangesHeldBack: src.guard.changes,
		}
		base := s.fleet[src.i].base
		st.Damaged = base != nil && base.Damaged() != nil
		list = append(list, st)
	}
	return list
}

// Questions returns the state of the queue of look-ups in sources.
func (s *Store) Questions() Questions {
	st := &s.stats
	q := Questions{
		Waiting: int(st.waiting.Load()), Asking: int(st.asking.Load()), Asked: st.asked.Load(), Waited: time.Duration(st.waited.Load()), Dropped: st.dropped.Load(),
	}
	if s.intake != nil {
		q.Dropped += s.intake.dropped()
	}
	return q
}

// Questions is the state of the queue of devices to be looked up in sources.
type Questions struct {
	Waiting int           // in the queue
	Asking  int           // being looked up
	Asked   int64         // looked up since the start
	Waited  time.Duration // total time that these waited
	Dropped int64         // dropped because the queue was full
}
