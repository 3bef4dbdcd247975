// Package account looks up users. It is separate from package privilege, as os/user may be linked with C.
package account

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"
	"strings"
	"syscall"
)

// Lookup returns the credential of NAME, NAME:GROUP or UID:GID. Without a group it has the user's primary and supplementary
// groups, with a group only that one. UID:GID needs no entry in /etc/passwd.
func Lookup(s string) (*syscall.Credential, error) {
	name, group, grouped := strings.Cut(s, ":")
	if name == "" || grouped && group == "" {
		return nil, fmt.Errorf("%q is not a user: NAME, NAME:GROUP or UID:GID", s)
	}
	var cred syscall.Credential
	u, err := lookupUser(name)
	switch {
	case err == nil:
		name = u.Uid
	case !grouped || !isNumber(name):
		return nil, err
	}
	if cred.Uid, err = number(name); err != nil {
		return nil, err
	}
	if grouped {
		cred.Gid, err = lookupGroup(group)
		return &cred, err
	}
	if cred.Gid, err = number(u.Gid); err != nil {
		return nil, err
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("groups of user %s: %w", u.Username, err)
	}
	for _, id := range ids {
		gid, err := number(id)
		if err != nil {
			return nil, err
		}
		cred.Groups = append(cred.Groups, gid)
	}
	return &cred, nil
}

func lookupUser(name string) (u *user.User, err error) {
	if isNumber(name) {
		u, err = user.LookupId(name)
	} else {
		u, err = user.Lookup(name)
	}
	if err == nil {
		return u, nil
	}
	if isNumber(name) {
		return nil, fmt.Errorf("user %s: %w; give a group too, as in %[1]s:%[1]s", name, noEntry(err))
	}
	return nil, fmt.Errorf("user %s: %w", name, noEntry(err))
}

func lookupGroup(name string) (uint32, error) {
	if isNumber(name) {
		return number(name)
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, fmt.Errorf("group %s: %w", name, noEntry(err))
	}
	return number(g.Gid)
}

// noEntry shortens the errors of package user, which repeat the name.
func noEntry(err error) error {
	var id user.UnknownUserIdError
	var name user.UnknownUserError
	var group user.UnknownGroupError
	if errors.As(err, &id) || errors.As(err, &name) || errors.As(err, &group) {
		return errors.New("no such entry")
	}
	return err
}

func isNumber(s string) bool { return strings.Trim(s, "0123456789") == "" }

// number parses an ID. The highest number is not one: it means "unchanged" in system calls.
func number(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 1<<32-1 {
		return 0, fmt.Errorf("%s is not a user or group ID", s)
	}
	return uint32(n), nil
}
