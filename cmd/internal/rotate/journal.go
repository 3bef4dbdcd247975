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

// Appender appends a line, and returns once it is on disk.
type Appender interface {
	Append(line []byte) error
}

// Journal records the [State] of a rotation, such that it survives a crash. It is safe for concurrent use.
type Journal struct {
	out Appender
	now func() time.Time

	mu    sync.Mutex
	state State
	err   error // the first; nothing is written after it
}

// Begin starts a journal with the plan.
func Begin(out Appender, plan Plan, now func() time.Time) (*Journal, error) {
	j := &Journal{out: out, now: now}
	return j, j.write(record{Plan: &plan})
}

// replay reads a journal. The state is nil if src has no plan yet: nothing has been changed then. The first complete octets
// of src are whole lines; what follows was being written at a crash.
func replay(src []byte) (state *State, complete int, err error) {
	for n := 1; ; n++ {
		line, rest, ended := bytes.Cut(src[complete:], []byte("\n"))
		if !ended {
			return state, complete, nil
		}
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, 0, fmt.Errorf("line %d: damaged: %w", n, err)
		}
		if state == nil {
			if r.Plan == nil {
				return nil, 0, fmt.Errorf("line %d: no plan", n)
			}
			state = &State{}
		}
		if err := state.apply(&r); err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", n, err)
		}
		complete = len(src) - len(rest)
	}
}

// Continue continues a journal from a replayed state.
func Continue(out Appender, state *State, now func() time.Time) *Journal {
	return &Journal{out: out, now: now, state: *state.clone()}
}

// State returns a copy of the present state.
func (j *Journal) State() *State {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.state.clone()
}

// errJournal is wrapped by errors of writing the journal.
var errJournal = errors.New("write journal")

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
		r.At = now // keeps the monotonic reading, so that setting the wall clock does not shorten the drain
		err = j.state.apply(&r)
	}
	if err != nil {
		j.err = fmt.Errorf("%w: %w", errJournal, err)
	}
	return j.err
}

// JournalFile is a journal on disk, mode 0600.
type JournalFile struct{ f *os.File }

// Append writes a line, and returns once it is on disk.
func (j *JournalFile) Append(line []byte) error {
	if _, err := j.f.Write(line); err != nil {
		return err
	}
	return j.f.Sync()
}

// Close closes the file.
func (j *JournalFile) Close() error { return j.f.Close() }

// CreateJournal creates an empty journal. An existing one, of a rotation that has ended, is renamed: .old is appended.
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

// ReadJournal reads the journal at path. The state is nil if the file does not exist or has no plan yet.
func ReadJournal(path string) (*State, error) {
	src, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	state, _, err := replay(src)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return state, nil
}

// OpenJournal opens the journal at path to continue it. An incomplete last line is removed.
func OpenJournal(path string) (*JournalFile, *State, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return nil, nil, err
	}
	src, err := io.ReadAll(bufio.NewReader(f))
	var state *State
	complete := 0
	if err == nil {
		if state, complete, err = replay(src); err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}
	if err == nil && complete < len(src) {
		err = errors.Join(f.Truncate(int64(complete)), f.Sync())
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return &JournalFile{f}, state, nil
}
