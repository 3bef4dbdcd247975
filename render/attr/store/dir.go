package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"dcs/render/attr/localdb"
)

const lockName = "lock"

// errInUse is returned for a directory that another process has locked.
var errInUse = errors.New("in use by another process")

// lockDir locks the Store's directory, and creates it if necessary. If it cannot be written to, the error says why, and the lock is
// taken on a file that is only readable, if there is one. If the error is errInUse, the directory must not be used.
func lockDir(dir string) (lock *os.File, err error) {
	unwritable := os.MkdirAll(dir, 0o750)
	path := filepath.Join(dir, lockName)
	if unwritable == nil {
		unwritable = unix.Access(dir, unix.W_OK)
	}
	if lock, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		unwritable = errors.Join(unwritable, err)
		if lock, err = os.Open(path); err != nil {
			return nil, unwritable
		}
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("%s: %w", dir, errInUse)
	}
	if unwritable != nil {
		unwritable = &fs.PathError{Op: "write", Path: dir, Err: unwritable}
	}
	return lock, unwritable
}

// claim returns an error if the directory must not be written to. A directory that could not be locked before, because it was not
// writable, is locked as soon as possible.
func (s *Store) claim() error {
	s.locking.Lock()
	defer s.locking.Unlock()
	if s.lock != nil {
		return nil
	}
	lock, err := lockDir(s.cfg.Dir)
	s.lock = lock
	if lock != nil {
		return nil // writes report their own errors
	}
	return err
}

// create starts to build a file of devices.
func (s *Store) create(path string, names []string) (*localdb.Builder, error) {
	if err := s.claim(); err != nil {
		return nil, err
	}
	return localdb.Create(path, names, localdb.Options{Memory: s.cfg.Memory})
}
