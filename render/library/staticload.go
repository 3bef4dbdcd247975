package library

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"dcs/render/beneath"
	"dcs/render/naming"
)

// loadStatic reads the files below cfg.Static; of two files with the same name, that of the earlier directory is served. Files of old
// that have not changed are reused.
//
// A file that cannot be read keeps its name, which is answered with a fault. Of a directory that cannot be read, the files of old are
// kept; if old did not have the directory either, all names below it that no earlier directory has are answered with a fault.
func loadStatic(cfg Config, names *naming.Rules, old *staticFiles) *staticFiles {
	l := &staticLoader{
		staticFiles: &staticFiles{cfg: cfg, names: names, files: map[string]placed{}, dirs: map[string]bool{}, found: map[string]int{}},
		old:         old, shut: map[string]shutDir{},
		walker: walker{roots: beneath.Open(cfg.Static)},
	}
	defer l.walker.roots.Close()
	if l.old == nil {
		l.old = &staticFiles{}
	}
	for l.root, l.dir = range cfg.Static {
		l.dir = filepath.Clean(l.dir)
		l.found[l.dir] += 0
		_ = l.walker.walk(l.root, l.dir, ".", l.visit) // visit returns nothing but SkipDir
		if _, shut := l.shut[l.dir]; shut {
			l.found[l.dir] = l.old.found[l.dir]
		}
	}
	l.retain()
	for _, f := range l.files {
		if f.fault == nil {
			l.served++
		}
	}
	return l.staticFiles
}

// staticLoader is the state of loadStatic.
type staticLoader struct {
	*staticFiles
	old    *staticFiles
	walker walker
	root   int
	dir    string             // Config.Static[root]
	shut   map[string]shutDir // directories whose files in old are kept, by path
}

// shutDir is a directory that cannot be read any more.
type shutDir struct {
	root int
	dir  string
}

func (l *staticLoader) visit(path string, d fs.DirEntry, err error) error {
	switch {
	case err != nil:
		if path == l.dir || !errors.Is(err, fs.ErrNotExist) { // otherwise it has just been removed
			l.unreadableDir(path, err)
		}
		return fs.SkipDir
	case path != l.dir && strings.HasPrefix(d.Name(), "."):
		if d.IsDir() {
			return fs.SkipDir
		}
	case d.IsDir():
		l.dirs[path] = true
	default:
		link := d.Type()&fs.ModeSymlink != 0
		if link && l.linkedDir(path) {
			return nil
		}
		l.found[l.dir]++
		l.file(path, link)
	}
	return nil
}

// linkedDir follows a symbolic link to a directory, and reports whether it is one. A dangling link, perhaps to a directory that is not
// mounted, may hide files.
func (l *staticLoader) linkedDir(path string) bool {
	st, err := os.Stat(path)
	switch {
	case err == nil && st.IsDir():
		_ = l.walker.follow(l.root, path, staticName(l.dir, path), l.visit) // as in loadStatic
		return true
	case err != nil && l.old.dirs[path]: // it was one
		l.unreadableDir(path, err)
		return true
	case errors.Is(err, fs.ErrNotExist) && isLink(path):
		l.gaps = append(l.gaps, gap{l.root, l.names.Fold(staticName(l.dir, path)) + "/", unreadable(path, "this may be a directory", errDangling)})
	}
	return false
}

// staticName returns the name that the file at path, below dir, is served under.
func staticName(dir, path string) string {
	return filepath.ToSlash(strings.TrimPrefix(strings.TrimPrefix(path, dir), string(filepath.Separator)))
}

// unreadableDir retains the files of a directory that was read before, or records that they are unknown.
func (l *staticLoader) unreadableDir(path string, err error) {
	delete(l.dirs, path)
	known := l.old.dirs[path]
	l.unread = append(l.unread, Unreadable{path, unwrapPath(err), known})
	if known {
		l.shut[path] = shutDir{l.root, l.dir}
		return
	}
	prefix := l.names.Fold(staticName(l.dir, path))
	if prefix != "" {
		prefix += "/"
	}
	l.gaps = append(l.gaps, gap{l.root, prefix, unreadable(path, "the directory cannot be read, so its files are unknown", err)})
}

// retain takes over the files of old that are below directories that cannot be read now.
func (l *staticLoader) retain() {
	if len(l.shut) == 0 {
		return
	}
	above := func(path string) (shutDir, bool) {
		for {
			if s, ok := l.shut[path]; ok {
				return s, true
			}
			up := filepath.Dir(path)
			if up == path {
				return shutDir{}, false
			}
			path = up
		}
	}
	for path := range l.old.dirs {
		if _, ok := above(path); ok {
			l.dirs[path] = true
		}
	}
	for n, f := range l.old.files {
		s, ok := above(f.path)
		if !ok || n != l.names.Fold(staticName(s.dir, f.path)) {
			continue
		}
		if other := l.files[n]; other.File == nil || other.root > s.root {
			l.files[n] = placed{f.File, s.root}
		}
	}
	for _, g := range l.old.gaps {
		if s, ok := above(g.fault.Pos.File); ok {
			l.gaps = append(l.gaps, gap{s.root, g.prefix, g.fault})
		}
	}
}

// file adds the file at path, unless an earlier directory has one of that name; link: path is a symbolic link.
func (l *staticLoader) file(path string, link bool) {
	own := staticName(l.dir, path)
	n := l.names.Fold(own)
	if other := l.files[n]; other.File != nil {
		if other.root == l.root && other.path != path {
			l.twins = append(l.twins, twins{n, other.path, path})
		}
		return
	}
	before := l.old.files[n].File
	resign := slices.Contains(l.cfg.Resign, l.cfg.Static[l.root])
	if before != nil && (before.path != path || before.fault != nil || before.resign != resign) {
		before = nil
	}
	f, err := l.open(path, own, link, before)
	if err == nil && resign && f != nil && f != before {
		f.resign = true
		err = f.takeOver()
		if err != nil {
			f = nil
		}
	}
	switch {
	case err != nil && f != nil:
		l.unread = append(l.unread, Unreadable{path, unwrapPath(err), true})
	case err != nil:
		f = &File{path: path, fault: unreadable(path, "the file cannot be read", err)}
		l.unread = append(l.unread, Unreadable{path, unwrapPath(err), false})
	case f == nil:
		return
	}
	l.files[n] = placed{f, l.root}
}

// open returns the file at path: before, if it has not changed. A file together with an error is before, if it is not known whether it
// has changed. Neither a file nor an error: the file is gone.
func (l *staticLoader) open(path, name string, link bool, before *File) (*File, error) {
	st, err := os.Stat(path) // a link is followed
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, gone := os.Lstat(path); gone != nil {
			return nil, nil
		}
		return nil, errDangling
	case errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ENAMETOOLONG):
		return nil, err // not a file
	case err != nil:
		return before, err
	case before != nil && !link && before.id == idOf(st): // it was opened beneath the roots
		return before, nil
	case !st.Mode().IsRegular(): // not opened: opening a device can have effects
		return nil, notRegular(st)
	}
	f, err := read(path, func() (*os.File, error) { return l.walker.roots.OpenFile(l.root, name) })
	if err == nil && before != nil && before.id == f.id {
		return before, nil
	}
	return f, err
}
