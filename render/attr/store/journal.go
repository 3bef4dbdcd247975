package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"dcs/render/tempfile"
)

const (
	journalName = "changes.journal"
	// The journal is rewritten, without the changes that are in files by now, when it has doubled since the last rewrite and is
	// larger than journalSmall octets. This bounds its size, up to one frame.
	journalSmall = 1 << 20
	// journalTrim is the size in octets above which the journal is rewritten after files were written.
	journalTrim = 64 << 10
	// journalPatience is how long changes wait for the disk before they are served nevertheless.
	journalPatience = time.Second
	// journalClose is how long Close waits for the disk.
	journalClose = 10 * time.Second
)

var errSlowDisk = fmt.Errorf("disk slower than %v", journalPatience)

// journal appends changes to a file, in a goroutine of its own, so that a blocked disk delays nobody for longer than
// journalPatience. After a failure it is rewritten from the Store's changes, with retries until that succeeds.
type journal struct {
	path   string
	live   func() []byte        // returns all changes that are in no file, as frames
	claim  func() error         // returns an error if the directory must not be written to
	report func(err, was error) // called when changes stop being durable, or are durable again
	min    time.Duration        // between attempts
	max    time.Duration
	wake   chan struct{} // holds one when there is something to do
	done   chan struct{} // closed when the goroutine has ended

	mu          sync.Mutex
	queue       []appended
	mustRewrite bool // the next write is a rewrite
	rewriting   bool // a rewrite after a failure is running; changes are queued
	err         error
	closed      bool

	// Used by the goroutine only.
	f     *os.File
	size  int64
	limit int64
	wait  time.Duration
}

// appended is a batch of frames. done is closed when it is on disk, or cannot be written now.
type appended struct {
	frames []byte
	done   chan struct{}
}

// openJournal reads the journal in dir.
func openJournal(dir string) (contents, error) {
	data, err := os.ReadFile(filepath.Join(dir, journalName))
	if errors.Is(err, fs.ErrNotExist) {
		return contents{}, nil
	}
	if err != nil {
		return contents{}, err
	}
	c := readJournal(data)
	if c.err != nil {
		c.err = fmt.Errorf("%s: %w", filepath.Join(dir, journalName), c.err)
	}
	return c, c.err
}

// start starts the goroutine. whole says that the file may be appended to as it is.
func (j *journal) start(whole bool) {
	j.wake, j.done = make(chan struct{}, 1), make(chan struct{})
	j.wait = j.min
	if whole {
		if err := j.reopen(); err != nil {
			whole = false
		}
	}
	j.mustRewrite = !whole
	if j.mustRewrite {
		j.signal()
	}
	go j.run()
}

// reopen opens the file to append to it.
func (j *journal) reopen() error {
	if err := j.claim(); err != nil {
		return err
	}
	f, err := os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		f.Close()
		return err
	}
	j.f, j.size, j.limit = f, size, max(journalSmall, 2*size)
	return nil
}

func (j *journal) signal() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// append queues frames, and waits until they are on disk, for journalPatience at most.
func (j *journal) append(data []byte) {
	if j == nil || len(data) == 0 {
		return
	}
	j.mu.Lock()
	failed := j.err != nil
	if failed && !j.rewriting || j.closed { // the next rewrite includes these changes
		j.mustRewrite = true
		j.mu.Unlock()
		return
	}
	a := appended{data, make(chan struct{})}
	j.queue = append(j.queue, a)
	j.mu.Unlock()
	j.signal()
	if failed {
		return
	}
	patience := time.NewTimer(journalPatience)
	defer patience.Stop()
	select {
	case <-a.done:
	case <-patience.C:
		j.failed(errSlowDisk)
	}
}

// rewrite requests a rewrite if the journal is larger than size octets.
func (j *journal) rewrite(size int64) {
	if st, err := os.Stat(j.path); err != nil || st.Size() <= size {
		return
	}
	j.mu.Lock()
	j.mustRewrite = true
	j.mu.Unlock()
	j.signal()
}

