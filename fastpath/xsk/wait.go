package xsk

import (
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// retry is the longest sleep while frames wait that the kernel had no room for, which nothing announces.
const retry = time.Millisecond

// wait sleeps until there is a packet, at most a tick.
func (t *Transport) wait() error {
	// Writers to an inbox check sleeping after they have put a packet; here inbound is checked after sleeping is set.
	t.sleeping.Store(true)
	defer t.sleeping.Store(false)
	if t.inbound.Load() || t.closed.Load() {
		for i := range t.polls {
			t.polls[i].Revents = 0
		}
		return nil
	}
	most := t.tick
	for _, p := range t.ports {
		if p != nil && p.stuck {
			most = min(most, retry)
		}
	}
	left := unix.NsecToTimespec(int64(most))
	_, _, errno := unix.Syscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&t.polls[0])), uintptr(len(t.polls)), uintptr(unsafe.Pointer(&left)), 0, 0, 0)
	if errno != 0 && errno != unix.EINTR {
		return fmt.Errorf("xsk: ppoll: %w", errno)
	}
	if t.polls[0].Revents != 0 {
		var b [8]byte
		_, _, _ = unix.RawSyscall(unix.SYS_READ, uintptr(t.polls[0].Fd), uintptr(unsafe.Pointer(&b)), 8)
	}
	return nil
}
