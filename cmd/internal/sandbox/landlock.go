package sandbox

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// writing are the access rights of Landlock (linux/landlock.h) that change files, by the ABI that introduced them.
var writing = []struct {
	abi    int
	rights uint64
}{
	{1, unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG |
		unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK | unix.LANDLOCK_ACCESS_FS_MAKE_SYM},
	{2, unix.LANDLOCK_ACCESS_FS_REFER},
	{3, unix.LANDLOCK_ACCESS_FS_TRUNCATE},
}

// landlock restricts the process to writing below dirs, and to executing nothing. It returns the kernel's ABI. left has an error
// for each directory that could not be opened, where nothing can be written.
func landlock(dirs []string) (abi int, left []error, err error) {
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	switch errno {
	case 0:
	case unix.ENOSYS:
		return 0, nil, absent("not in this kernel: older than 5.13, or built without it")
	case unix.EOPNOTSUPP:
		return 0, nil, absent("turned off in this kernel (lsm=)")
	default:
		return 0, nil, os.NewSyscallError("landlock_create_ruleset", errno)
	}
	abi = int(v)
	var rights uint64
	for _, w := range writing {
		if w.abi <= abi {
			rights |= w.rights
		}
	}
	attr := unix.LandlockRulesetAttr{Handled_access_fs: rights | unix.LANDLOCK_ACCESS_FS_EXECUTE}
	// Only the field that every kernel knows; the others are zero.
	ruleset, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr.Handled_access_fs), 0)
	if errno != 0 {
		return abi, nil, os.NewSyscallError("landlock_create_ruleset", errno)
	}
	defer unix.Close(int(ruleset))
	for _, dir := range dirs {
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			left = append(left, &os.PathError{Op: "open", Path: dir, Err: err})
			continue
		}
		err = allow(ruleset, fd, rights)
		unix.Close(fd)
		if err != nil {
			return abi, nil, fmt.Errorf("landlock_add_rule: %s: %w", dir, err)
		}
	}
	_, _, errno = syscall.AllThreadsSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0, 0)
	if errno != 0 {
		return abi, nil, threadsError("landlock_restrict_self", errno)
	}
	return abi, left, nil
}

// allow grants rights below an open directory.
func allow(ruleset uintptr, dir int, rights uint64) error {
	beneath := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(dir)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, ruleset, unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&beneath)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
