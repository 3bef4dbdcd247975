package config

import "strings"

// Key is one setting: a key of the file, a flag, a paragraph of the example.
type Key struct {
	Name    string // in the file; the flag has dashes for underscores
	Default string // in the file's syntax
	Doc     string // lines of at most 78 characters
	field   field
}

// Flag returns the name of the key's flag.
func (k Key) Flag() string { return strings.ReplaceAll(k.Name, "_", "-") }

// section is a group of keys under one heading of the reference.
type section struct {
	heading string
	keys    []Key
}

// sections returns every key, in the order of the example and the reference, bound to the fields of c.
func (c *Config) sections() []section {
	return []section{
		{"Requests and transport", c.requestKeys()},
		{"Transfers", c.transferKeys()},
		{"Library and static files", c.libraryKeys()},
		{"File names", c.nameKeys()},
		{"Compiling templates", c.compilingKeys()},
		{"Judging files", c.judgingKeys()},
		{"Signing", c.signingKeys()},
		{"Devices", c.deviceKeys()},
		{"Admin page, metrics and HTTP", c.adminKeys()},
		{"Privileges", c.privilegeKeys()},
		{"Log", c.logKeys()},
	}
}

// Keys returns every key in the order of the example, bound to the fields of c.
func (c *Config) Keys() []Key {
	var keys []Key
	for _, s := range c.sections() {
		keys = append(keys, s.keys...)
	}
	return keys
}
