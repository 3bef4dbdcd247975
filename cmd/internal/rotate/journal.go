package rotate

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"dcs/cmd/internal/keyring"
)

// Holding is what the journal knows of a CMTS and a secret.
type Holding string

// A CMTS may hold a secret after a step that was begun and of whose end nothing is known.
const (
	No    Holding = "no"
	Maybe Holding = "maybe"
	Yes   Holding = "yes"
)

// Plan is what a rotation is to change. It is the first record of the journal, and holds no secret: their texts are in
// the keyring, all of them, from before the first change until after the last.
type Plan struct {
	ID         string        `json:"id"`
	By         string        `json:"by"` // who began it
	Drain      time.Duration `json:"drain_ns"`
	OldDefault string        `json:"old_default"`
	NewDefault string        `json:"new_default"`
	CMTS       []Change      `json:"cmts"`
}

// Change is a CMTS with the names of its secrets.
type Change struct {
	Name     string `json:"name"`
	Old      string `json:"old"`
	New      string `json:"new"`
	Slots    int    `json:"slots"`
	Readable bool   `json:"readable"` // whether it tells which secrets it holds
}

// Phases that the journal records.
const (
	prepared  = "prepared"  // the new secrets are in the keyring
	switching = "switching" // from here on modems may get files under the new secrets
	switched  = "switched"
	back      = "back"   // turned round: the old secrets are to stay
	ending    = "ending" // secrets that nobody holds go from the keyring; there is no turning round any more
	done      = "done"
	undone    = "undone" // all is as it was
)

// record is a line of the journal.
type record struct {
	At         time.Time `json:"at"`
	Plan       *Plan     `json:"plan,omitempty"`
	Phase      string    `json:"phase,omitempty"`
	Why        string    `json:"why,omitempty"`
	Generation uint64    `json:"generation,omitempty"`

	CMTS   string  `json:"cmts,omitempty"`
	Step   string  `json:"step,omitempty"`
	Old    Holding `json:"old,omitempty"`
	New    Holding `json:"new,omitempty"`
	Window bool    `json:"window,omitempty"` // opens the time in which the CMTS rejects modems, or is part of it
}

// State is how far a rotation has come.
type State struct {
	Plan       Plan
	Begun      time.Time
	Back       bool   // its direction is back to the old secrets
	Why        string // it was turned round
	Prepared   bool
	Switching  bool      // into the present direction: a server may have been told
	Moved      bool      // some server may have been told to leave the old secrets, ever
	Switched   time.Time // into the present direction, zero: not yet
	Generation uint64    // of the keyring that was switched to last
	Ending     bool      // in its present direction
	Ended      string    // "", done or undone
	EndedAt    time.Time
	CMTS       map[string]*Progress
}

// Progress is how far one CMTS has come.
type Progress struct {
	Old, New Holding
	Step     string        // that was recorded last
	Open     time.Time     // since when it rejects modems; zero: it does not
	Window   time.Duration // for how long it did
}

func (s *State) apply(r *record) error {
	switch {
	case r.Plan != nil:
		s.Plan, s.Begun = *r.Plan, r.At
		s.CMTS = map[string]*Progress{}
		for _, c := range r.Plan.CMTS {
			s.CMTS[c.Name] = &Progress{Old: Yes, New: No}
		}
	case r.CMTS != "":
		p := s.CMTS[r.CMTS]
		if p == nil {
			return fmt.Errorf("%q is not in its plan", r.CMTS)
		}
		p.Old, p.New, p.Step = r.Old, r.New, r.Step
		switch {
		case r.Window && p.Open.IsZero():
			p.Open = r.At
		case !r.Window && !p.Open.IsZero():
			p.Window += max(r.At.Sub(p.Open), 0) // a clock may have been set back
			p.Open = time.Time{}
		}
	default:
		switch r.Phase {
		case prepared:
			s.Prepared = true
		case switching:
			s.Switching, s.Moved = true, true
		case switched:
			s.Switching, s.Switched, s.Generation = true, r.At, r.Generation
		case back:
			s.Back, s.Why = true, r.Why
			s.Switching, s.Switched = false, time.Time{}
		case ending:
			s.Ending = true
		case done, undone:
			s.Ended, s.EndedAt = r.Phase, r.At
		default:
			return fmt.Errorf("phase %q is unknown", r.Phase)
		}
	}
	return nil
}

