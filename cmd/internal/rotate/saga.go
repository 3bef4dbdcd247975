// Package rotate replaces the shared secrets of any number of CMTSes, and of the server that signs for them, such that
// modems register all the while; a crash at any step is gone on from.
//
// A CMTS with two slots gets the new secret next to the old, the server switches, files under the old secret get time to
// be used, the old secret goes. One with a single slot cannot hold both: for a while it rejects modems, and that is measured.
//
// The way back is the same way with the secrets changed over. What a step will do is in the journal before it is done,
// that it was done after; every step may be done twice.
package rotate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"dcs/cmd/internal/cmts"
	"dcs/cmd/internal/keyring"
	"dcs/render/secret"
)

// Context is context.Context.
type Context = context.Context

// Store is where the keyring is. Load returns a copy; Save makes it last before it returns, and counts its generation up.
type Store interface {
	Load() (*keyring.File, error)
	Save(*keyring.File) error
}

// Server is the server that signs.
type Server interface {
	// Reload makes the server read the keyring anew, and returns the generation that it signs by from now on. The error
	// wraps ErrNoServer where none runs: it will read the keyring when it starts.
	Reload(ctx Context) (generation uint64, err error)
}

// ErrNoServer is wrapped by errors of a server that does not run.
var ErrNoServer = errors.New("no server runs")

// errServer is wrapped by errors of a server that runs, and does not do what it is told.
var errServer = errors.New("the server does not follow")

// CMTSError is what went wrong with one CMTS.
type CMTSError struct {
	CMTS, Step string
	Err        error
}

func (e *CMTSError) Error() string {
	text := e.Err.Error()
	if rest, ok := strings.CutPrefix(text, e.CMTS); ok { // drivers say which it is, too
		text = strings.TrimPrefix(rest, ": ")
		text = strings.TrimPrefix(text, " ")
	}
	return e.CMTS + ": " + e.Step + ": " + text
}

func (e *CMTSError) Unwrap() error { return e.Err }

// Event is a sign of life.
type Event struct {
	Phase       string // what is being done
	CMTS        string // where; empty: everywhere
	Done, Total int    // CMTSes
	Err         error  // that is tried again, or of this CMTS for good
	Text        string
}

// Saga carries out rotations.
type Saga struct {
	Store   Store
	Server  Server
	Open    func(name string) (cmts.Driver, error)
	Journal *Journal

	Parallel int // CMTSes at a time
	Tries    int // of one step, before its CMTS is given up
	Now      func() time.Time
	Sleep    func(Context, time.Duration) error // ends early with the context's error
	Report   func(Event)                        // may be called by several goroutines at once; nil: nobody listens

	keys sync.Mutex // of the keyring
}

func (s *Saga) now() time.Time { return s.Now() }

func (s *Saga) report(e Event) {
	if s.Report != nil {
		s.Report(e)
	}
}

// RolledBackError tells that a rotation failed before the switch, and what became of the way back.
type RolledBackError struct {
	Cause error // of the failure
	Err   error // of the way back; nil: all is as it was
}

func (e *RolledBackError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%v\nand the rollback has not ended: %v", e.Cause, e.Err)
	}
	return e.Cause.Error() + "\neverything was restored"
}

func (e *RolledBackError) Unwrap() []error { return []error{e.Cause, e.Err} }

// Begin puts new secrets into the keyring, then runs. The journal has its plan, and nothing else, yet.
func (s *Saga) Begin(ctx Context, secrets map[string]secret.Text) error {
	s.keys.Lock()
	ring, err := s.Store.Load()
	if err == nil {
		for name, secret := range secrets {
			if has(ring, name) {
				err = fmt.Errorf("the keyring has a secret %q already", name)
			}
			ring.Secrets[name] = keyring.Source{Text: secret, Since: ring.Generation + 1}
		}
	}
	if err == nil {
		err = s.Store.Save(ring)
	}
	s.keys.Unlock()
	if err != nil {
		return errors.Join(err, s.end(ctx, undone))
	}
	return s.Run(ctx)
}

