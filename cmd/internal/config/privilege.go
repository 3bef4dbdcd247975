package config

import (
	"fmt"
	"strings"
)

// wantUser describes the syntax of a user, for errors.
const wantUser = "a user: NAME, NAME:GROUP or UID:GID"

// parseUser parses a user, who needs to exist only on the machine that serves.
func parseUser(s string) (string, error) {
	name, group, grouped := strings.Cut(s, ":")
	if s != "" && (name == "" || grouped && group == "" || strings.ContainsAny(s, " \t\n")) {
		return "", fmt.Errorf("%q is not %s", s, wantUser)
	}
	return s, nil
}

// userName returns the field for a user.
func userName(p *string) field {
	return one(p, "user", wantUser, textOrInteger, parseUser)
}

// Sandbox says whether the server confines itself.
type Sandbox string

// The sandboxes.
const (
	SandboxAuto Sandbox = "auto" // as far as the kernel can
	SandboxOff  Sandbox = "off"
)

func parseSandbox(s string) (Sandbox, error) {
	switch b := Sandbox(s); b {
	case SandboxAuto, SandboxOff:
		return b, nil
	}
	return "", fmt.Errorf("%s is neither auto nor off", s)
}
