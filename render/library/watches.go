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

// watches is a set of watches, which is replaced as a whole.
type watches struct {
	notify *fsnotify.Watcher
	dirs   map[string]bool            // that are watched for all that is in them
	links  []string                   // found in them
	closed []string                   // directories that cannot be read
	files  map[string]map[string]bool // by directory: files in it that links lead to, or are links on the way
	paths  map[inode]string           // directories have one watch each, which goes by this path
	places map[string]*binding        // targets of links, as written in the links
}

// binding is the name of a directory and the directory that it denoted when its watch was set: that may change by a symbolic link or by a
// rename.
type binding struct {
	path string
	info fs.FileInfo // nil: missing
	by   string      // the path that its watch goes by; empty: it has none
}

type inode struct{ dev, ino uint64 }

// add watches dir and all directories below it. A directory that has disappeared is not an error.
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
	// The watch is set before the directory is read: a file created in between is seen twice, not missed.
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

// linkedDir watches the directory that a link leads to like a root, if it is beneath the roots; directories elsewhere are not read. A
// directory gets one watch only.
func (w *watcher) linkedDir(link string) error {
	st, err := os.Stat(link)
	if err != nil || !st.IsDir() {
		return nil //nolint:nilerr // a dangling link, or a cycle
	}
	at, err := beneath.Real(link)
	if err != nil || !w.beneath(at) {
		return nil //nolint:nilerr // just removed
	}
	by, _ := w.pathOf(st, at)
	if w.dirs[by] {
		return nil
	}
	return w.add(by)
}

// beneath reports whether an absolute path without links is in one of the roots.
func (w *watcher) beneath(path string) bool {
	for i := range w.roots {
		root, err := beneath.Real(w.roots[i].path)
		if err == nil && (path == root || isBelow(path, root)) {
			return true
		}
	}
	return false
}

// pathOf returns the path under which a directory is watched: path, if it is not watched yet.
func (w *watches) pathOf(dir fs.FileInfo, path string) (by string, isNew bool) {
	sys, _ := dir.Sys().(*syscall.Stat_t)
	id := inode{sys.Dev, sys.Ino}
	if by = w.paths[id]; by != "" {
		return by, false
	}
	w.paths[id] = path
	return path, true
}

// maxLinks is the maximum length of a chain of links, as in path_resolution(7).
const maxLinks = 40

// follow watches a link, the file that it leads to, and the links on the way. Directories that are replaced through a link, such as ..data
// of Kubernetes, are noticed by polling.
func (w *watcher) follow(path string) {
	for range maxLinks {
		dir, name := filepath.Split(path) // not cleaned: the meaning of .. depends on the links before it
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
			return // not a link, or gone
		}
		if path = to; !filepath.IsAbs(to) {
			path = dir + to
		}
	}
}

// target watches a directory in the target of a link.
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
	if err := w.notify.Add(at); err != nil && !w.reported[at] {
		w.reported[at] = true
		w.failed(fmt.Errorf("%s: changes here of files that links lead to are not noticed: %w",
			at, limit(err, syscall.ENOSPC, "fs.inotify.max_user_watches")))
	}
	return b
}

// limit adds the name of the exceeded limit to an error of inotify.
func limit(err, of error, sysctl string) error {
	if errors.Is(err, of) {
		return fmt.Errorf("%w: the limit %s is reached, raise it", err, sysctl)
	}
	return err
}

// placesMoved reports whether a name denotes another directory than the one that is watched.
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
