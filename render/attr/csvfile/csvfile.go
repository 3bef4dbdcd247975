// Package csvfile is a source of devices that is a file of comma-separated values.
package csvfile

import (
	"context"
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

// Config says where the file is and how it is written.
//
// Its first line names the columns, in any order: mac, ip, in capitals or not, or at least one
// of them; the others are attributes. What follows is RFC 4180, with lines that end in CR LF
// or LF; a byte order mark before it all and empty lines do not matter. A row that has not
// as many fields as there are columns, or no MAC or IP address, or one that is malformed, is left out.
type Config struct {
	Path  string
	Name  string // for logs; "": csv and the path
	Comma byte   // between fields; 0: a comma
	// MaxRejected is how many rows may be left out of a file that is to be believed: the limit of
	// [attr.Rejected.Check].
	MaxRejected int
	// OnReject is told of each row that is left out, by its line, from 1. It may be nil.
	OnReject func(line int, reason string)
	Debounce time.Duration // how long the file must have stayed as it is before a change counts; 0: 250 ms
	Poll     time.Duration // how often it is looked at where the kernel does not tell of changes, on a network's file system; 0: 10 s
}

type source struct {
	cfg Config

	mu       sync.Mutex
	names    []string // that Open has returned; nil: it was not called
	loaded   os.FileInfo
	rejected attr.Rejected
	before   int64 // octets of the file that is served; 0: not known, or it does not matter
}

// New returns a source. Nothing is read before Open. It is an attr.Rejecter and an attr.Marker too.
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
	if err := s.half(f, info); err != nil {
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

// open opens the file, if it is one: a pipe would have us wait for a writer, without O_NONBLOCK as soon as it is opened.
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
		err = fmt.Errorf("%s is %s, and should be a regular file: it is read more than once", s.cfg.Path, what)
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
	s.loaded, s.rejected = before, attr.Rejected{}
	s.mu.Unlock()
	if err := s.half(f, before); err != nil {
		return err
	}
	bad, err := s.read(ctx, f, yield)
	if err != nil {
		return err
	}
	if bad && s.cut(f, before) {
		return fmt.Errorf("%s: %w: the last row has no line end and is not a whole row: the file is half written", s.cfg.Path, attr.ErrHeldBack)
	}
	after, err := f.Stat()
	if err != nil {
		return err
	}
	if !same(before, after) {
		return fmt.Errorf("%s: it was written to while it was read", s.cfg.Path)
	}
	return nil
}

// read reads the file. bad says that its last row is none.
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
