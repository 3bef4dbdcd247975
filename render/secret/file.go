// Package secret holds secret texts so that they are never printed, and reads the files of secrets and certificates.
package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// MaxSize is a limit for files of secrets in octets, far above any password or key.
const MaxSize = 64 << 10

// Read reads a file of at most limit octets. It follows symbolic links. The file must be regular, writable only by
// its owner, readable only by its owner and group, and owned by root or the calling user. Root may read files of
// other users, such as the one that a server runs as. Read does not block on a named pipe. Errors are of type
// [*fs.PathError] and reveal nothing of the contents.
func Read(path string, limit int) ([]byte, error) {
	return readFile(path, limit, func(st *unix.Stat_t) error { return check(st, os.Geteuid()) })
}

// ReadCertificates reads a regular file of certificates of at most 1 MiB, with any owner and mode. It does not block
// either.
func ReadCertificates(path string) ([]byte, error) {
	const limit = 1 << 20 // five times the size of a system's CA bundle
	return readFile(path, limit, checkRegular)
}

func readFile(path string, limit int, check func(*unix.Stat_t) error) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := read(f, limit, check)
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return data, nil
}

func read(f *os.File, limit int, check func(*unix.Stat_t) error) ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, err
	}
	if err := check(&st); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err == nil && len(data) > limit {
		err = fmt.Errorf("larger than %d octets, the limit for a file of this kind", limit)
	}
	return data, err
}

func checkRegular(st *unix.Stat_t) error {
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return errors.New("not a regular file")
	}
	return nil
}

// check returns an error if a file is not private to root and the user uid.
func check(st *unix.Stat_t, uid int) error {
	if err := checkRegular(st); err != nil {
		return err
	}
	switch perm := st.Mode & 0o777; {
	case perm&0o027 != 0:
		return fmt.Errorf("mode %#o gives others access to a secret; chmod 600 it (640 at the most)", perm)
	case st.Uid != 0 && uid != 0 && int(st.Uid) != uid:
		return fmt.Errorf("owned by user %d; chown it to root or to the user who reads it, %d", st.Uid, uid)
	}
	return nil
}
