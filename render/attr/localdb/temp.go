package localdb

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"dcs/render/tempfile"
)

// RemoveTemp removes temporary files of killed builds from dir, but not those of running builds.
func RemoveTemp(dir string) error { return tempfile.RemoveStale(dir) }

// unnamed creates a file in dir that disappears when it is closed, or when the process ends.
func unnamed(dir string) (*os.File, error) {
	// Some file systems have no O_TMPFILE.
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
