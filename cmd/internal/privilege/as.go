package privilege

import (
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// As calls f on a thread whose access to files is another user's. The thread ends with it. It takes root.
func As(c *syscall.Credential, f func()) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked
		err := access(c)
		if err == nil {
			f()
		}
		done <- err
	}()
	return <-done
}

// access gives the calling thread the access to files of a user. What root may beyond that goes with the user (capabilities(7)).
func access(c *syscall.Credential) error {
	groups := append([]uint32{c.Gid}, c.Groups...)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(&groups[0])), 0); errno != 0 {
		return os.NewSyscallError("setgroups", errno)
	}
	if _, err := unix.SetfsgidRetGid(int(c.Gid)); err != nil {
		return os.NewSyscallError("setfsgid", err)
	}
	_, err := unix.SetfsuidRetUid(int(c.Uid))
	return os.NewSyscallError("setfsuid", err)
}
