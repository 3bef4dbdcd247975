package plugin

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// IsCurrent reports whether this process runs as c, so that a program that it starts needs no switch. Supplementary groups count
// too, except for the primary group among them.
func IsCurrent(c *syscall.Credential) bool {
	ruid, euid, suid := unix.Getresuid()
	rgid, egid, sgid := unix.Getresgid()
	for _, uid := range []int{ruid, euid, suid} {
		if uid != int(c.Uid) {
			return false
		}
	}
	for _, gid := range []int{rgid, egid, sgid} {
		if gid != int(c.Gid) {
			return false
		}
	}
	groups, err := os.Getgroups()
	if err != nil || c.NoSetGroups {
		return err == nil
	}
	want := []int{int(c.Gid)}
	for _, g := range c.Groups {
		want = append(want, int(g))
	}
	return slices.Equal(sorted(append(groups, int(c.Gid))), sorted(want))
}

func sorted(ids []int) []int {
	slices.Sort(ids)
	return slices.Compact(ids)
}

// CheckCredential returns an error if this process cannot start and end a plug-in that runs as c.
func CheckCredential(c *syscall.Credential) error {
	if IsCurrent(c) {
		return nil
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	err := os.NewSyscallError("capget", unix.Capget(&hdr, &data[0]))
	const need = 1<<unix.CAP_SETUID | 1<<unix.CAP_SETGID | 1<<unix.CAP_KILL
	if err == nil && data[0].Effective&need != need {
		err = errors.New("CAP_SETUID, CAP_SETGID and CAP_KILL are missing; start the server as root")
	}
	if err != nil {
		return fmt.Errorf("run as user %d, group %d: %w", c.Uid, c.Gid, err)
	}
	return nil
}
