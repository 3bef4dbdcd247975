package library

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"dcs/render/beneath"
)

// maxLinkedDirs is the maximum number of directories behind symbolic links in one load: nested links multiply.
const maxLinkedDirs = 10_000

var (
	errLoop       = errors.New("the symbolic link leads to a directory that contains it")
	errLinkedDirs = fmt.Errorf("more than %d directories behind symbolic links", maxLinkedDirs)
)

// walker lists the directories of a configuration as filepath.WalkDir does, each opened beneath its root.
type walker struct {
	roots  *beneath.Roots
	above  []fs.FileInfo // the directories that lead to the one that is listed
	linked int           // directories behind links
}

// walk lists a directory of root, which may be a symbolic link, and what is below it. Links in it are not followed; visit
// may call walk for them. The errors that visit returns are those of [fs.WalkDirFunc], but for [fs.SkipAll].
func (w *walker) walk(root int, path, name string, visit fs.WalkDirFunc) error {
	dir, info, entries, err := w.list(root, name)
	if dir == nil {
		return skipped(visit(path, nil, err))
	}
	if slices.ContainsFunc(w.above, func(a fs.FileInfo) bool { return os.SameFile(a, info) }) {
		return skipped(visit(path, nil, errLoop))
	}
	w.above = append(w.above, info)
	defer func() { w.above = w.above[:len(w.above)-1] }()
	if failed := visit(path, dir, nil); failed != nil {
		return skipped(failed)
	}
	if err != nil {
		return skipped(visit(path, dir, err))
	}
	for _, e := range entries {
		below, at := filepath.Join(name, e.Name()), filepath.Join(path, e.Name())
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			err = w.walk(root, at, below, visit)
		} else {
			err = skipped(visit(at, e, nil))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func skipped(err error) error {
	if errors.Is(err, fs.SkipDir) {
		return nil
	}
	return err
}

// list reads a directory; dir is nil if it cannot be opened.
func (w *walker) list(root int, name string) (dir fs.DirEntry, info fs.FileInfo, entries []fs.DirEntry, err error) {
	f, err := w.roots.OpenDir(root, name)
	if err != nil {
		return nil, nil, nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, nil, nil, err
	}
	entries, err = f.ReadDir(-1)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return fs.FileInfoToDirEntry(info), info, entries, err
}

// follow walks the directory that a symbolic link leads to.
func (w *walker) follow(root int, path, name string, visit fs.WalkDirFunc) error {
	if w.linked++; w.linked > maxLinkedDirs {
		return skipped(visit(path, nil, errLinkedDirs))
	}
	return w.walk(root, path, name, visit)
}
