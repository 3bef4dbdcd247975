package privilege

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Become changes a root process to another user, on all threads. It retains the capabilities of caps that it has; without
// CAP_SETUID among them the change is final.
func Become(c *syscall.Credential, caps ...string) error {
	retain, err := retained(caps)
	if err != nil {
		return err
	}
	// Otherwise the change of user empties the permitted set.
	if err := prctl("PR_SET_KEEPCAPS", unix.PR_SET_KEEPCAPS, 1); err != nil {
		return err
	}
	groups := make([]int, len(c.Groups))
	for i, g := range c.Groups {
		groups[i] = int(g)
	}
	uid, gid := int(c.Uid), int(c.Gid)
	if err := syscall.Setgroups(groups); err != nil {
		return os.NewSyscallError("setgroups", err)
	}
	if err := syscall.Setresgid(gid, gid, gid); err != nil {
		return os.NewSyscallError("setresgid", err)
	}
	if err := syscall.Setresuid(uid, uid, uid); err != nil {
		return os.NewSyscallError("setresuid", err)
	}
	return setAll(retain)
}

// HandOver makes a user the owner of a directory that root owns, and of its files. It creates the directory if it is missing, and
// does not change one that somebody else owns. It refuses a directory that contains anything but files and sockets, that
// others than root may write to, or whose path has a symbolic link.
func HandOver(dir string, c *syscall.Credential) error {
	d, err := openDirectory(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	info, err := d.Stat()
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Uid != 0 || c.Uid == 0 {
		return nil
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s: writable by others than root; use a directory for the server only", dir)
	}
	entries, err := d.ReadDir(-1)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if t := e.Type(); !t.IsRegular() && t != os.ModeSocket {
			return fmt.Errorf("%s: contains %s, which is not a file; use a directory for the server only", dir, e.Name())
		}
	}
	for _, e := range entries {
		if err := unix.Fchownat(int(d.Fd()), e.Name(), int(c.Uid), int(c.Gid), unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return &os.PathError{Op: "chown", Path: dir + "/" + e.Name(), Err: err}
		}
	}
	return d.Chown(int(c.Uid), int(c.Gid)) // last: until then nobody else can change it
}

// openDirectory opens a directory whose path has no symbolic link, and creates it if it is missing.
func openDirectory(dir string) (*os.File, error) {
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS}
	for made := false; ; made = true {
		fd, err := unix.Openat2(unix.AT_FDCWD, dir, &how)
		switch {
		case err == nil:
			return os.NewFile(uintptr(fd), dir), nil
		case err == unix.ENOENT && !made:
			if err := os.MkdirAll(dir, 0o750); err != nil {
				return nil, err
			}
		case err == unix.ELOOP:
			return nil, fmt.Errorf("%s: reached by a symbolic link; name the directory itself", dir)
		default:
			return nil, &os.PathError{Op: "open", Path: dir, Err: err}
		}
	}
}
