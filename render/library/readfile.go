package library

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"dcs/render/cvc"
)

// MaxFile is the maximum size in octets of a file that templates are made from: a source, a certificate, a text or a binary file.
const MaxFile = 64 << 20

// readRegular reads a regular file, and returns its version from before it was read. Other files, such as named pipes, are not opened:
// that might block.
func (l *loader) readRegular(path string) ([]byte, version, error) {
	err := readable(path)
	if err != nil {
		return nil, version{}, readError(path, err)
	}
	return l.readOpen(path)
}

// readBeginning is readRegular for the first octets of a firmware image, which may be larger than MaxFile.
func (l *loader) readBeginning(path string) ([]byte, version, error) {
	err := readable(path)
	if err != nil {
		return nil, version{}, readError(path, err)
	}
	data, v, err := l.readFile(path, cvc.MaxHead)
	return data, v, readError(path, err)
}

// readOpen is readRegular for a path that was that of a regular file a moment ago.
func (l *loader) readOpen(path string) ([]byte, version, error) {
	data, v, err := l.readFile(path, 0)
	return data, v, readError(path, err)
}

// readError is an error of reading a path, with that path unless it does not exist.
func readError(path string, err error) error {
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		err = &fs.PathError{Op: "read", Path: path, Err: unwrapPath(err)}
	}
	return err
}

// readable returns why a path is not that of a regular file; nil: it is.
func readable(path string) error {
	switch st, err := os.Stat(path); { // a link is followed
	case errors.Is(err, fs.ErrNotExist) && isLink(path):
		return errDangling
	case err != nil:
		return err
	case !st.Mode().IsRegular():
		return notRegular(st)
	}
	return nil
}

// readFile reads a regular file, or its first octets, unless head is 0.
func (l *loader) readFile(path string, head int64) ([]byte, version, error) {
	f, err := l.openFile(path)
	if err != nil {
		return nil, version{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	switch {
	case err != nil:
		return nil, version{}, err
	case !st.Mode().IsRegular(): // replaced in the meantime
		return nil, version{}, notRegular(st)
	}
	var data bytes.Buffer
	size, most := st.Size(), int64(MaxFile+1)
	if head > 0 {
		size, most = min(size, head), head
	}
	if size <= MaxFile {
		data.Grow(int(size) + bytes.MinRead) // so that it does not grow at the end
		_, err = data.ReadFrom(io.LimitReader(f, most))
		size = int64(data.Len())
	}
	if err == nil && size > MaxFile {
		err = fmt.Errorf("it has %d octets, the limit is %d", size, MaxFile)
	}
	return data.Bytes(), versionOf(st), err
}

// openFile opens a file beneath the roots. A file elsewhere that a template names is the operator's choice, and is opened as is.
func (l *loader) openFile(path string) (*os.File, error) {
	if l.open != nil {
		if dir, name, found := l.open.Find(filepath.Clean(path)); found {
			return l.open.OpenFile(dir, name)
		}
	}
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
}

// errDangling is the error of a symbolic link without a target.
var errDangling = errors.New("the symbolic link leads to nothing")

// isLink reports whether path itself is a symbolic link.
func isLink(path string) bool {
	st, err := os.Lstat(path)
	return err == nil && st.Mode()&fs.ModeSymlink != 0
}

// fileType describes a file that is not regular.
func fileType(m fs.FileMode) string {
	switch m.Type() {
	case fs.ModeDir:
		return "this is a directory"
	case fs.ModeNamedPipe:
		return "this is a named pipe"
	case fs.ModeSocket:
		return "this is a socket"
	}
	return "this is a device"
}

// unwrapPath removes the path from an error that is shown after that path.
func unwrapPath(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func notRegular(st fs.FileInfo) error {
	return errors.New(fileType(st.Mode()) + ", and only a regular file is read")
}