// Run goes on from where the journal stands until the rotation has ended. A failure before the switch, unless it
// is that a CMTS cannot be reached, turns it round: then the error is a *RolledBackError.
func (s *Saga) Run(ctx Context) error {
	err := s.run(ctx)
	st := s.Journal.State()
	if err == nil || st.Back || st.Switching || ctx.Err() != nil || !certain(err) {
		return err
	}
	return &RolledBackError{err, s.Back(ctx, err.Error())}
}

// certain tells whether err is a CMTS's or the server's, and waiting would not help.
func certain(err error) bool {
	var failed *CMTSError
	return (errors.As(err, &failed) || errors.Is(err, errServer)) && !errors.Is(err, cmts.ErrUnreachable) && !errors.Is(err, errJournal)
}

// Back turns the rotation round and runs until all is as it was.
func (s *Saga) Back(ctx Context, why string) error {
	st := s.Journal.State()
	if !st.Back && (st.Ended != "" || st.Ending) {
		return errors.New("this rotation has ended: its old secrets are gone")
	}
	if !st.Back {
		if err := s.Journal.write(record{Phase: back, Why: why}); err != nil {
			return err
		}
	}
	return s.run(ctx)
}

// run does what is left to do in the direction of the journal.
func (s *Saga) run(ctx Context) error {
	st := s.Journal.State()
	if st.Ended != "" {
		return nil
	}
	if st.Ending {
		return s.end(ctx, st.how())
	}
	if !st.Prepared {
		ended, err := s.prepare(ctx, st)
		if ended || err != nil {
			return err
		}
	}
	var double, single []Change
	for _, c := range st.Plan.CMTS {
		if c.Slots > 1 {
			double = append(double, c)
		} else {
			single = append(single, c)
		}
	}
	if err := s.changeAll(ctx, "adding", double, s.add); err != nil {
		return err
	}
	// A CMTS with one slot that does not answer now would be cut off after the switch.
	if !st.Switching && (!st.Back || st.Moved) {
		if err := s.changeAll(ctx, "asking", single, s.reach); err != nil {
			return err
		}
	}
	if err := s.switchOver(ctx, double); err != nil {
		return err
	}
	failed := s.changeAll(ctx, replacing, single, s.replace)
	if ctx.Err() != nil || errors.Is(failed, errJournal) {
		return failed
	}
	if err := s.drain(ctx, len(double)); err != nil {
		return errors.Join(failed, err)
	}
	// What a server signs by is asked once more before the secrets that it might still sign by go.
	if st := s.Journal.State(); st.Moved && slices.ContainsFunc(double, func(c Change) bool { return st.holds(c, true) != No }) {
		if err := s.tell(ctx, 0); err != nil {
			return errors.Join(failed, err)
		}
	}
	if err := errors.Join(failed, s.changeAll(ctx, "removing", double, s.remove)); err != nil {
		return err
	}
	return s.end(ctx, s.Journal.State().how())
}

// how returns what the rotation ends as in its present direction.
func (s *State) how() string {
	if s.Back {
		return undone
	}
	return done
}

