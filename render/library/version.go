package library

import (
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// version identifies the content of a regular file: a write changes at least one of these. The zero version is none.
type version struct {
	dev, ino          uint64
	size              int64
	modified, changed int64 // ns since 1970
}

func versionOf(st fs.FileInfo) version {
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return version{}
	}
	return version{sys.Dev, sys.Ino, sys.Size, sys.Mtim.Nano(), sys.Ctim.Nano()}
}

// versionsOf sets the versions of regular files of one directory; zero: there is none. It takes a third as long as [os.Lstat].
func versionsOf(files []*entry) {
	dir, err := unix.Open(filepath.Dir(files[0].path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return // reading them says why
	}
	defer unix.Close(dir)
	for _, e := range files {
		if !e.regular {
			continue
		}
		var st unix.Statx_t // a network file system is asked, not what it remembers
		err := unix.Statx(dir, filepath.Base(e.path), unix.AT_SYMLINK_NOFOLLOW|unix.AT_STATX_FORCE_SYNC, unix.STATX_BASIC_STATS, &st)
		if err == nil && st.Mode&unix.S_IFMT == unix.S_IFREG {
			e.version = version{unix.Mkdev(st.Dev_major, st.Dev_minor), st.Ino, int64(st.Size), nanoseconds(st.Mtime), nanoseconds(st.Ctime)}
		}
	}
}

func nanoseconds(t unix.StatxTimestamp) int64 { return t.Sec*1e9 + int64(t.Nsec) }

// tick is more than the resolution of a file's times: two writes within a tick may leave the same times (Linux before 6.13, a timer of
// 100 Hz).
const tick = int64(20 * time.Millisecond)

// settled returns, per device, the time before which a file must have been changed for its version to tell it from what a later write
// leaves. Their versions were all taken before any of the files is read; none is newer than that.
func settled(files []*entry) map[uint64]int64 {
	before := map[uint64]int64{}
	for _, e := range files {
		v := &e.version
		before[v.dev] = max(before[v.dev], v.changed-tick)
	}
	return before
}
