package localdb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// tempSuffix ends the names of temporary files, which begin with a dot and the name of the file they become.
const tempSuffix = ".dcs-tmp"

// Temp is a file that is written beside the one whose place it takes. It is locked for as long as its writer lives.
type Temp struct {
	*os.File
	path string
	done bool
}

// CreateTemp creates a file that will replace the one at path. What writers of that file that were killed have left is removed.
func CreateTemp(path string) (*Temp, error) {
	dir, prefix := filepath.Dir(path), "."+filepath.Base(path)+"."
	_ = removeStale(dir, prefix) // what cannot be removed is in nobody's way
	for range 100 {
		f, err := os.CreateTemp(dir, prefix+"*"+tempSuffix)
		if err != nil {
			return nil, err
		}
		if lockFile(f) && linked(f) {
			return &Temp{File: f, path: path}, nil
		}
		f.Close() // another has just taken it for one that was left, and removed it
	}
	return nil, fmt.Errorf("%s: temporary files beside it are removed", path)
}

// Commit syncs the file and gives it its name. On an error it is removed, and the former stays.
func (t *Temp) Commit() error {
	defer t.Abort()
	if err := t.Sync(); err != nil {
		return err
	}
	if err := os.Rename(t.Name(), t.path); err != nil {
		return err
	}
	t.done = true
	return errors.Join(syncDir(filepath.Dir(t.path)), t.Close())
}

// Abort removes the file. After Commit it does nothing.
func (t *Temp) Abort() {
	if t.done {
		return
	}
	t.done = true
	os.Remove(t.Name()) // before it is unlocked
	t.Close()
}

// RemoveTemp removes what writers that were killed have left in dir. Files of those that live stay.
func RemoveTemp(dir string) error { return removeStale(dir, ".") }

// removeStale removes temporary files that nobody writes and whose names begin with prefix.
func removeStale(dir, prefix string) error {
	found, err := os.ReadDir(dir)
	for _, f := range found {
		if !strings.HasPrefix(f.Name(), prefix) || !strings.HasSuffix(f.Name(), tempSuffix) {
			continue
		}
		if e := removeUnlocked(filepath.Join(dir, f.Name())); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// removeUnlocked removes a file that nobody has locked.
func removeUnlocked(name string) error {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if !lockFile(f) {
		return nil
	}
	return os.Remove(name)
}

func lockFile(f *os.File) bool { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil }

// linked tells whether a file has a name.
func linked(f *os.File) bool {
	var st unix.Stat_t
	return unix.Fstat(int(f.Fd()), &st) == nil && st.Nlink > 0
}

// unnamed makes a file in dir that goes when it is closed, or when the process ends.
func unnamed(dir string) (*os.File, error) {
	// Some file systems cannot make a file that never had a name.
	if f, err := os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, 0o600); err == nil {
		return f, nil
	}
	f, err := os.CreateTemp(dir, ".spool.*"+tempSuffix)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.Close()
		return nil, err
	}
	return f, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
