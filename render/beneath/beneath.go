// Package beneath opens files beneath given directories and nowhere else. A symbolic link is followed only if its
// target is beneath one of the directories, whatever others rename or link at the same time.
package beneath

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// ErrOutside is returned for a path that leads out of the directories.
var ErrOutside = errors.New("the symbolic link leads out of the configured directories; configure its target's directory as well, or put a copy here")

// openFlags opens a file without blocking and without side effects, even if it has become a named pipe or a terminal.
const openFlags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC

// Roots holds directories in the order in which they were given.
type Roots struct{ dirs []root }

type root struct {
	path string
	real string   // symbolic links resolved
	top  *os.Root // nil: see err
	dir  *os.File // the same directory
	err  error
}

// Open opens directories, which may be symbolic links. An error is returned by the calls that use the directory.
func Open(paths []string) *Roots {
	r := &Roots{dirs: make([]root, len(paths))}
	for i, path := range paths {
		r.dirs[i] = openRoot(filepath.Clean(path))
	}
	return r
}

func openRoot(path string) root {
	d := root{path: path}
	if d.top, d.err = os.OpenRoot(path); d.err != nil {
		return d
	}
	d.dir, d.err = d.top.Open(".")
	if d.err == nil {
		d.real, d.err = Real(path)
	}
	return d
}

// Real returns the absolute path of path with symbolic links resolved.
func Real(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	return filepath.Abs(real)
}

// Close closes the directories, but not the files opened beneath them.
func (r *Roots) Close() {
	for _, d := range r.dirs {
		if d.dir != nil {
			_ = d.dir.Close() // only read from
		}
		if d.top != nil {
			_ = d.top.Close()
		}
	}
}

// Find returns the directory that contains a clean path by name, and the rest of the path, "." for the directory
// itself.
func (r *Roots) Find(path string) (dir int, name string, found bool) {
	for i, d := range r.dirs {
		if name, ok := below(path, d.path); ok {
			return i, name, true
		}
	}
	return 0, "", false
}

// below returns the rest of a clean path after a directory.
func below(path, dir string) (rest string, ok bool) {
	switch {
	case path == dir:
		return ".", true
	case dir == ".":
		return path, filepath.IsLocal(path)
	}
	return strings.CutPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// OpenFile opens a file of a directory for reading; name is relative. Reading a named pipe does not block. Errors are
// of type [*fs.PathError], and wrap [ErrOutside] if the file is outside.
func (r *Roots) OpenFile(dir int, name string) (*os.File, error) { return r.open(dir, name, 0) }

// OpenDir opens a directory beneath one of the directories.
func (r *Roots) OpenDir(dir int, name string) (*os.File, error) {
	return r.open(dir, name, unix.O_DIRECTORY)
}

func (r *Roots) open(dir int, name string, flags int) (*os.File, error) {
	d := &r.dirs[dir]
	if d.err != nil {
		return nil, d.err
	}
	path := filepath.Join(d.path, name)
	f, err := d.open(name, path, flags, 0)
	if errors.Is(err, ErrOutside) {
		f, err = r.elsewhere(path, flags)
	}
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return f, nil
}

// elsewhere opens the target of a link that is absolute or leads from one directory to another. If the resolved path
// is beneath a directory, it is opened there without following further links.
func (r *Roots) elsewhere(path string, flags int) (*os.File, error) {
	real, err := Real(path)
	if err != nil {
		return nil, err
	}
	for i := range r.dirs {
		d := &r.dirs[i]
		if name, ok := below(real, d.real); ok && d.err == nil {
			return d.open(name, path, flags, unix.RESOLVE_NO_SYMLINKS)
		}
	}
	return nil, ErrOutside
}

// withoutOpenat2 is set once openat2(2) has failed with ENOSYS (Linux before 5.6, or a system call filter).
var withoutOpenat2 atomic.Bool

// tries is the number of attempts at openat2 if concurrent renames disturb it.
const tries = 100

func (d *root) open(name, path string, flags int, resolve uint64) (*os.File, error) {
	how := unix.OpenHow{Flags: uint64(openFlags | flags), Resolve: resolve | unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS}
	for range tries {
		if withoutOpenat2.Load() {
			break
		}
		fd, err := unix.Openat2(int(d.dir.Fd()), name, &how)
		switch err {
		case nil:
			return os.NewFile(uintptr(fd), path), nil
		case unix.EAGAIN, unix.EINTR:
			continue
		case unix.EXDEV:
			return nil, ErrOutside
		case unix.ENOSYS:
			withoutOpenat2.Store(true)
		case unix.EPERM: // old filters return it in place of ENOSYS
		default:
			return nil, err
		}
		break
	}
	return d.walk(name, flags)
}

// walk opens a file component by component with O_NOFOLLOW. Unlike openat2, it follows only a limited chain of links.
func (d *root) walk(name string, flags int) (*os.File, error) {
	f, err := d.top.OpenFile(name, openFlags|flags, 0)
	if err != nil && strings.HasSuffix(err.Error(), "path escapes from parent") { // not exported by package os
		err = ErrOutside
	}
	return f, err
}
