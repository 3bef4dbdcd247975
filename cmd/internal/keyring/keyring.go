// Package keyring reads and writes the file of shared secrets: their texts by name, and which CMTS holds which of them.
package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"dcs/cmd/internal/cmts"
	"dcs/render/secret"
)

// File is a keyring as its file has it.
type File struct {
	Path   string // of the file
	Header string // comment lines at the beginning, which Save preserves

	Generation uint64            // incremented by Save; a server reports which one it serves
	Default    string            // name of the secret of modems behind no CMTS of the fleet
	Secrets    map[string]Source // by name
	Fleet      string            // file that lists the CMTSes; empty: there are none
	KnownHosts string            // file of SSH host keys, for CMTSes whose entry names none
	Drivers    []string          // directories of descriptions, besides the built-in ones
	Holders    map[string]string // secret by CMTS of the fleet; one without an entry holds the default

	// Prefixes are secrets by prefix of modems, for modems behind CMTSes that are not in the fleet.
	Prefixes map[netip.Prefix]string
}

// Source says where the text of a secret is. Exactly one field besides Since is set.
type Source struct {
	Text       secret.Text
	File       string // relative to the keyring's directory
	Credential string // file in $CREDENTIALS_DIRECTORY, as created by systemd's LoadCredential=
	Env        string // environment variable
	Since      uint64 // generation in which the secret was added; 0: unknown
}

// Clone returns a deep copy.
func (f *File) Clone() *File {
	c := *f
	c.Secrets, c.Holders, c.Prefixes = maps.Clone(f.Secrets), maps.Clone(f.Holders), maps.Clone(f.Prefixes)
	return &c
}

// Holds returns the name of the secret that a CMTS holds.
func (f *File) Holds(cmtsName string) string {
	if name, ok := f.Holders[cmtsName]; ok {
		return name
	}
	return f.Default
}

// Used reports whether a secret is the default, or that of a CMTS or a prefix.
func (f *File) Used(name string) bool {
	is := func(used string) bool { return used == name }
	return is(f.Default) || containsFunc(maps.Values(f.Holders), is) || containsFunc(maps.Values(f.Prefixes), is)
}

func containsFunc(all iter.Seq[string], is func(string) bool) bool {
	for s := range all {
		if is(s) {
			return true
		}
	}
	return false
}

// Reveal returns the text of a secret. It reads the file, credential or environment variable that the secret names.
func (f *File) Reveal(name string) (secret.Text, error) {
	s, ok := f.Secrets[name]
	if !ok {
		return secret.Text{}, fmt.Errorf("%s: no secret %q", f.Path, name)
	}
	fail := func(err error) (secret.Text, error) {
		return secret.Text{}, fmt.Errorf("%s: secret %s: %w", f.Path, name, err)
	}
	var text []byte
	var err error
	switch {
	case s.Env != "":
		v, ok := os.LookupEnv(s.Env)
		if !ok {
			return fail(fmt.Errorf("environment variable %s is not set", s.Env))
		}
		text = []byte(v)
	case s.Credential != "":
		dir := os.Getenv("CREDENTIALS_DIRECTORY")
		if dir == "" {
			return fail(fmt.Errorf("credential %s: $CREDENTIALS_DIRECTORY is not set; systemd sets it for a unit with LoadCredential=", s.Credential))
		}
		text, err = secret.Read(filepath.Join(dir, s.Credential), secret.MaxSize)
	case s.File != "":
		text, err = secret.Read(f.resolve(s.File), secret.MaxSize)
	default:
		return s.Text, nil
	}
	if err != nil {
		return fail(err)
	}
	if cut, ok := bytes.CutSuffix(text, []byte("\n")); ok {
		text = bytes.TrimSuffix(cut, []byte("\r"))
	}
	if len(text) == 0 {
		return fail(errors.New("empty text"))
	}
	return secret.New(string(text)), nil
}

// resolve returns a path relative to the keyring's directory.
func (f *File) resolve(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(f.Path), path)
}

// LoadFleet reads the fleet, which is empty if the keyring names none.
func (f *File) LoadFleet() ([]cmts.CMTS, error) {
	if f.Fleet == "" {
		return nil, nil
	}
	fleet, err := cmts.LoadFleet(f.resolve(f.Fleet))
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(f.Holders)) {
		if !slices.ContainsFunc(fleet, func(c cmts.CMTS) bool { return c.Name == name }) {
			errs = append(errs, fmt.Errorf("%s: cmts: %s: no such CMTS in the fleet", f.Path, name))
		}
	}
	return fleet, errors.Join(errs...)
}

// Options returns the options of all drivers.
func (f *File) Options() cmts.Options {
	opt := cmts.Options{}
	if f.KnownHosts != "" {
		opt.KnownHosts = f.resolve(f.KnownHosts)
	}
	for _, dir := range f.Drivers {
		opt.Descriptions = append(opt.Descriptions, f.resolve(dir))
	}
	return opt
}
