package store

import (
	"time"

	"dcs/render/attr"
)

// State is how a source is.
type State struct {
	Name            string
	Up              bool      // its last call succeeded
	Loading         int       // devices that the load that runs has given so far; -1: none runs
	Loaded          time.Time // when what serves was loaded; zero: never
	Devices         int
	Duplicates      int
	SharedIPs       int
	Rejected        attr.Rejected
	Changes         int64 // applied since the start
	Asked           int64 // devices that were asked for
	Found           int64 // of them
	Damaged         bool  // something of its file is: devices that it may have are not known
	Err             error // what went wrong last, nil once it is all right again
	HeldBack        error // what is held back of what it has lost, an ErrHeldBack; nil: nothing
	ChangesHeldBack int   // changes that are held back, in whole or in part, since the last load that was taken
}

// State tells how each source is, in their order.
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

// Questions tells how the queue of questions is.
func (s *Store) Questions() Questions {
	st := &s.stats
	return Questions{
		Waiting: int(st.waiting.Load()), Asking: int(st.asking.Load()), Asked: st.asked.Load(), Waited: time.Duration(st.waited.Load()), Dropped: st.dropped.Load(),
	}
}

// Questions is how the queue of devices that sources are to be asked for is.
type Questions struct {
	Waiting int           // now
	Asking  int           // that the sources are asked now
	Asked   int64         // that the sources were asked since the start
	Waited  time.Duration // by these, all together
	Dropped int64         // because the queue was full
}
