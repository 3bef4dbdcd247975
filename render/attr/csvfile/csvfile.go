// Package csvfile is a source of devices that is a file of comma-separated values.
package csvfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"dcs/render/attr"
	"dcs/render/device"
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
	Settle   time.Duration // how long the file must have stayed as it is before a change counts; 0: 250 ms
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
	if cfg.Settle == 0 {
		cfg.Settle = 250 * time.Millisecond
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

// columns says what the file's columns are.
type columns struct {
	mac, ip int      // -1: there is none
	attr    []int    // by column: the attribute's index, -1 for mac and ip
	names   []string // of attributes
}

// header reads the first line.
func (s *source) header(in *scanner) (columns, error) {
	c := columns{mac: -1, ip: -1}
	fields, line, err := in.next()
	fail := func(format string, args ...any) (columns, error) {
		return columns{}, fmt.Errorf("%s:%d: "+format, append([]any{s.cfg.Path, line}, args...)...)
	}
	var bad *badRow
	switch {
	case err == io.EOF:
		return fail("the file is empty: its first line must name the columns, mac or ip or both among them")
	case errors.As(err, &bad):
		return fail("%s", bad.reason)
	case err != nil:
		return columns{}, err
	}
	seen := make(map[string]bool)
	for i, f := range fields {
		if i == 0 {
			f = strings.TrimPrefix(f, "\ufeff")
		}
		f = strings.TrimSpace(f)
		if low := strings.ToLower(f); low == "mac" || low == "ip" {
			f = low
		}
		switch {
		case strings.Contains(f, "\r"):
			return fail(bareCR)
		case f == "":
			return fail("column %d has no name", i+1)
		case seen[f]:
			return fail("two columns are called %s", f)
		}
		seen[f] = true
		at := -1
		switch f {
		case "mac":
			c.mac = i
		case "ip":
			c.ip = i
		default:
			at = len(c.names)
			c.names = append(c.names, f)
		}
		c.attr = append(c.attr, at)
	}
	if c.mac < 0 && c.ip < 0 {
		return fail("no column is called mac or ip: the first line must name the columns, separated by %q", s.cfg.Comma)
	}
	return c, nil
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
		return fmt.Errorf("%s: %w: the last row has no line end and is not a whole row: the file is half written", s.cfg.Path, attr.ErrHeld)
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

// device makes a device of a row's fields, or says why it is none.
func (c *columns) device(d *attr.Device, fields []string) (reason string) {
	if len(fields) != len(c.attr) {
		return fmt.Sprintf("%d fields, where the first line names %d columns", len(fields), len(c.attr))
	}
	d.MAC, d.HasMAC, d.IP = [6]byte{}, false, netip.Addr{}
	if c.mac >= 0 {
		if text := strings.TrimSpace(fields[c.mac]); text != "" {
			mac, err := device.ParseMAC(text)
			if err != nil {
				return fmt.Sprintf("%.40q is %v", text, err)
			}
			d.MAC, d.HasMAC = mac, true
		}
	}
	if c.ip >= 0 {
		if text := strings.TrimSpace(fields[c.ip]); text != "" {
			ip, err := netip.ParseAddr(text)
			if err != nil || ip.Zone() != "" {
				return fmt.Sprintf("%.60q is not an IP address", text)
			}
			d.IP = ip.Unmap()
		}
	}
	if !d.HasMAC && !d.IP.IsValid() {
		return "neither a MAC nor an IP address"
	}
	for i, at := range c.attr {
		if at >= 0 {
			d.Values[at] = fields[i]
		}
	}
	return ""
}

// same tells whether a file is the same and was not written to.
func same(a, b os.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// Follow calls apply with nil when the file is another than the one that was loaded and has
// settled. Directories are watched, since files are often replaced rather than written to.
func (s *source) Follow(ctx context.Context, apply func([]attr.Change) error) error {
	w, err := fsnotify.NewWatcher()
	var events chan fsnotify.Event
	var errs chan error
	poll := s.cfg.Poll
	if err == nil {
		defer w.Close()
		err = watch(w, s.cfg.Path)
		events, errs = w.Events, w.Errors
	}
	if err != nil { // the kernel has no watch left to give
		poll = min(poll, time.Second)
	}
	tick := time.NewTicker(poll)
	defer tick.Stop()
	settle := time.NewTimer(0) // it may have changed since it was loaded
	defer settle.Stop()
	settling := true
	var last os.FileInfo // as it was when settle began to run
	var half os.FileInfo // as it was found half written
	for {
		event := false
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-events:
			event = true // of this file, or of any other in the directories
		case _, open := <-errs: // events were lost
			if !open {
				errs = nil
			}
		case <-tick.C:
		case <-settle.C:
			settling = false
		}
		now, err := os.Stat(s.cfg.Path)
		if (err != nil || !same(now, last) || !event) && w != nil {
			_ = watch(w, s.cfg.Path) // a link may lead elsewhere now; what cannot be watched is polled
		}
		if err != nil {
			continue // it is being replaced
		}
		s.mu.Lock()
		known := same(now, s.loaded)
		s.mu.Unlock()
		switch {
		case known:
			last = nil
			continue
		case !same(now, last):
			last = now
			settling = true
			settle.Reset(s.cfg.Settle)
			continue
		case event || settling:
			continue
		case !same(now, half) && s.halfNow():
			half = now // whoever writes it has until then to write the rest
			settling = true
			settle.Reset(s.cfg.Poll)
			continue
		}
		if err := apply(nil); err != nil {
			return err
		}
	}
}

// watch watches the directories of path: where the file is, and where each link is that leads to it.
func watch(w *fsnotify.Watcher, path string) error {
	dirs, err := directories(path)
	for _, dir := range dirs {
		err = errors.Join(err, w.Add(dir)) // one that is watched already stays so
	}
	for _, dir := range w.WatchList() {
		if !slices.Contains(dirs, dir) {
			_ = w.Remove(dir) // or it has gone by itself
		}
	}
	return err
}

// directories returns the directory of a file, free of links, and those that hold the links on the way to it.
func directories(path string) ([]string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	var dirs []string
	at, rest := "/", strings.Split(path, "/")
	for links := 0; len(rest) > 0; {
		next := filepath.Join(at, rest[0])
		rest = rest[1:]
		target, err := os.Readlink(next)
		if err != nil { // it is no link, or nothing yet
			if len(rest) == 0 {
				dirs = append(dirs, at)
			}
			at = next
			continue
		}
		if links++; links > 40 { // as Linux has it
			return dirs, fmt.Errorf("%s: %w", path, syscall.ELOOP)
		}
		dirs = append(dirs, at)
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return dirs, nil
}
