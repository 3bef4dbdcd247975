package main

import (
	bin "encoding/binary"
	"testing"

	"dcs/bench/require"

	"golang.org/x/sys/unix"
)

// A gate stands before a file: whoever opens it waits until he is let through (fanotify(7)).
type gate struct {
	t  *testing.T
	fd int
}

// newGate closes a file. It takes root.
func newGate(t *testing.T, path string) *gate {
	t.Helper()
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_CONTENT|unix.FAN_CLOEXEC|unix.FAN_NONBLOCK, unix.O_RDONLY|unix.O_CLOEXEC)
	if err == nil {
		t.Cleanup(func() { unix.Close(fd) }) // lets everybody through
		err = unix.FanotifyMark(fd, unix.FAN_MARK_ADD, unix.FAN_OPEN_PERM, unix.AT_FDCWD, path)
	}
	if err != nil {
		require.Missing(t, "ROOT", "a file cannot be closed: %v", err)
	}
	return &gate{t, fd}
}

// wait waits for somebody to open the file, and returns what lets him through.
func (g *gate) wait() (open func()) {
	g.t.Helper()
	var event [unix.FAN_EVENT_METADATA_LEN]byte
	eventually(g.t, "the file is opened", func() bool {
		n, err := unix.Read(g.fd, event[:])
		return err == nil && n == len(event)
	})
	theirs := event[16:20] // struct fanotify_event_metadata: the descriptor
	return func() {
		answer := bin.NativeEndian.AppendUint32(append([]byte(nil), theirs...), unix.FAN_ALLOW)
		_, _ = unix.Write(g.fd, answer)
		unix.Close(int(int32(bin.NativeEndian.Uint32(theirs))))
	}
}
