package library

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Watch calls changed after something has changed below dirs, once it has been quiet for
// debounce, but after ten times that at the latest. Temporary files of editors and names
// that begin with a dot are ignored. A directory that is missing, now or later, is waited for.
// Where a symbolic link below dirs leads to a file elsewhere, that file counts too, and so does a directory within dirs that
// only a link leads to, as one whose name begins with a dot. A directory that cannot be read is
// not watched until it can. failed is told once of each such directory, and of each with files that links lead to that
// cannot be watched.
//
// Watch returns once the watches stand: load the library after that, and no change is lost.
// It goes on until ctx ends; changed is called from one goroutine, and not again before
// it returns. The error is that of the kernel, which has a limit on watches (inotify(7)).
func Watch(ctx context.Context, dirs []string, debounce time.Duration, changed func(), failed func(error)) error {
	w := &watcher{roots: make([]binding, len(dirs)), failed: failed, told: map[string]bool{}}
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
	watches
	roots  []binding
	failed func(error)
	told   map[string]bool // directories that failed was told of
	moved  bool            // watches may be wrong: directories or links came or went
	short  bool            // some directory could not be watched
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
			if !w.moved && (w.placesMoved() || w.opened()) {
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
	if ev.Name == "" {
		return false
	}
	path := filepath.Clean(ev.Name)
	dir, name := filepath.Dir(path), filepath.Base(path)
	came, went := ev.Has(fsnotify.Create), ev.Has(fsnotify.Remove|fsnotify.Rename)
	switch {
	case w.files[dir][name]:
		w.moved = w.moved || came || went
		return true
	case w.files[path] != nil && went: // the directory itself
		w.moved = true
		return true
	case !w.dirs[path] && (!w.dirs[dir] || ignored(name)):
		return false
	}
	if came {
		st, err := os.Lstat(path)
		switch {
		case err != nil:
		case st.IsDir():
			w.moved = true
			w.short = w.add(path) != nil || w.short
			w.tellClosed()
		case st.Mode().Type() == fs.ModeSymlink:
			w.moved = true
		}
	}
	w.moved = w.moved || went && w.dirs[path]
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
	now := watches{
		notify: notify, dirs: map[string]bool{}, files: map[string]map[string]bool{}, paths: map[inode]string{}, places: map[string]*binding{},
	}
	for i := range w.roots {
		r := &w.roots[i]
		r.info, _ = os.Stat(r.path)
		if err := now.add(r.path); err != nil {
			_ = notify.Close()
			return err
		}
	}
	if w.notify != nil {
		_ = w.notify.Close()
	}
	w.watches, w.moved, w.short = now, false, false
	for i := 0; i < len(w.links); i++ { // directories behind links may have more
		w.follow(w.links[i])
		if err := w.linkedDir(w.links[i]); err != nil {
			w.short = true
		}
	}
	w.tellClosed()
	return nil
}

// tellClosed tells of each directory once that it may not be read.
func (w *watcher) tellClosed() {
	for _, dir := range w.closed {
		if !w.told[dir] {
			w.told[dir] = true
			w.failed(fmt.Errorf("%s: changes here are not noticed, as the directory cannot be read", dir))
		}
	}
}

// opened tells if a directory that could not be read can be now.
func (w *watcher) opened() bool {
	return slices.ContainsFunc(w.closed, func(dir string) bool {
		f, err := os.Open(dir)
		if err != nil {
			return errors.Is(err, fs.ErrNotExist)
		}
		defer f.Close()
		if _, err := f.Readdirnames(1); err != nil && !errors.Is(err, io.EOF) {
			return false
		}
		delete(w.told, dir)
		return true
	})
}
