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

// Begin adds the new secrets to the keyring, then runs. The journal holds its plan, and nothing else, yet.
func (s *Saga) Begin(ctx Context, secrets map[string]secret.Text) error {
	s.keys.Lock()
	ring, err := s.Store.Load()
	if err == nil {
		for name := range secrets {
			if has(ring, name) {
				err = fmt.Errorf("secret %q has been added to the keyring meanwhile", name)
			}
		}
	}
	if err != nil {
		s.keys.Unlock()
		return errors.Join(err, s.Journal.write(record{Phase: undone})) // the keyring is as it was, with what others have added
	}
	for name, text := range secrets {
		ring.Secrets[name] = keyring.Source{Text: text, Since: ring.Generation + 1}
	}
	err = s.Store.Save(ring)
	s.keys.Unlock()
	if err != nil {
		return errors.Join(err, s.end(ctx, undone)) // they may be in the keyring nevertheless
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
