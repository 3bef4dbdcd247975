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

// same reports whether a and b are the same file, not modified in between.
func same(a, b os.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// Follow calls apply with nil when the file differs from the one that was loaded and has not changed for Config.Debounce. It
// watches directories, since files are often replaced rather than written to.
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
	if err != nil { // no inotify watches left
		poll = min(poll, time.Second)
	}
	tick := time.NewTicker(poll)
	defer tick.Stop()
	debounce := time.NewTimer(0) // the file may have changed since it was loaded
	defer debounce.Stop()
	changing := true
	var last os.FileInfo      // when debounce was started
	var truncated os.FileInfo // when the file was last found truncated
	for {
		event := false
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-events:
			event = true // about this file, or any other in the directories
		case _, open := <-errs: // events were lost
			if !open {
				errs = nil
			}
		case <-tick.C:
		case <-debounce.C:
			changing = false
		}
		now, err := os.Stat(s.cfg.Path)
		if (err != nil || !same(now, last) || !event) && w != nil {
			_ = watch(w, s.cfg.Path) // a link may have changed; what cannot be watched is polled
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
			changing = true
			debounce.Reset(s.cfg.Debounce)
			continue
		case event || changing:
			continue
		case !same(now, truncated) && s.truncatedNow():
			truncated = now // its writer has until the next poll to complete it
			changing = true
			debounce.Reset(s.cfg.Poll)
			continue
		}
		if err := apply(nil); err != nil {
			return err
		}
	}
}

// watch watches the directory of the file, and those of all symbolic links on the way to it.
func watch(w *fsnotify.Watcher, path string) error {
	dirs, err := directories(path)
	for _, dir := range dirs {
		err = errors.Join(err, w.Add(dir)) // no effect if it is watched already
	}
	for _, dir := range w.WatchList() {
		if !slices.Contains(dirs, dir) {
			_ = w.Remove(dir) // fails if the directory is gone
		}
	}
	return err
}

// directories returns the directory of a file, with symbolic links resolved, and those of the links on the way to it.
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
		if err != nil { // not a link, or it does not exist
			if len(rest) == 0 {
				dirs = append(dirs, at)
			}
			at = next
			continue
		}
		if links++; links > 40 { // the limit of Linux
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
