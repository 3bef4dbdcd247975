// Package tempfile replaces files atomically: a new file is written beside the old one and renamed over it.
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

// suffix is the end of temporary files' names, which begin with a dot and the name of the file to replace.
const suffix = ".dcs-tmp"

const (
	maxStem  = 200  // octets of the file's name in the temporary name, which has at most 255
	maxNames = 1024 // read by Create: the directory may have 100,000 files that are written in turn
	tries    = 100
)

// File is a temporary file that replaces another. It is locked while its writer lives, if the file system has locks.
type File struct {
	*os.File
	path   string
	locked bool
	done   bool
}

// Create creates a file, with permissions perm before umask, that will replace the one at path. Its name is random;
// an existing file of that name is neither opened nor followed. Create removes files left by killed writers of path,
// but in a large directory only [RemoveStale] removes all of them. On a file system without locks, files left cannot
// be told from files being written, and stay.
func Create(path string, perm fs.FileMode) (*File, error) {
	t, err := CreateAmong(path, perm)
	if err == nil && t.locked {
		removeLeft(prefixOf(path))
	}
	return t, err
}

// CreateAmong is Create for one of many files in a directory: it removes nothing, as [RemoveStale] does for all of them.
// Create reads the directory for each file: half the CPU time of writing 10,000.
func CreateAmong(path string, perm fs.FileMode) (*File, error) {
	prefix := prefixOf(path)
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
			return &File{File: f, path: path, locked: true}, nil
		case errors.Is(err, errNoLocks):
			return &File{File: f, path: path}, nil
		case err != nil && !errors.Is(err, errLocked):
			os.Remove(name)
			f.Close()
			return nil, &fs.PathError{Op: "flock", Path: name, Err: err}
		}
		f.Close() // another writer has taken it for a stale one and removed it
	}
	return nil, fmt.Errorf("%s: temporary files beside it: all names are taken", path)
}

// prefixOf returns what the paths of temporary files for path begin with.
func prefixOf(path string) string { return filepath.Join(filepath.Dir(path), "."+stem(path)+".") }

// stem returns the part of a file's name that fits in a temporary name.
func stem(path string) string {
	name := filepath.Base(path)
	return name[:min(len(name), maxStem)]
}

// removeLeft removes files that nobody writes any more and whose paths begin with prefix. Errors are ignored.
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

// Commit syncs the file and renames it to its final name. On an error it removes the file and keeps the old one.
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

// Replace renames the file like Commit, but does not wait for the disk: after a power failure, either file may be
// there.
func (t *File) Replace() error {
	defer t.Abort()
	if err := os.Rename(t.Name(), t.path); err != nil { // before unlocking
		return err
	}
	t.done = true
	return t.Close()
}

// Abort removes the file. It has no effect after Commit or Replace.
func (t *File) Abort() {
	if t.done {
		return
	}
	t.done = true
	os.Remove(t.Name()) // before unlocking
	t.Close()
}

// RemoveStale removes the files in dir that killed writers have left. Files of living writers stay.
func RemoveStale(dir string) error {
	found, err := os.ReadDir(dir)
	for _, f := range found {
		if strings.HasPrefix(f.Name(), ".") && strings.HasSuffix(f.Name(), suffix) {
			err = errors.Join(err, removeUnlocked(filepath.Join(dir, f.Name())))
		}
	}
	return err
}

// removeUnlocked removes a file unless it is locked.
func removeUnlocked(name string) error {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err == nil {
		defer f.Close()
		switch err = lock(f); {
		case errors.Is(err, errLocked), errors.Is(err, errNoLocks):
			return nil // being written, or may be
		case err != nil:
			return &fs.PathError{Op: "flock", Path: name, Err: err}
		case !linked(f):
			return nil // removed by another writer; the name may be a living writer's by now
		}
		err = os.Remove(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

var (
	errLocked  = errors.New("locked by another writer")
	errNoLocks = errors.New("file system has no locks")
)

var flock = unix.Flock // replaced by tests

// lock locks a file. Errors other than errLocked and errNoLocks are the kernel's.
func lock(f *os.File) error {
	for {
		switch err := flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err {
		case unix.EINTR:
		case unix.EWOULDBLOCK:
			return errLocked
		case unix.ENOLCK, unix.EOPNOTSUPP, unix.ENOSYS: // such as on NFS without its lock service
			return errNoLocks
		default:
			return err
		}
	}
}

// linked reports whether a file has a name.
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
