package library

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"dcs/render/syntax"
)

// dirs reads all sources below the roots, then those that only symbolic links lead to.
func (l *loader) dirs() error {
	scan := &sourceScan{loader: l, walker: walker{roots: l.open}}
	for i, root := range l.roots {
		l.found[root] += 0
		scan.root = i
		err := scan.walker.walk(i, root, ".", scan.visit)
		switch {
		case err != nil && len(l.roots) == 1:
			return fmt.Errorf("library: %w", err)
		case err != nil: // the others are served
			scan.cannotRead(root, err)
		}
	}
	scan.followLinks()
	l.readAll(scan.entries)
	for _, root := range l.roots {
		if l.found[root] == 0 && len(l.roots) > 1 && !l.isUnread(root) {
			l.warn(syntax.Pos{File: root, Line: 1, Col: 1}, "no sources in this directory of the library; is it mounted?")
		}
	}
	return nil
}

// isUnread reports whether a file or a directory could not be read.
func (l *loader) isUnread(path string) bool {
	return slices.ContainsFunc(l.unread, func(e *syntax.Error) bool { return e.Pos.File == path })
}

// sourceScan is one run of loader.dirs.
type sourceScan struct {
	*loader
	walker walker
	root   int
	seen   []fs.FileInfo // directories that were read
	links  []linkedDir

	entries []*entry
	linked  bool // what is walked is behind a link
}

// cannotRead records a directory that could not be read, or not completely.
func (s *sourceScan) cannotRead(path string, err error) {
	s.entries = append(s.entries, &entry{path: path, err: err})
}

// linkedDir is a symbolic link to a directory below a root.
type linkedDir struct {
	root int
	path string
}

func (s *sourceScan) visit(path string, d fs.DirEntry, err error) error {
	root := s.roots[s.root]
	switch {
	case err != nil && path != root:
		s.cannotRead(path, err)
		return fs.SkipDir
	case err != nil:
		return err
	case path != root && strings.HasPrefix(d.Name(), "."):
		if d.IsDir() {
			return fs.SkipDir
		}
	case d.IsDir():
		info, err := d.Info()
		if err == nil {
			s.seen = append(s.seen, info)
		}
		return err
	case !isSource(path) && isSource(strings.ToLower(path)):
		s.warn(syntax.Pos{File: path, Line: 1, Col: 1}, "file ignored: the extension of a source must be in lower case")
	case d.Type()&fs.ModeSymlink != 0 && !isSource(path):
		s.link(path)
	case isSource(path):
		s.found[root]++
		s.entries = append(s.entries, &entry{path: path, source: true, regular: d.Type().IsRegular() && !s.linked})
	}
	return nil
}

// link records a symbolic link to a directory. A link that is dangling, perhaps because a directory is not mounted, or that leads out
// of the roots, is an error: sources may be missing.
func (s *sourceScan) link(path string) {
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = errDangling
	case err == nil && st.IsDir():
		s.links = append(s.links, linkedDir{s.root, path})
	}
	if err != nil {
		s.cannotRead(path, err)
	}
}

// followLinks reads the directories that links lead to, each once and unless it has been read under its own name.
func (s *sourceScan) followLinks() {
	s.linked = true
	for i := 0; i < len(s.links); i++ { // followed links may add more
		l := s.links[i]
		s.root = l.root
		name, _ := filepath.Rel(s.roots[l.root], l.path) // cannot fail: it is below the root
		_, info, _, err := s.walker.list(l.root, name)
		switch {
		case err != nil:
			s.cannotRead(l.path, err)
		case !slices.ContainsFunc(s.seen, func(a fs.FileInfo) bool { return os.SameFile(a, info) }):
			_ = s.walker.follow(l.root, l.path, name, s.visit) // not a root, so that visit has recorded the error
		}
	}
}

// isBelow reports whether a clean path is below a directory, at any depth.
func isBelow(path, dir string) bool {
	return strings.HasPrefix(path, strings.TrimSuffix(dir, string(filepath.Separator))+string(filepath.Separator))
}

// shut reports whether a path is below a directory that could not be read: whether the file exists is then unknown.
func (l *loader) shut(path string) bool {
	return slices.ContainsFunc(l.unread, func(e *syntax.Error) bool { return isBelow(path, e.Pos.File) })
}

// cannotRead records a file or a directory that could not be read, or not completely.
func (l *loader) cannotRead(path string, err error) {
	e := &syntax.Error{Pos: syntax.Pos{File: path, Line: 1, Col: 1}, Msg: unwrapPath(err).Error()}
	l.errs, l.unread = append(l.errs, e), append(l.unread, e)
}
