package config

import (
	"fmt"
	"strings"
)

// wantUser is what a user is written as.
const wantUser = "a user: NAME, NAME:GROUP or UID:GID"

// parseUser reads a user, whom only the machine that serves needs to know.
func parseUser(s string) (string, error) {
	name, group, grouped := strings.Cut(s, ":")
	if s != "" && (name == "" || grouped && group == "" || strings.ContainsAny(s, " \t\n")) {
		return "", fmt.Errorf("%q is not %s", s, wantUser)
	}
	return s, nil
}

// userName makes the field of a user.
func userName(p *string) field {
	return one(p, "user", wantUser, textOrInteger, parseUser)
}

// File is a file or directory that a key names.
type File struct{ Key, Path string }

// Reads returns the files and directories that the server reads, now or at a reload.
func (c *Config) Reads() []File {
	var all []File
	add := func(key string, paths ...string) {
		for _, p := range paths {
			if p != "" {
				all = append(all, File{key, p})
			}
		}
	}
	add("library", c.Library...)
	add("static", c.Static...)
	add("mib_path", c.MIBPath...)
	add("secret_file", c.SecretFile)
	add("secrets", c.Secrets)
	add("admin_token_file", c.AdminTokenFile)
	add("admin_cert", c.AdminCert)
	add("admin_key", c.AdminKey)
	add("admin_client_ca", c.AdminClientCA)
	add("http_cert", c.HTTPCert)
	add("http_key", c.HTTPKey)
	for _, s := range c.Devices.Sources {
		switch {
		case s.CSV != nil:
			add("devices", s.CSV.Path)
		case s.File != nil:
			add("devices", s.File.Path)
		case s.SQL != nil:
			add("devices", s.SQL.DSNFile)
		case s.LDAP != nil:
			add("devices", s.LDAP.PasswordFile, s.LDAP.CAFile)
		}
	}
	return all
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
