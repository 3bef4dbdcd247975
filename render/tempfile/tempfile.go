// Package tempfile replaces files: a new one is written beside the old one, and takes its place whole.
package tempfile

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// suffix ends the names of temporary files, which begin with a dot and the name of the file they become.
const suffix = ".dcs-tmp"

const (
	maxStem  = 200  // octets of the file's name in that of a temporary one, which has at most 255
	maxNames = 1024 // of a directory are looked at by Create: it may be one of 100,000 files that are written in turn
	tries    = 100
)

// File is a file that is written beside the one whose place it takes. It is locked for as long as its writer lives, where there
// are locks.
type File struct {
	*os.File
	path string
	done bool
}

// Create creates a file, with permissions perm before umask, that will replace the one at path. Its name is random, and what
// has that name already is neither opened nor followed. What writers of that file that were killed have left is removed, but
// from a large directory by [RemoveStale] only. Where the file system has no locks, nothing that was left can be told from what
// is being written: it stays.
func Create(path string, perm fs.FileMode) (*File, error) {
	prefix := filepath.Join(filepath.Dir(path), "."+stem(path)+".")
	for range tries {
		name := prefix + rand.Text() + suffix
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, perm)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		switch err := lock(f); {
		case err == nil && linked(f):
			removeLeft(prefix)
			return &File{File: f, path: path}, nil
		case errors.Is(err, errNoLocks):
			return &File{File: f, path: path}, nil
		case err != nil && !errors.Is(err, errLocked):
			os.Remove(name)
			f.Close()
			return nil, &fs.PathError{Op: "flock", Path: name, Err: err}
		}
		f.Close() // another has just taken it for one that was left, and removed it
	}
	return nil, fmt.Errorf("%s: temporary files beside it: all names are taken", path)
}

// stem returns as much of a file's name as has room in that of a temporary one.
func stem(path string) string {
	name := filepath.Base(path)
	return name[:min(len(name), maxStem)]
}

// removeLeft removes files that nobody writes any more and whose paths begin with prefix. It helps where it can.
func removeLeft(prefix string) {
	d, err := os.Open(filepath.Dir(prefix))
	if err != nil {
		return
	}
	defer d.Close()
	names, _ := d.Readdirnames(maxNames)
	for _, name := range names {
		if strings.HasPrefix(name, filepath.Base(prefix)) && strings.HasSuffix(name, suffix) {
			_ = removeUnlocked(filepath.Join(filepath.Dir(prefix), name))
		}
	}
}

// Commit syncs the file and gives it its name. On an error it is removed, and the former stays.
func (t *File) Commit() error {
	defer t.Abort()
	if err := t.Sync(); err != nil {
		return err
	}
	if err := t.Replace(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(t.path))
}

// Replace gives the file its name as Commit does, without waiting for the disk: after a power cut there may be either file.
func (t *File) Replace() error {
	defer t.Abort()
	if err := os.Rename(t.Name(), t.path); err != nil { // before it is unlocked
		return err
	}
	t.done = true
	return t.Close()
}

// Abort removes the file. After Commit it does nothing.
func (t *File) Abort() {
	if t.done {
		return
	}
	t.done = true
	os.Remove(t.Name()) // before it is unlocked
	t.Close()
}

// RemoveStale removes what writers that were killed have left in dir. Files of those that live stay.
func RemoveStale(dir string) error {
	found, err := os.ReadDir(dir)
	for _, f := range found {
		if strings.HasPrefix(f.Name(), ".") && strings.HasSuffix(f.Name(), suffix) {
			err = errors.Join(err, removeUnlocked(filepath.Join(dir, f.Name())))
		}
	}
	return err
}

// removeUnlocked removes a file that nobody has locked.
func removeUnlocked(name string) error {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err == nil {
		defer f.Close()
		switch err = lock(f); {
		case errors.Is(err, errLocked), errors.Is(err, errNoLocks):
			return nil // it is written, or may be
		case err != nil:
			return &fs.PathError{Op: "flock", Path: name, Err: err}
		case !linked(f):
			return nil // it was removed by another, and the name may be a living writer's by now
		}
		err = os.Remove(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

var (
	errLocked  = errors.New("another has locked it")
	errNoLocks = errors.New("there are no locks")
)

var flock = unix.Flock // tests replace it

// lock locks a file. Another error than errLocked and errNoLocks is the kernel's.
func lock(f *os.File) error {
	for {
		switch err := flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err {
		case unix.EINTR:
		case unix.EWOULDBLOCK:
			return errLocked
		case unix.ENOLCK, unix.EOPNOTSUPP, unix.ENOSYS: // as on NFS without its lock service
			return errNoLocks
		default:
			return err
		}
	}
}

// linked tells whether a file has a name.
func linked(f *os.File) bool {
	var st unix.Stat_t
	return unix.Fstat(int(f.Fd()), &st) == nil && st.Nlink > 0
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
