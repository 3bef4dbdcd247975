package library

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/fsnotify/fsnotify"

	"dcs/render/beneath"
)

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
