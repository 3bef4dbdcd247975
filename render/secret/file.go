// Package secret holds secret texts, which nothing prints, and reads the files that they and certificates lie in.
package secret

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
	return readFile(path, limit, func(st *unix.Stat_t) error { return check(st, os.Geteuid()) })
}

// ReadCertificates reads a regular file of certificates, of 1 MiB at most, whoever may read and write it. It never waits either.
func ReadCertificates(path string) ([]byte, error) {
	const limit = 1 << 20 // the authorities of a whole system are a fifth of that
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

// check tells why a file is not private to root and the user uid.
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
