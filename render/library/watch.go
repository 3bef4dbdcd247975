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

	"dcs/render/beneath"
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

// watches are what is watched, until they are replaced all together.
type watches struct {
	notify *fsnotify.Watcher
	dirs   map[string]bool            // that are watched for all that is in them
	links  []string                   // found in them
	closed []string                   // directories that cannot be read
	files  map[string]map[string]bool // by directory: files in it that links lead to, or are links on the way
	paths  map[inode]string           // directories have one watch each, which goes by this path
	places map[string]*binding        // where links lead to, as they say it
}

// binding is a directory's name, and which one that was when its watch was set: the name may
// come to mean another, as a symbolic link or by a rename.
type binding struct {
	path string
	info fs.FileInfo // nil: missing
	by   string      // the path that its watch goes by; empty: it has none
}

type inode struct{ dev, ino uint64 }

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

// add watches dir and all directories below it. One that is gone meanwhile is no error.
func (w *watches) add(dir string) error {
	err := w.notify.Add(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, fs.ErrPermission):
		w.closed = append(w.closed, dir)
		return nil
	case err != nil:
		return fmt.Errorf("%s: %w", dir, limit(err, syscall.ENOSPC, "fs.inotify.max_user_watches"))
	}
	w.dirs[dir] = true
	if st, err := os.Stat(dir); err == nil {
		w.pathOf(st, dir)
	}
	// A watch stands before its directory is read: what comes between is seen twice.
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.closed = append(w.closed, dir)
		return nil
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case ignored(e.Name()):
		case e.Type() == fs.ModeSymlink:
			w.links = append(w.links, path)
		case e.IsDir():
			if err := w.add(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// linkedDir watches the directory that a link leads to beneath the roots as it would watch one of these; elsewhere none is
// read. One that is watched already has no second watch.
func (w *watcher) linkedDir(link string) error {
	st, err := os.Stat(link)
	if err != nil || !st.IsDir() {
		return nil //nolint:nilerr // it leads to nothing, or into a circle
	}
	at, err := beneath.Real(link)
	if err != nil || !w.beneath(at) {
		return nil //nolint:nilerr // it has just gone
	}
	by, _ := w.pathOf(st, at)
	if w.dirs[by] {
		return nil
	}
	return w.add(by)
}

// beneath tells whether an absolute path without links lies in one of the roots.
func (w *watcher) beneath(path string) bool {
	for i := range w.roots {
		root, err := beneath.Real(w.roots[i].path)
		if err == nil && (path == root || isBelow(path, root)) {
			return true
		}
	}
	return false
}

// pathOf returns the path that a directory's watch goes by: path, if it has none yet.
func (w *watches) pathOf(dir fs.FileInfo, path string) (by string, isNew bool) {
	sys, _ := dir.Sys().(*syscall.Stat_t)
	id := inode{sys.Dev, sys.Ino}
	if by = w.paths[id]; by != "" {
		return by, false
	}
	w.paths[id] = path
	return path, true
}

// maxLinks is how many links may lead from one to the next, as in path_resolution(7).
const maxLinks = 40

// follow watches for a link, for the file that it leads to, and for the links on the way. Where a
// directory's name means another one by a link, as ..data of Kubernetes does, poll sees that.
func (w *watcher) follow(path string) {
	for range maxLinks {
		dir, name := filepath.Split(path) // not cleaned: what .. means is up to the links before it
		if name == "" || name == "." || name == ".." {
			return // a directory
		}
		if dir == "" {
			dir = "./"
		}
		b := w.target(dir)
		if b.by == "" {
			return
		}
		if w.files[b.by] == nil {
			w.files[b.by] = map[string]bool{}
		}
		w.files[b.by][name] = true
		to, err := os.Readlink(path)
		if err != nil {
			return // no link, or gone
		}
		if path = to; !filepath.IsAbs(to) {
			path = dir + to
		}
	}
}

// target watches a directory that a link leads to.
func (w *watcher) target(dir string) *binding {
	if b := w.places[dir]; b != nil {
		return b
	}
	b := &binding{path: dir}
	w.places[dir] = b
	b.info, _ = os.Stat(dir)
	at, err := filepath.EvalSymlinks(dir)
	if b.info == nil || err != nil {
		return b // gone
	}
	var isNew bool
	if b.by, isNew = w.pathOf(b.info, at); !isNew {
		return b
	}
	if err := w.notify.Add(at); err != nil && !w.told[at] {
		w.told[at] = true
		w.failed(fmt.Errorf("%s: changes here of files that links lead to are not noticed: %w",
			at, limit(err, syscall.ENOSPC, "fs.inotify.max_user_watches")))
	}
	return b
}

// limit adds to an error of inotify what its text does not tell.
func limit(err, of error, sysctl string) error {
	if errors.Is(err, of) {
		return fmt.Errorf("%w: the limit %s is reached, raise it", err, sysctl)
	}
	return err
}

// placesMoved tells if a name means another directory than the one that is watched.
func (w *watcher) placesMoved() bool {
	for i := range w.roots {
		if w.roots[i].moved() {
			return true
		}
	}
	for _, b := range w.places {
		if b.moved() {
			return true
		}
	}
	return false
}

func (b *binding) moved() bool {
	info, _ := os.Stat(b.path)
	return (info == nil) != (b.info == nil) || info != nil && !os.SameFile(info, b.info)
}
