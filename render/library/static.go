package library

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxCopied is the size up to which a static file is kept in memory; a larger one is mapped.
const maxCopied = 64 << 10

// A File is a file that is served as it is. Its octets stay as long as somebody holds the File.
type File struct {
	Data []byte
	path string
	id   fileID
}

// fileID tells whether a file is still the one that was read.
type fileID struct {
	dev, ino uint64
	size     int64
	modified time.Time
}

type staticFiles struct{ files map[string]*File }

// loadStatic reads the files below dirs; where two have a name, the one of the earlier
// directory counts. Files of old that have not changed since are taken over.
func loadStatic(dirs []string, old *staticFiles) (*staticFiles, error) {
	s := &staticFiles{files: map[string]*File{}}
	for _, root := range dirs {
		err := walkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if filepath.Clean(path) != filepath.Clean(root) && strings.HasPrefix(d.Name(), ".") {
				if d.IsDir() {
					return fs.SkipDir
				}
				return nil
			}
			if d.IsDir() {
				return nil
			}
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			name := filepath.ToSlash(rel)
			if s.files[name] != nil {
				return nil
			}
			st, err := os.Stat(path) // a link is followed
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil // gone, or a link to nothing
			case err != nil:
				return err
			case !st.Mode().IsRegular():
				return nil
			}
			if old != nil {
				if f := old.files[name]; f != nil && f.path == path && f.id == idOf(st) {
					s.files[name] = f
					return nil
				}
			}
			f, err := openFile(path)
			if err != nil {
				return err
			}
			s.files[name] = f
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("static: %w", err)
		}
	}
	return s, nil
}

func idOf(st fs.FileInfo) fileID {
	id := fileID{size: st.Size(), modified: st.ModTime()}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		id.dev, id.ino = sys.Dev, sys.Ino
	}
	return id
}

func openFile(path string) (*File, error) {
	h, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	st, err := h.Stat()
	if err != nil {
		return nil, err
	}
	f := &File{path: path, id: idOf(st)}
	if st.Size() <= maxCopied {
		f.Data = make([]byte, st.Size())
		n, err := h.ReadAt(f.Data, 0)
		if n < len(f.Data) {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return f, nil
	}
	f.Data, err = unix.Mmap(int(h.Fd()), 0, int(st.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("%s: mmap: %w", path, err)
	}
	runtime.AddCleanup(f, func(m []byte) {
		_ = unix.Munmap(m) // the mapping is ours and whole: it cannot fail
	}, f.Data)
	return f, nil
}