// prepare makes sure that the new secrets are in the keyring, and that the server can read it. Where the crash came
// before them, nothing has happened at all, and the rotation has ended.
func (s *Saga) prepare(ctx Context, st *State) (ended bool, err error) {
	ring, err := s.Store.Load()
	if err != nil {
		return false, err
	}
	for _, c := range st.Plan.CMTS {
		if !has(ring, c.New) {
			return true, s.end(ctx, undone)
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

func backOff(try int) time.Duration { return time.Second << min(try-1, 5) }

// names returns the secret that comes and the one that goes, in the present direction.
func (s *State) names(c Change) (to, from string) {
	if s.Back {
		return c.Old, c.New
	}
	return c.New, c.Old
}

// holds returns whether a CMTS holds the secret that goes (going) or the one that comes.
func (s *State) holds(c Change, going bool) Holding {
	p := s.CMTS[c.Name]
	if going == s.Back {
		return p.New
	}
	return p.Old
}

// mark records what is known of a CMTS from now on.
func (s *Saga) mark(c Change, step string, to, from Holding, window bool) error {
	r := record{CMTS: c.Name, Step: step, Old: from, New: to, Window: window}
	if s.Journal.State().Back {
		r.Old, r.New = to, from
	}
	return s.Journal.write(r)
}

// visit is one CMTS in one direction.
type visit struct {
	cmts.Driver
	to, from secret.Text
	st       *State
}

// replacing is the phase of CMTSes with one slot.
const replacing = "replacing"

// changeAll does step on all of changes, some at a time.
func (s *Saga) changeAll(ctx Context, phase string, changes []Change, step func(Context, Change, *visit) error) error {
	st := s.Journal.State()
	ring, err := s.Store.Load()
	if err != nil {
		return err
	}
	names := make([]string, len(changes))
	for i := range changes {
		names[i] = changes[i].Name
	}
	parallel := s.Parallel
	if phase == replacing {
		parallel /= 4 // each is to be without a secret for as short as can be
	}
	return s.each(ctx, phase, parallel, names, func(ctx Context, i int) error {
		c := changes[i]
		v := &visit{st: st}
		to, from := st.names(c)
		var err1, err2 error
		v.to, err1 = ring.Reveal(to)
		v.from, err2 = ring.Reveal(from)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		if v.Driver, err1 = s.Open(c.Name); err1 != nil {
			return &CMTSError{c.Name, "open", err1}
		}
		defer v.Close()
		return step(ctx, c, v)
	})
}

// each does f for all of names, some at a time. The error joins all of f's: what can be done is done. A journal
// that cannot be written, or the context, ends it early.
func (s *Saga) each(ctx Context, phase string, parallel int, names []string, f func(Context, int) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(names))
	next := make(chan int)
	var running sync.WaitGroup
	var mu sync.Mutex
	finished := 0
	for range min(max(parallel, 1), len(names)) {
		running.Go(func() {
			for i := range next {
				if errs[i] = f(ctx, i); errors.Is(errs[i], errJournal) {
					cancel()
				}
				mu.Lock()
				finished++
				e := Event{Phase: phase, CMTS: names[i], Done: finished, Total: len(names), Err: errs[i]}
				mu.Unlock()
				s.report(e)
			}
		})
	}
feed:
	for i := range names {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	running.Wait()
	return errors.Join(append(errs, ctx.Err())...)
}

// try does one step on a CMTS, several times if need be.
func (s *Saga) try(ctx Context, name, step string, f func() error) error {
	var err error
	for try := range max(s.Tries, 1) {
		if try > 0 {
			s.report(Event{Phase: step, CMTS: name, Err: err, Text: "trying again"})
			if s.Sleep(ctx, backOff(try)) != nil {
				break
			}
		}
		if err = f(); err == nil || errors.Is(err, cmts.ErrDenied) || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return &CMTSError{name, step, err}
	}
	return nil
}

// has tells whether the CMTS must be taken to hold what it should, and not what it should not; a CMTS that tells
// nothing is believed.
func (v *visit) has(ctx Context, to, from bool) error {
	st, err := v.Verify(ctx, []secret.Text{v.to, v.from})
	if err != nil {
		return err
	}
	for i, want := range []bool{to, from} {
		got, what := held(st, i), []string{"the secret that it was given", "the secret that it had"}[i]
		switch {
		case want && (got == cmts.No || got == cmts.Partly):
			return fmt.Errorf("it does not hold %s (%v)", what, got)
		case !want && (got == cmts.Yes || got == cmts.Partly):
			return fmt.Errorf("it still holds %s (%v)", what, got)
		}
	}
	return nil
}

// add puts the secret that comes next to the one that goes.
func (s *Saga) add(ctx Context, c Change, v *visit) error {
	from := v.st.holds(c, true)
	unclear := v.st.holds(c, false) == Maybe
	if v.st.holds(c, false) == Yes {
		return nil
	}
	if err := s.mark(c, "adding", Maybe, from, false); err != nil {
		return err
	}
	err := s.try(ctx, c.Name, "add", func() error {
		// A step that was cut off may have left one interface with the secrets in the other order: what is added would
		// take the place of the one that files are signed with. That one alone, first, is a state that we know.
		if unclear {
			if err := v.Remove(ctx, v.from); err != nil {
				return err
			}
			unclear = false
		}
		if err := v.Add(ctx, v.to); err != nil {
			return err
		}
		return v.has(ctx, true, from == Yes)
	})
	if err != nil {
		return err
	}
	return s.mark(c, "added", Yes, from, false)
}

// remove leaves the secret that has come alone.
func (s *Saga) remove(ctx Context, c Change, v *visit) error {
	if v.st.holds(c, true) == No {
		return nil
	}
	if err := s.mark(c, "removing", Yes, Maybe, false); err != nil {
		return err
	}
	err := s.try(ctx, c.Name, "remove", func() error {
		if err := v.Remove(ctx, v.to); err != nil {
			return err
		}
		return v.has(ctx, true, false)
	})
	if err != nil {
		return err
	}
	return s.mark(c, "removed", Yes, No, false)
}

// reach asks a CMTS whether it can be reached, and takes our word.
func (s *Saga) reach(ctx Context, c Change, v *visit) error {
	if v.st.holds(c, false) == Yes {
		return nil
	}
	return s.try(ctx, c.Name, "ask", func() error {
		_, err := v.Verify(ctx, nil)
		return err
	})
}

// replace changes the only secret of a CMTS: the old one goes, the server switches for its modems, the new one comes.
func (s *Saga) replace(ctx Context, c Change, v *visit) error {
	if v.st.holds(c, false) == Yes {
		return nil
	}
	to, from := v.st.names(c)
	if v.st.holds(c, true) != No {
		if err := s.mark(c, "removing", No, Maybe, true); err != nil {
			return err
		}
		err := s.try(ctx, c.Name, "remove", func() error { return v.Remove(ctx, secret.Text{}) })
		if err != nil {
			return s.restore(ctx, c, v, from, err)
		}
		if err := s.mark(c, "removed", No, No, true); err != nil {
			return err
		}
	}
	if err := s.assign(ctx, map[string]string{c.Name: to}, ""); err != nil {
		return err
	}
	if err := s.mark(c, "adding", Maybe, No, true); err != nil {
		return err
	}
	err := s.try(ctx, c.Name, "add", func() error {
		if err := v.Add(ctx, v.to); err != nil {
			return err
		}
		return v.has(ctx, true, false)
	})
	if err != nil {
		return s.restore(ctx, c, v, from, err)
	}
	return s.mark(c, "replaced", Yes, No, false)
}

// restore gives a CMTS that does not take its new secret the former one, so that its modems can register again.
func (s *Saga) restore(ctx Context, c Change, v *visit, from string, cause error) error {
	if ctx.Err() != nil {
		return cause
	}
	if err := s.mark(c, "restoring", Maybe, Maybe, true); err != nil {
		return errors.Join(cause, err)
	}
	err := s.assign(ctx, map[string]string{c.Name: from}, "")
	if err == nil {
		err = s.try(ctx, c.Name, "restore", func() error { return v.Add(ctx, v.from) })
	}
	if err != nil {
		return errors.Join(cause, err, fmt.Errorf("%s may be without a secret, and reject its modems: see to it, then resume or roll back", c.Name))
	}
	return errors.Join(cause, s.mark(c, "restored", No, Yes, false))
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
