package localdb

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"dcs/render/tempfile"
)

// RemoveTemp removes what builds that were killed have left in dir. Files of builds that run stay.
func RemoveTemp(dir string) error { return tempfile.RemoveStale(dir) }

// unnamed makes a file in dir that goes when it is closed, or when the process ends.
func unnamed(dir string) (*os.File, error) {
	// Some file systems cannot make a file that never had a name.
	if f, err := os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, 0o600); err == nil {
		return f, nil
	}
	f, err := os.CreateTemp(dir, ".spool.*.dcs-tmp")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.Close()
		return nil, err
	}
	return f, nil
}
