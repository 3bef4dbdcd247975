package library

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Watch calls changed after something has changed below dirs, once it has been quiet for
// debounce, but after ten times that at the latest. Temporary files of editors and names
// that begin with a dot are ignored. A directory that is missing, now or later, is waited for.
//
// Watch returns once the watches stand: load the library after that, and no change is lost.
// It goes on until ctx ends; changed is called from one goroutine, and not again before
// it returns. The error is that of the kernel, which has a limit on watches (inotify(7)).
func Watch(ctx context.Context, dirs []string, debounce time.Duration, changed func()) error {
	w := &watcher{roots: make([]root, len(dirs))}
	for i, d := range dirs {
		w.roots[i].path = filepath.Clean(d)
	}
	if err := w.renew(); err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	go w.run(ctx, debounce, changed)
	return nil
}

// leastPoll is how often a missing directory is looked for, at most.
const leastPoll = 100 * time.Millisecond

// latest is how many times the debounce a change waits for quiet.
const latest = 10

type watcher struct {
	notify *fsnotify.Watcher
	roots  []root
	dirs   map[string]bool // that are watched
	moved  bool            // watches may be wrong: directories came or went
	short  bool            // some directory could not be watched
}

// root is a directory that Watch was given, and which one that was when its watch was set:
// its name may come to mean another, as a symbolic link or by a rename.
type root struct {
	path string
	info fs.FileInfo // nil: missing
}

func (w *watcher) run(ctx context.Context, debounce time.Duration, changed func()) {
	quiet, late := time.NewTimer(debounce), time.NewTimer(debounce)
	quiet.Stop()
	late.Stop()
	poll := time.NewTicker(max(debounce, leastPoll))
	defer func() {
		quiet.Stop()
		late.Stop()
		poll.Stop()
		_ = w.notify.Close()
	}()
	waiting := false
	wait := func() {
		quiet.Reset(debounce)
		if !waiting {
			waiting = true
			late.Reset(latest * debounce)
		}
	}
	fire := func() {
		waiting = false
		quiet.Stop()
		late.Stop()
		if ctx.Err() != nil {
			return
		}
		if w.moved && w.renew() != nil {
			w.short = true // the old watches are better than none; poll tries again
		}
		changed()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case ev := <-w.notify.Events:
			if w.event(ev) {
				wait()
			}
		case err := <-w.notify.Errors:
			// Events were lost, or the kernel failed to read some: anything may have changed.
			if err != nil {
				w.moved = true
				wait()
			}
		case <-poll.C:
			if w.rootsMoved() {
				w.moved = true
				wait()
			} else if w.short && w.renew() == nil {
				wait()
			}
		case <-quiet.C:
			fire()
		case <-late.C:
			fire()
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// event tells if ev is a change. A new directory is watched at once, so that what is
// written to it keeps changed waiting.
func (w *watcher) event(ev fsnotify.Event) bool {
	if ev.Name == "" || !w.dirs[ev.Name] && ignored(filepath.Base(ev.Name)) {
		return false
	}
	switch {
	case ev.Has(fsnotify.Create):
		if st, err := os.Lstat(ev.Name); err == nil && st.IsDir() {
			w.moved = true
			w.short = w.add(w.notify, w.dirs, ev.Name) != nil || w.short
		}
	case ev.Has(fsnotify.Remove | fsnotify.Rename):
		w.moved = w.moved || w.dirs[ev.Name]
	}
	return true
}

// ignored tells if a file or a directory of this name is none of a library's. Kubernetes
// swaps a directory's files by the symbolic link ..data.
func ignored(name string) bool {
	return strings.HasPrefix(name, ".") && name != "..data" ||
		strings.HasSuffix(name, "~") ||
		strings.HasPrefix(name, "#") && strings.HasSuffix(name, "#") ||
		strings.HasSuffix(name, ".swp") || strings.HasSuffix(name, ".swx") || strings.HasSuffix(name, ".tmp") ||
		strings.HasPrefix(name, "___jb_") || name == "4913" // JetBrains; Vim tries a directory out with this one
}

// renew watches everything anew. Watches follow directories where they are renamed to, and
// their paths with them: rather than mend that, all are replaced.
func (w *watcher) renew() error {
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return limit(err, syscall.EMFILE, "fs.inotify.max_user_instances")
	}
	dirs := map[string]bool{}
	for i := range w.roots {
		r := &w.roots[i]
		r.info, _ = os.Stat(r.path)
		if err := w.add(notify, dirs, r.path); err != nil {
			_ = notify.Close()
			return err
		}
	}
	if w.notify != nil {
		_ = w.notify.Close()
	}
	w.notify, w.dirs, w.moved, w.short = notify, dirs, false, false
	return nil
}

// add watches dir and all directories below it. One that is gone meanwhile is no error.
func (w *watcher) add(notify *fsnotify.Watcher, dirs map[string]bool, dir string) error {
	err := notify.Add(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", dir, limit(err, syscall.ENOSPC, "fs.inotify.max_user_watches"))
	}
	dirs[dir] = true
	// A watch stands before its directory is read: what comes between is seen twice.
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() || ignored(e.Name()) {
			continue
		}
		if err := w.add(notify, dirs, filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// limit adds to an error of inotify what its text does not tell.
func limit(err, of error, sysctl string) error {
	if errors.Is(err, of) {
		return fmt.Errorf("%w: the limit %s is reached, raise it", err, sysctl)
	}
	return err
}

// rootsMoved tells if a root is another directory than the one that is watched.
func (w *watcher) rootsMoved() bool {
	for _, r := range w.roots {
		info, _ := os.Stat(r.path)
		if (info == nil) != (r.info == nil) || info != nil && !os.SameFile(info, r.info) {
			return true
		}
	}
	return false
}
