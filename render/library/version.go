package library

import (
	"io/fs"
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

// versionAt returns the version of the regular file at a path; zero: there is none. A symbolic link is not followed. It takes half as long
// as [os.Lstat].
func versionAt(path string) version {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return version{}
	}
	return version{st.Dev, st.Ino, st.Size, st.Mtim.Nano(), st.Ctim.Nano()}
}

// tick is more than the resolution of a file's times: two writes within a tick may leave the same times (Linux before 6.13, a timer of
// 100 Hz).
const tick = int64(20 * time.Millisecond)

// settled returns, per device, the time before which a file must have been changed for its version to tell it from what a later write
// leaves. The versions were all taken before any of the files is read; none is newer than that.
func settled(versions []version) map[uint64]int64 {
	before := map[uint64]int64{}
	for i := range versions {
		v := &versions[i]
		before[v.dev] = max(before[v.dev], v.changed-tick)
	}
	return before
}
