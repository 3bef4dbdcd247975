package library

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// fileID identifies the version of a file that was read.
type fileID struct {
	dev, ino uint64
	size     int64
	modified time.Time
}

func idOf(st fs.FileInfo) fileID {
	id := fileID{size: st.Size(), modified: st.ModTime()}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		id.dev, id.ino = sys.Dev, sys.Ino
	}
	return id
}

// triesToRead is how often reading a file is tried if it changes during the read.
const triesToRead = 3

func read(path string, open func() (*os.File, error)) (f *File, err error) {
	for range triesToRead {
		if f, err = readOnce(path, open); !errors.Is(err, errChanged) {
			break
		}
	}
	return f, err
}

var errChanged = errors.New("modified while being read; replace files by renaming new ones over them")

func readOnce(path string, open func() (*os.File, error)) (*File, error) {
	h, err := open()
	if err != nil {
		return nil, err
	}
	defer h.Close()
	st, err := h.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() { // replaced in the meantime
		return nil, notRegular(st)
	}
	f := &File{path: path, id: idOf(st)}
	if st.Size() > maxCopied {
		return f, f.mapped(h)
	}
	f.Data = make([]byte, st.Size())
	if _, err := h.ReadAt(f.Data, 0); err != nil && len(f.Data) > 0 {
		if errors.Is(err, io.EOF) {
			err = errChanged
		}
		return nil, err
	}
	if st, err = h.Stat(); err != nil {
		return nil, err
	} else if idOf(st) != f.id {
		return nil, errChanged
	}
	return f, nil
}

// mapped maps a file into memory.
func (f *File) mapped(h *os.File) (err error) {
	f.Data, err = unix.Mmap(int(h.Fd()), 0, int(f.id.size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("mmap: %w", err)
	}
	f.isMapped = true
	runtime.AddCleanup(f, func(m []byte) {
		_ = unix.Munmap(m) // cannot fail: the mapping is ours and complete
	}, f.Data)
	return nil
}
