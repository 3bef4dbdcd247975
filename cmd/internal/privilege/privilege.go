// Package privilege reads the capabilities of the process and drops those that it no longer needs (capabilities(7)).
package privilege

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// names are the capabilities by their number (linux/capability.h).
var names = [...]string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
	"CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW",
	"CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT",
	"CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD",
	"CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG",
	"CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
}

// set is a set of capabilities by their bits.
type set uint64

func (s set) names() []string {
	var all []string
	for i := range 64 {
		if s&(1<<i) == 0 {
			continue
		}
		if i < len(names) {
			all = append(all, names[i])
		} else {
			all = append(all, fmt.Sprintf("capability %d", i)) // of a kernel that is newer than this list
		}
	}
	return all
}

func setOf(caps []string) (set, error) {
	var s set
	for _, c := range caps {
		i := slices.Index(names[:], c)
		if i < 0 {
			return 0, fmt.Errorf("privilege: unknown capability %s", c)
		}
		s |= 1 << i
	}
	return s, nil
}

// retained returns those of the named capabilities that the process has.
func retained(caps []string) (set, error) {
	named, err := setOf(caps)
	if err != nil {
		return 0, err
	}
	_, permitted, err := get()
	return permitted & named, err
}

// get returns the capabilities of the calling thread.
func get() (effective, permitted set, err error) {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return 0, 0, os.NewSyscallError("capget", err)
	}
	return set(data[0].Effective) | set(data[1].Effective)<<32, set(data[0].Permitted) | set(data[1].Permitted)<<32, nil
}

// Missing returns those of caps, such as "CAP_NET_RAW", that the calling thread does not have.
func Missing(caps ...string) ([]string, error) {
	want, err := setOf(caps)
	if err != nil {
		return nil, err
	}
	have, _, err := get()
	return (want &^ have).names(), err
}

// Raise makes all permitted capabilities effective, on all threads. A program whose file has permitted capabilities only
// (setcap …=p) starts without effective ones.
func Raise() error {
	effective, permitted, err := get()
	if err != nil || effective == permitted {
		return err
	}
	return setAll(permitted)
}

// ErrThreads is returned by a program that is linked with C, where a system call cannot be made on all threads.
var ErrThreads = errors.New("privilege: a program linked with C cannot change all of its threads")

// Retain drops all capabilities except caps, permanently and on all threads, and returns the dropped ones. Programs that the
// process starts get no capability at all: Retain clears the ambient and inheritable sets and, if CAP_SETPCAP permits, the
// bounding set, and sets no_new_privs.
func Retain(caps ...string) (dropped []string, err error) {
	retain, err := setOf(caps)
	if err != nil {
		return nil, err
	}
	_, permitted, err := get()
	if err != nil {
		return nil, err
	}
	if err := grantNothing(); err != nil {
		return nil, err
	}
	dropped = (permitted &^ retain).names()
	return dropped, setAll(permitted & retain)
}

// grantNothing ensures that programs that the process starts get no capability.
func grantNothing() error {
	if err := prctl("PR_SET_NO_NEW_PRIVS", unix.PR_SET_NO_NEW_PRIVS, 1); err != nil {
		return err
	}
	if err := prctl("PR_CAP_AMBIENT", unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL); err != nil {
		return err
	}
	for c := uintptr(0); c < 64; c++ {
		err := prctl("PR_CAPBSET_DROP", unix.PR_CAPBSET_DROP, c)
		switch {
		case errors.Is(err, unix.EINVAL) && c > 0, errors.Is(err, unix.EPERM):
			return nil // beyond the kernel's last capability; not permitted
		case err != nil:
			return err
		}
	}
	return nil
}

// setAll sets the effective and permitted sets of all threads to s, and clears the inheritable set.
func setAll(s set) error {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{
		{Effective: uint32(s), Permitted: uint32(s)},
		{Effective: uint32(s >> 32), Permitted: uint32(s >> 32)},
	}
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&hdr)), uintptr(unsafe.Pointer(&data[0])), 0)
	return threadsError("capset", errno)
}

// prctl calls prctl(2) on all threads.
func prctl(name string, option, arg uintptr) error {
	_, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, option, arg, 0, 0, 0, 0)
	return threadsError("prctl("+name+")", errno)
}

func threadsError(name string, errno syscall.Errno) error {
	switch errno {
	case 0:
		return nil
	case syscall.ENOTSUP:
		return ErrThreads
	}
	return os.NewSyscallError(name, errno)
}
