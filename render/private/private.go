// Package private reads files that hold secrets: shared secrets, passwords, tokens and keys.
package private

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// MaxSize is far above any password or key, in octets; the file may be a wrong one.
const MaxSize = 64 << 10

// Read reads a file of limit octets at most. Symbolic links are followed. What they lead to must be a regular file that
// nobody but its owner may write and nobody but its owner and group may read, and which belongs to root or to the user who
// reads it; root reads those of other users too, as of the one that a server runs as. Read never waits, as it would for a
// named pipe. Errors are of type [*fs.PathError] and show nothing of the file.
func Read(path string, limit int) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := read(f, limit)
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return data, nil
}

func read(f *os.File, limit int) ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, err
	}
	if err := check(&st, os.Geteuid()); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err == nil && len(data) > limit {
		err = fmt.Errorf("larger than %d octets, the limit for a file of this kind", limit)
	}
	return data, err
}

// check tells why a file is not private to root and the user uid.
func check(st *unix.Stat_t, uid int) error {
	perm := st.Mode & 0o777
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return errors.New("not a regular file")
	case perm&0o027 != 0:
		return fmt.Errorf("mode %#o gives others access to a secret; chmod 600 it (640 at the most)", perm)
	case st.Uid != 0 && uid != 0 && int(st.Uid) != uid:
		return fmt.Errorf("owned by user %d; chown it to root or to the user who reads it, %d", st.Uid, uid)
	}
	return nil
}
