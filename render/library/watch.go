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

// Watch calls changed after files below dirs have changed and then stayed unchanged for debounce, but after ten times that at the
// latest. Temporary files of editors and names that start with a dot are ignored. Directories may be missing, and may come and go.
// Files elsewhere that symbolic links below dirs lead to are watched too, and so are directories within dirs that only a link leads to,
// for example because their names start with a dot. A directory that cannot be read is watched once it can be; failed is called once
// for each such directory, and for each directory of link targets that cannot be watched.
//
// Watch returns when the watches are in place: no change is missed if the library is loaded after that. Watching ends with ctx; changed
// is called from a single goroutine. The error is that of the kernel, which limits the number of watches (inotify(7)).
func Watch(ctx context.Context, dirs []string, debounce time.Duration, changed func(), failed func(error)) error {
	_, err := watch(ctx, dirs, debounce, changed, failed)
	return err
}

// watch is Watch, and returns a channel that is closed when watching has ended.
func watch(ctx context.Context, dirs []string, debounce time.Duration, changed func(), failed func(error)) (<-chan struct{}, error) {
	w := &watcher{roots: make([]binding, len(dirs)), failed: failed, reported: map[string]bool{}}
	for i, d := range dirs {
		w.roots[i].path = filepath.Clean(d)
	}
	if err := w.renew(); err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.run(ctx, debounce, changed)
	}()
	return ended, nil
}

// leastPoll is the minimum interval of looking for missing directories.
const leastPoll = 100 * time.Millisecond

// latest is the maximum delay of a change, in debounce intervals.
const latest = 10

type watcher struct {
	watches
	roots    []binding
	failed   func(error)
	reported map[string]bool // directories that failed was called for
	moved    bool            // watches may be outdated: directories or links came or went
	short    bool            // some directory could not be watched
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

// event reports whether ev is a change. A new directory is watched at once, so that writes to it delay the call of changed.
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
			w.reportClosed()
		case st.Mode().Type() == fs.ModeSymlink:
			w.moved = true
		}
	}
	w.moved = w.moved || went && w.dirs[path]
	return true
}

// ignored reports whether a file or a directory of this name does not belong to a library. Kubernetes replaces the files of a directory
// through the symbolic link ..data.
func ignored(name string) bool {
	return strings.HasPrefix(name, ".") && name != "..data" ||
		strings.HasSuffix(name, "~") ||
		strings.HasPrefix(name, "#") && strings.HasSuffix(name, "#") ||
		strings.HasSuffix(name, ".swp") || strings.HasSuffix(name, ".swx") || strings.HasSuffix(name, ".tmp") ||
		strings.HasPrefix(name, "___jb_") || name == "4913" // JetBrains; Vim tries a directory out with this one
}

// renew replaces all watches. A watch follows its directory when that is renamed, but its path does not: replacing all of them is simpler
// than repairing some.
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
	w.reportClosed()
	return nil
}

// reportClosed reports each directory that cannot be read, once.
func (w *watcher) reportClosed() {
	for _, dir := range w.closed {
		if !w.reported[dir] {
			w.reported[dir] = true
			w.failed(fmt.Errorf("%s: changes here are not noticed, as the directory cannot be read", dir))
		}
	}
}

// opened reports whether a directory that could not be read can be read now.
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
		delete(w.reported, dir)
		return true
	})
}
