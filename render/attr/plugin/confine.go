package plugin

import (
	"errors"
	"fmt"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// confine prepares the calling thread, which must be locked and end with its goroutine, so that a program started from it has
// no capabilities, gains none (no_new_privs), and inherits no descriptor beyond 0 to 2. The thread retains its own capabilities,
// since all threads of a process change theirs together; the program loses them at exec. The error is a [leftError] if a program
// that runs as root retains some nevertheless.
func confine(root bool) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl(PR_SET_NO_NEW_PRIVS)", err)
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl(PR_CAP_AMBIENT)", err)
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return os.NewSyscallError("capget", err)
	}
	data[0].Inheritable, data[1].Inheritable = 0, 0
	if err := unix.Capset(&hdr, &data[0]); err != nil {
		return os.NewSyscallError("capset", err)
	}
	bounding, err := emptyBounding()
	if err != nil {
		return err
	}
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil && !unsupported(err) {
		return os.NewSyscallError("close_range", err)
	}
	// With no_new_privs, exec gives root no more than the thread has.
	if left := bounding & (uint64(data[0].Permitted) | uint64(data[1].Permitted)<<32); root && left != 0 {
		return &leftError{left}
	}
	return nil
}

// leftError reports the capabilities that a program retains as root, because the bounding set cannot be emptied.
type leftError struct{ left uint64 }

func (e *leftError) Error() string {
	return fmt.Sprintf("runs as root with capabilities %#x, since CAP_SETPCAP is missing; set user", e.left)
}

// emptyBounding empties the bounding set, and returns what it could not drop.
func emptyBounding() (left uint64, err error) {
	for c := uintptr(0); c < 64; c++ {
		has, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, c, 0, 0, 0)
		switch {
		case errors.Is(err, unix.EINVAL):
			return left, nil // beyond the kernel's last
		case err != nil:
			return 0, os.NewSyscallError("prctl(PR_CAPBSET_READ)", err)
		case has == 0:
			continue
		}
		switch err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); {
		case errors.Is(err, unix.EPERM):
			left |= 1 << c
		case err != nil:
			return 0, fmt.Errorf("prctl(PR_CAPBSET_DROP, %d): %w", c, err)
		}
	}
	return left, nil
}

// unsupported reports whether close_range with that flag is missing: the kernel is older than 5.11, or a seccomp filter refuses it.
func unsupported(err error) bool {
	return errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM)
}

// uid returns the user that the plug-in runs as.
func (c *Config) uid() int {
	if c.Credential != nil {
		return int(c.Credential.Uid)
	}
	return os.Geteuid()
}
