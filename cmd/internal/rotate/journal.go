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
	now := j.now()
	r.At = now.UTC()
	line, err := json.Marshal(&r)
	if err == nil {
		err = j.out.Append(append(line, '\n'))
	}
	if err == nil {
		r.At = now // with its monotonic reading: a wall clock that is set must not shorten the drain
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
