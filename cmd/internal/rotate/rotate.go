// Package rotate replaces the shared secrets of a fleet of CMTSes, and of the server that signs for them, while modems
// register. A rotation that was stopped at any step, by a crash or otherwise, can be resumed or rolled back.
//
// A CMTS with two slots gets the new secret beside the old one, the server switches, files signed with the old secret get
// time to be used, and the old secret is removed. A CMTS with one slot cannot hold both: it rejects modems for a while,
// and the journal records how long.
//
// A rollback takes the same steps with old and new secrets exchanged. Each step is recorded in the journal before it is
// done and again after, and may be repeated.
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

// Store holds the keyring. Load returns a copy. Save increments the generation and returns once the keyring is on disk.
type Store interface {
	Load() (*keyring.File, error)
	Save(*keyring.File) error
}

// Server is the server that signs.
type Server interface {
	// Reload makes the server reload the keyring, and returns the generation that it signs with from now on. The error
	// wraps ErrNoServer if no server runs: it will read the keyring when it starts.
	Reload(ctx Context) (generation uint64, err error)
}

// ErrNoServer is wrapped by [Server.Reload] if no server runs.
var ErrNoServer = errors.New("no server runs")

// errServer is wrapped by errors of a server that runs but did not load the keyring.
var errServer = errors.New("server did not load the new keyring")

// cmtsError is the failure of a step on one CMTS.
type cmtsError struct {
	CMTS, Step string
	Err        error
}

func (e *cmtsError) Error() string {
	text := e.Err.Error()
	if rest, ok := strings.CutPrefix(text, e.CMTS); ok { // drivers begin with the name, too
		text = strings.TrimPrefix(rest, ": ")
		text = strings.TrimPrefix(text, " ")
	}
	return e.CMTS + ": " + e.Step + ": " + text
}

func (e *cmtsError) Unwrap() error { return e.Err }

// Event reports progress.
type Event struct {
	Phase       string
	CMTS        string // empty: the event is not about one CMTS
	Done, Total int    // CMTSes
	Err         error  // of an attempt that will be repeated, or the final one of this CMTS
	Text        string // detail
}

// Saga carries out rotations.
type Saga struct {
	Store   Store
	Server  Server
	Open    func(name string) (cmts.Driver, error)
	Journal *Journal

	Parallel int // CMTSes at a time
	Tries    int // attempts at a step before its CMTS fails
	Now      func() time.Time
	Sleep    func(Context, time.Duration) error // returns early, with the context's error, once that is done
	Report   func(Event)                        // called concurrently; may be nil

	keyringMu sync.Mutex
}

func (s *Saga) now() time.Time { return s.Now() }

func (s *Saga) report(e Event) {
	if s.Report != nil {
		s.Report(e)
	}
}

// rolledBackError is returned for a rotation that failed before the switch and was rolled back.
type rolledBackError struct {
	Cause error // why the rotation failed
	Err   error // why the rollback has not ended; nil: everything was restored
}

func (e *rolledBackError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%v\nrollback not ended: %v", e.Cause, e.Err)
	}
	return e.Cause.Error() + "\neverything was restored"
}

func (e *rolledBackError) Unwrap() []error { return []error{e.Cause, e.Err} }

// Begin adds the new secrets to the keyring, then runs. The journal holds its plan, and nothing else, yet.
func (s *Saga) Begin(ctx Context, secrets map[string]secret.Text) error {
	s.keyringMu.Lock()
	ring, err := s.Store.Load()
	if err == nil {
		for name := range secrets {
			if has(ring, name) {
				err = fmt.Errorf("secret %q was added to the keyring while the rotation was being prepared; rotate again", name)
			}
		}
	}
	if err != nil {
		s.keyringMu.Unlock()
		return errors.Join(err, s.Journal.write(record{Phase: undone})) // the keyring is unchanged
	}
	for name, text := range secrets {
		ring.Secrets[name] = keyring.Source{Text: text, Since: ring.Generation + 1}
	}
	err = s.Store.Save(ring)
	s.keyringMu.Unlock()
	if err != nil {
		return errors.Join(err, s.end(ctx, undone)) // the file may have been replaced nevertheless
	}
	return s.Run(ctx)
}

// Run continues from the journal's state until the rotation has ended. A failure before the switch rolls the rotation
// back, unless it is that a CMTS cannot be reached.
func (s *Saga) Run(ctx Context) error {
	err := s.run(ctx)
	st := s.Journal.State()
	if err == nil || st.RollingBack || st.Switching || ctx.Err() != nil || !permanent(err) {
		return err
	}
	return &rolledBackError{err, s.RollBack(ctx, err.Error())}
}

// permanent reports whether err is a failure of a CMTS or the server that waiting would not cure.
func permanent(err error) bool {
	var failed *cmtsError
	return (errors.As(err, &failed) || errors.Is(err, errServer)) && !errors.Is(err, cmts.ErrUnreachable) && !errors.Is(err, errJournal)
}

// RollBack runs until the old secrets are restored. It fails once the rotation removes them from the keyring.
func (s *Saga) RollBack(ctx Context, why string) error {
	st := s.Journal.State()
	if !st.RollingBack && (st.Ended != "" || st.Ending) {
		return errors.New("rotation ended: its old secrets were removed")
	}
	if !st.RollingBack {
		if err := s.Journal.write(record{Phase: back, Why: why}); err != nil {
			return err
		}
	}
	return s.run(ctx)
}

// run takes the remaining steps, forward or back as the journal says.
func (s *Saga) run(ctx Context) error {
	st := s.Journal.State()
	if st.Ended != "" {
		return nil
	}
	if st.Ending {
		return s.end(ctx, st.outcome())
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
	// A CMTS with one slot that does not answer now would reject modems after the switch.
	if !st.Switching && (!st.RollingBack || st.EverSwitched) {
		if err := s.changeAll(ctx, "asking", single, s.checkReachable); err != nil {
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
	// A server may have started with an older keyring meanwhile: make sure before its secrets are removed.
	if st := s.Journal.State(); st.EverSwitched && slices.ContainsFunc(double, func(c Change) bool { return st.holds(c, true) != No }) {
		if err := s.notify(ctx, 0); err != nil {
			return errors.Join(failed, err)
		}
	}
	if err := errors.Join(failed, s.changeAll(ctx, "removing", double, s.remove)); err != nil {
		return err
	}
	return s.end(ctx, s.Journal.State().outcome())
}
