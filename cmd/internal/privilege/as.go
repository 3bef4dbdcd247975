package privilege

import (
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// As calls f on a thread that runs as another user, with those capabilities of the process that are in caps. Goroutines that f
// starts are not affected. The thread ends with f. The process must run as root.
func As(c *syscall.Credential, caps []string, f func()) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked
		err := become(c, caps)
		if err == nil {
			f()
		}
		done <- err
	}()
	return <-done
}

// become changes the user of the calling thread only; the functions of package syscall change all threads.
func become(c *syscall.Credential, caps []string) error {
	has, err := retained(caps)
	if err != nil {
		return err
	}
	groups := append([]uint32{c.Gid}, c.Groups...)
	uid, gid := uintptr(c.Uid), uintptr(c.Gid)
	if _, _, errno := unix.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1, 0); errno != 0 {
		return os.NewSyscallError("prctl(PR_SET_KEEPCAPS)", errno)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(&groups[0])), 0); errno != 0 {
		return os.NewSyscallError("setgroups", errno)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, gid, gid, gid); errno != 0 {
		return os.NewSyscallError("setresgid", errno)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uid, uid, uid); errno != 0 {
		return os.NewSyscallError("setresuid", errno)
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{
		{Effective: uint32(has), Permitted: uint32(has)},
		{Effective: uint32(has >> 32), Permitted: uint32(has >> 32)},
	}
	return os.NewSyscallError("capset", unix.Capset(&hdr, &data[0]))
}
