// Package csvfile reads devices from a file of comma-separated values.
package csvfile

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"dcs/render/attr"
)

// Config describes the file.
//
// The first line names the columns in any order: mac or ip or both, in upper or lower case; the others are attributes. The
// format is that of RFC 4180, with lines that end in CR LF or LF. A leading byte order mark and empty lines are ignored. A row
// is left out if it does not have as many fields as there are columns, has neither a MAC nor an IP address, or a malformed one.
type Config struct {
	Path  string
	Name  string // in logs; "": csv and the path
	Comma byte   // separator of fields; 0: a comma
	// MaxRejected is the number of rows that may be left out: the limit of [attr.Rejected.Check].
	MaxRejected int
	// OnReject is called for each row that is left out, with its line, from 1. It may be nil.
	OnReject func(line int, reason string)
	Debounce time.Duration // how long the file must be unchanged before it is loaded again; 0: 250 ms
	Poll     time.Duration // interval of checks where the kernel reports no changes, such as on network file systems; 0: 10 s
}

type source struct {
	cfg Config

	mu         sync.Mutex
	names      []string // as Open returned them; nil: it was not called
	loaded     os.FileInfo
	sum        []byte // of the octets that the last Load read; nil: it failed
	rejected   attr.Rejected
	servedSize int64 // octets of the file that is in service; 0: unknown, or of no interest
}

// New returns a source, which is also an attr.Rejecter and an attr.Marker. Nothing is read before Open.
func New(cfg Config) attr.Follower {
	if cfg.Name == "" {
		cfg.Name = "csv " + cfg.Path
	}
	if cfg.Comma == 0 {
		cfg.Comma = ','
	}
	if cfg.Debounce == 0 {
		cfg.Debounce = 250 * time.Millisecond
	}
	if cfg.Poll == 0 {
		cfg.Poll = 10 * time.Second
	}
	return &source{cfg: cfg}
}

func (s *source) Name() string { return s.cfg.Name }
func (s *source) Close() error { return nil }

func (s *source) Rejected() attr.Rejected {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rejected
	r.First = append([]string(nil), r.First...)
	return r
}

func (s *source) Open(context.Context) ([]string, error) {
	f, info, err := s.open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := s.truncated(f, info); err != nil {
		return nil, err
	}
	c, err := s.header(newScanner(f, s.cfg.Comma))
	if err == nil {
		s.mu.Lock()
		s.names = append([]string{}, c.names...)
		s.mu.Unlock()
	}
	return c.names, err
}

// open opens the file without blocking, as it would on a pipe that has no writer, and refuses all but regular files.
func (s *source) open() (*os.File, os.FileInfo, error) {
	f, err := os.OpenFile(s.cfg.Path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		what := "a device"
		switch {
		case info.IsDir():
			what = "a directory"
		case info.Mode()&os.ModeNamedPipe != 0:
			what = "a pipe"
		}
		err = fmt.Errorf("%s is %s; a regular file is required, since it is read more than once", s.cfg.Path, what)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

func (s *source) Load(ctx context.Context, yield func(*attr.Device) error) error {
	f, before, err := s.open()
	if err != nil {
		return err
	}
	defer f.Close()
	s.mu.Lock()
	s.loaded, s.sum, s.rejected = before, nil, attr.Rejected{}
	s.mu.Unlock()
	if err := s.truncated(f, before); err != nil {
		return err
	}
	sum := sha256.New() // with the instructions of today's processors a twentieth of the work of a load
	bad, err := s.read(ctx, io.TeeReader(f, sum), yield)
	if err != nil {
		return err
	}
	if bad && s.unterminated(f, before) {
		return fmt.Errorf("%s: %w: the last row has no line end and is incomplete: the file is truncated", s.cfg.Path, attr.ErrHeldBack)
	}
	after, err := f.Stat()
	if err != nil {
		return err
	}
	if !same(before, after) {
		return fmt.Errorf("%s: file was modified while it was read", s.cfg.Path)
	}
	s.mu.Lock()
	s.sum = sum.Sum(nil)
	s.mu.Unlock()
	return nil
}

// read reads the file, and returns whether its last row was rejected.
func (s *source) read(ctx context.Context, f io.Reader, yield func(*attr.Device) error) (bad bool, err error) {
	in := newScanner(f, s.cfg.Comma)
	cols, err := s.header(in)
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	changed := s.names != nil && !slices.Equal(s.names, cols.names)
	s.mu.Unlock()
	if changed {
		return false, fmt.Errorf("%s: %w", s.cfg.Path, attr.ErrColumns)
	}
	d := &attr.Device{Values: make([]string, len(cols.names))}
	rows := 0
	for {
		if rows%4096 == 0 {
			if err := ctx.Err(); err != nil {
				return false, err
			}
		}
		fields, line, err := in.next()
		if err == io.EOF {
			break
		}
		rows++
		var row *badRow
		if err != nil && !errors.As(err, &row) {
			return false, err
		}
		reason := ""
		if row != nil {
			reason = row.reason
		} else {
			reason = cols.device(d, fields)
		}
		bad = reason != ""
		if reason != "" {
			s.reject(line, reason)
			continue
		}
		if err := yield(d); err != nil {
			return false, err
		}
	}
	rejected := s.Rejected()
	if err := rejected.Check(rows, s.cfg.MaxRejected); err != nil {
		return false, fmt.Errorf("%s: %w", s.cfg.Path, err)
	}
	return bad, nil
}

func (s *source) reject(line int, reason string) {
	s.mu.Lock()
	s.rejected.Add(fmt.Sprintf("line %d: %s", line, reason))
	s.mu.Unlock()
	if s.cfg.OnReject != nil {
		s.cfg.OnReject(line, reason)
	}
}