// Clone returns a copy that does not change any more.
func (s *State) Clone() *State {
	c := *s
	c.CMTS = make(map[string]*Progress, len(s.CMTS))
	for name, p := range s.CMTS {
		q := *p
		c.CMTS[name] = &q
	}
	return &c
}

// Appender makes a line last before it returns.
type Appender interface {
	Append(line []byte) error
}

// Journal keeps the State of a rotation where a crash leaves it. Its methods may be called by any number of goroutines.
type Journal struct {
	out Appender
	now func() time.Time

	mu    sync.Mutex
	state State
	err   error // of the disk; nothing more is done after it
}

// Begin starts a journal with its plan.
func Begin(out Appender, plan Plan, now func() time.Time) (*Journal, error) {
	j := &Journal{out: out, now: now}
	return j, j.write(record{Plan: &plan})
}

// Replay reads a journal. Nil: src holds not even a plan, so that nothing has happened. whole is how many octets of
// src are whole lines; what follows was being written when the writer died.
func Replay(src []byte) (state *State, whole int, err error) {
	for n := 1; ; n++ {
		line, rest, ended := bytes.Cut(src[whole:], []byte("\n"))
		if !ended {
			return state, whole, nil
		}
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, 0, fmt.Errorf("line %d is damaged: %w", n, err)
		}
		if state == nil {
			if r.Plan == nil {
				return nil, 0, fmt.Errorf("line %d: the plan is missing", n)
			}
			state = &State{}
		}
		if err := state.apply(&r); err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", n, err)
		}
		whole = len(src) - len(rest)
	}
}

// Continue goes on with a journal that was replayed.
func Continue(out Appender, state *State, now func() time.Time) *Journal {
	return &Journal{out: out, now: now, state: *state.Clone()}
}

// State returns how far the rotation has come.
func (j *Journal) State() *State {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.state.Clone()
}

// errJournal is wrapped by errors of the journal itself.
var errJournal = errors.New("the journal cannot be written")

func (j *Journal) write(r record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.err
	}
	r.At = j.now().UTC()
	line, err := json.Marshal(&r)
	if err == nil {
		err = j.out.Append(append(line, '\n'))
	}
	if err == nil {
		err = j.state.apply(&r)
	}
	if err != nil {
		j.err = fmt.Errorf("%w: %w", errJournal, err)
	}
	return j.err
}

// JournalFile is a journal on disk, mode 0600.
type JournalFile struct{ f *os.File }

// Append writes a line and waits until it is on the disk.
func (j *JournalFile) Append(line []byte) error {
	if _, err := j.f.Write(line); err != nil {
		return err
	}
	return j.f.Sync()
}

// Close closes the file.
func (j *JournalFile) Close() error { return j.f.Close() }

// CreateJournal makes an empty journal; one that is there, of a rotation that has ended, is kept with .old after its name.
func CreateJournal(path string) (*JournalFile, error) {
	if err := os.Rename(path, path+".old"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := keyring.SyncDir(filepath.Dir(path)); err != nil {
		f.Close()
		return nil, err
	}
	return &JournalFile{f}, nil
}

// ReadJournal reads the journal at path. The state is nil if there is none.
func ReadJournal(path string) (*State, error) {
	src, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	state, _, err := Replay(src)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return state, nil
}

// OpenJournal opens the journal at path to go on with it. A line that was cut off is cut away.
func OpenJournal(path string) (*JournalFile, *State, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return nil, nil, err
	}
	src, err := io.ReadAll(bufio.NewReader(f))
	var state *State
	whole := 0
	if err == nil {
		if state, whole, err = Replay(src); err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}
	if err == nil && whole < len(src) {
		err = errors.Join(f.Truncate(int64(whole)), f.Sync())
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return &JournalFile{f}, state, nil
}
