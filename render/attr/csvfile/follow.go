package csvfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"dcs/render/attr"
)

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
			settle.Reset(s.cfg.Debounce)
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
