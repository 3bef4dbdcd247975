package rotate

import (
	"errors"
	"fmt"
	"time"
)

// prepare makes sure that the new secrets are in the keyring, and that the server can read it. If the crash came before
// they were added, nothing has been changed, and the rotation ends.
func (s *Saga) prepare(ctx Context, st *State) (ended bool, err error) {
	ring, err := s.Store.Load()
	if err != nil {
		return false, err
	}
	for _, c := range st.Plan.CMTS {
		if !has(ring, c.New) { // Begin adds all at once: any that exist were added by somebody else
			return true, s.Journal.write(record{Phase: undone})
		}
	}
	if st.RollingBack {
		return false, nil
	}
	s.report(Event{Phase: "preparing"})
	if err := s.notify(ctx, ring.Generation); err != nil {
		return false, err
	}
	return false, s.Journal.write(record{Phase: prepared})
}

// notify makes the server load the keyring, in this generation or a later one; 0: the present one.
func (s *Saga) notify(ctx Context, generation uint64) error {
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
			s.report(Event{Phase: "server", Text: "none runs; it will read the keyring when it starts"})
			return nil
		case err == nil && got >= generation:
			return nil
		case err == nil:
			err = fmt.Errorf("it serves generation %d of its keyring, expected %d; check that it reads the same file", got, generation)
		}
		last = err
		if ctx.Err() != nil {
			break
		}
		s.report(Event{Phase: "server", Err: err})
	}
	return fmt.Errorf("%w: %w", errServer, last)
}

// assign sets the secrets that files are signed with: those of the CMTSes in holders, and the default unless def is empty.
// The keyring is saved before the server is notified, so that one that starts in between reads the same.
func (s *Saga) assign(ctx Context, holders map[string]string, def string) error {
	s.keyringMu.Lock()
	defer s.keyringMu.Unlock()
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
	return s.notify(ctx, ring.Generation)
}

// switchOver switches the server, for all CMTSes with two slots, to the secrets that were added.
func (s *Saga) switchOver(ctx Context, double []Change) error {
	st := s.Journal.State()
	if !st.Switched.IsZero() || st.RollingBack && !st.EverSwitched {
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
		holders[c.Name] = ring.Holds(c.Name) // with one slot, the present secret stays assigned even if the default changes
	}
	for _, c := range double {
		holders[c.Name], _ = st.names(c)
	}
	def := st.Plan.NewDefault
	if st.RollingBack {
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

// drain gives modems that got their file before the switch time to register with it.
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

// end removes unused secrets of the rotation from the keyring, and records the outcome: done or undone.
func (s *Saga) end(ctx Context, outcome string) error {
	st := s.Journal.State()
	if outcome == st.outcome() && !st.Ending {
		if err := s.Journal.write(record{Phase: ending}); err != nil {
			return err
		}
	}
	s.keyringMu.Lock()
	defer s.keyringMu.Unlock()
	ring, err := s.Store.Load()
	if err != nil {
		return err
	}
	changed := false
	for _, c := range st.Plan.CMTS {
		name := c.Old
		if outcome == undone {
			name = c.New
		}
		if has(ring, name) && !ring.Used(name) {
			delete(ring.Secrets, name)
			changed = true
		}
	}
	// A CMTS that holds the default needs no entry.
	for _, c := range st.Plan.CMTS {
		if ring.Holders[c.Name] == ring.Default {
			delete(ring.Holders, c.Name)
			changed = true
		}
	}
	if changed {
		if err := s.Store.Save(ring); err != nil {
			return err
		}
	}
	// Even if nothing was changed just now, as the crash may have come in between. A server that never signed with the
	// removed secrets need not be notified.
	if err := s.notify(ctx, ring.Generation); err != nil && (outcome == done || st.EverSwitched) {
		return err
	}
	return s.Journal.write(record{Phase: outcome})
}
