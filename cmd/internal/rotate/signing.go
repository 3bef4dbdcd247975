package rotate

import (
	"errors"
	"fmt"
	"time"
)

// prepare makes sure that the new secrets are in the keyring, and that the server can read it. Where the crash came
// before them, nothing has happened at all, and the rotation has ended.
func (s *Saga) prepare(ctx Context, st *State) (ended bool, err error) {
	ring, err := s.Store.Load()
	if err != nil {
		return false, err
	}
	for _, c := range st.Plan.CMTS {
		if !has(ring, c.New) { // all are added at once: those that are there, if any, were added by somebody else
			return true, s.Journal.write(record{Phase: undone})
		}
	}
	if st.Back {
		return false, nil
	}
	s.report(Event{Phase: "preparing"})
	if err := s.tell(ctx, ring.Generation); err != nil {
		return false, err
	}
	return false, s.Journal.write(record{Phase: prepared})
}

// tell makes the server read the keyring, of at least this generation.
func (s *Saga) tell(ctx Context, generation uint64) error {
	if generation == 0 {
		ring, err := s.Store.Load()
		if err != nil {
			return err
		}
		generation = ring.Generation
	}
	var last error
	for try := range max(s.Tries, 1) {
		if try > 0 {
			if err := s.Sleep(ctx, backOff(try)); err != nil {
				return err
			}
		}
		got, err := s.Server.Reload(ctx)
		switch {
		case errors.Is(err, ErrNoServer):
			s.report(Event{Phase: "server", Text: "no server runs: it reads the keyring when it starts"})
			return nil
		case err == nil && got >= generation:
			return nil
		case err == nil:
			err = fmt.Errorf("it serves generation %d of its keyring, and %d is ours: has it another file?", got, generation)
		}
		last = err
		if ctx.Err() != nil {
			break
		}
		s.report(Event{Phase: "server", Err: err})
	}
	return fmt.Errorf("%w: %w", errServer, last)
}

// assign changes which secrets files are signed with: that of CMTSes, and the default unless it is empty. The
// keyring is first, the server is told then: a server that starts in between reads what it will be told.
func (s *Saga) assign(ctx Context, holders map[string]string, def string) error {
	s.keys.Lock()
	defer s.keys.Unlock()
	ring, err := s.Store.Load()
	if err != nil {
		return err
	}
	same := def == "" || def == ring.Default
	for name, secret := range holders {
		same = same && ring.Holds(name) == secret
	}
	if !same {
		for name, secret := range holders {
			ring.Holders[name] = secret
		}
		if def != "" {
			ring.Default = def
		}
		if err := s.Store.Save(ring); err != nil {
			return err
		}
	}
	return s.tell(ctx, ring.Generation)
}

// switchOver signs for all CMTSes with two slots by the secrets that have come.
func (s *Saga) switchOver(ctx Context, double []Change) error {
	st := s.Journal.State()
	if !st.Switched.IsZero() || st.Back && !st.Moved {
		return nil
	}
	s.report(Event{Phase: "switching"})
	if !st.Switching {
		if err := s.Journal.write(record{Phase: switching}); err != nil {
			return err
		}
		st = s.Journal.State()
	}
	ring, err := s.Store.Load()
	if err != nil {
		return err
	}
	holders := map[string]string{}
	for _, c := range st.Plan.CMTS {
		holders[c.Name] = ring.Holds(c.Name) // those with one slot keep theirs, even where it is the default that changes
	}
	for _, c := range double {
		holders[c.Name], _ = st.names(c)
	}
	def := st.Plan.NewDefault
	if st.Back {
		def = st.Plan.OldDefault
	}
	if err := s.assign(ctx, holders, def); err != nil {
		return err
	}
	if ring, err = s.Store.Load(); err != nil {
		return err
	}
	return s.Journal.write(record{Phase: switched, Generation: ring.Generation})
}

// drain waits until modems that got their file before the switch have registered with it.
func (s *Saga) drain(ctx Context, double int) error {
	st := s.Journal.State()
	if double == 0 || st.Switched.IsZero() {
		return nil
	}
	if d := st.Switched.Add(st.Plan.Drain).Sub(s.now()); d > 0 {
		s.report(Event{Phase: "draining", Text: d.Round(time.Second).String()})
		return s.Sleep(ctx, min(d, st.Plan.Drain))
	}
	return nil
}

// end takes secrets that nobody holds any more out of the keyring, and ends the journal.
func (s *Saga) end(ctx Context, how string) error {
	st := s.Journal.State()
	if how == st.how() && !st.Ending {
		if err := s.Journal.write(record{Phase: ending}); err != nil {
			return err
		}
	}
	s.keys.Lock()
	defer s.keys.Unlock()
	ring, err := s.Store.Load()
	if err != nil {
		return err
	}
	gone := false
	for _, c := range st.Plan.CMTS {
		name := c.Old
		if how == undone {
			name = c.New
		}
		if has(ring, name) && !ring.Used(name) {
			delete(ring.Secrets, name)
			gone = true
		}
	}
	// Whoever holds the default need not be named for it.
	for _, c := range st.Plan.CMTS {
		if ring.Holders[c.Name] == ring.Default {
			delete(ring.Holders, c.Name)
			gone = true
		}
	}
	if gone {
		if err := s.Store.Save(ring); err != nil {
			return err
		}
	}
	// Told whether or not something was changed just now: the crash may have come between. A server that was never
	// told of the secrets that go does not mind.
	if err := s.tell(ctx, ring.Generation); err != nil && (how == done || st.Moved) {
		return err
	}
	return s.Journal.write(record{Phase: how})
}