// failed records that changes are not durable.
func (j *journal) failed(err error) {
	j.mu.Lock()
	was := j.err
	j.err, j.mustRewrite = err, true
	if errors.Is(err, errSlowDisk) && was != nil {
		j.err = was
	}
	for _, a := range j.queue {
		close(a.done)
	}
	j.queue, j.rewriting = nil, false
	j.mu.Unlock()
	if was == nil {
		j.report(err, nil)
	}
}

// state returns why changes are not durable, or nil.
func (j *journal) state() error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

func (j *journal) run() {
	defer close(j.done)
	for {
		again := make(<-chan time.Time)
		if j.state() != nil {
			again = time.After(j.wait)
			j.wait = min(2*j.wait, j.max)
		}
		select {
		case <-j.wake:
		case <-again:
		}
		j.mu.Lock()
		queue, closed := j.queue, j.closed
		anew := j.mustRewrite || j.err != nil
		j.queue, j.mustRewrite, j.rewriting = nil, false, anew
		j.mu.Unlock()
		err := j.write(queue, anew)
		switch {
		case err != nil:
			j.failed(err)
		case anew:
			j.recovered()
		}
		for _, a := range queue {
			close(a.done)
		}
		if closed {
			if j.f != nil {
				j.f.Close()
			}
			return
		}
	}
}

// recovered records that all changes are on disk, except those queued.
func (j *journal) recovered() {
	j.mu.Lock()
	was := j.err
	if j.mustRewrite { // it failed once more meanwhile
		was = nil
	} else {
		j.err = nil
	}
	j.rewriting, j.wait = false, j.min
	j.mu.Unlock()
	if was != nil {
		j.report(nil, was)
	}
}

func (j *journal) write(queue []appended, anew bool) error {
	n := int64(0)
	for _, a := range queue {
		n += int64(len(a.frames))
	}
	if anew || n > 0 && (j.f == nil || j.size+n > j.limit) {
		return j.replace() // includes the queued changes
	}
	if n == 0 {
		return nil
	}
	data := queue[0].frames
	for _, a := range queue[1:] {
		data = append(data, a.frames...)
	}
	_, err := j.f.Write(data)
	if err == nil {
		err = j.f.Sync()
	}
	if err != nil { // it may be written in part
		_ = j.f.Truncate(j.size)
		j.f.Close()
		j.f = nil
		return err
	}
	j.size += n
	return nil
}

// replace rewrites the journal.
func (j *journal) replace() error {
	if err := j.claim(); err != nil {
		return err
	}
	data := append([]byte(journalMagic), j.live()...)
	f, err := tempfile.Create(j.path, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Commit()
	}
	if err != nil {
		f.Abort()
		return err
	}
	if j.f != nil {
		j.f.Close()
		j.f = nil
	}
	return j.reopen()
}

// close writes what is queued, and ends the goroutine.
func (j *journal) close() error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	j.closed = true
	j.mu.Unlock()
	j.signal()
	select {
	case <-j.done:
		return nil
	case <-time.After(journalClose):
		return fmt.Errorf("%s: %w", j.path, errSlowDisk)
	}
}

// startJournal starts the journal. whole says that the file may be appended to, unwritable why nothing can be written.
func (s *Store) startJournal(whole bool, unwritable error) {
	s.journal = &journal{
		path: filepath.Join(s.cfg.Dir, journalName), live: s.liveChanges, claim: s.claim, min: s.cfg.RetryMin, max: s.cfg.RetryMax,
		report: func(err, was error) {
			if err != nil {
				s.event(Event{Kind: NotDurable, Err: err})
			} else {
				s.event(Event{Kind: Durable, Err: was})
			}
		},
	}
	s.journal.start(whole && unwritable == nil)
	if unwritable != nil {
		s.journal.failed(unwritable)
	}
}

// Durable returns why changes are not written to disk, or nil.
func (s *Store) Durable() error { return s.journal.state() }
