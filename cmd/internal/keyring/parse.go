package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"dcs/cmd/internal/strictyaml"
	"dcs/render/secret"
)

type fileYAML struct {
	Generation uint64                `yaml:"generation"`
	Default    string                `yaml:"default"`
	Secrets    map[string]sourceYAML `yaml:"secrets"`
	Fleet      string                `yaml:"fleet"`
	KnownHosts string                `yaml:"known_hosts"`
	Drivers    []string              `yaml:"drivers"`
	CMTS       map[string]string     `yaml:"cmts"`
	Prefixes   map[string]string     `yaml:"prefixes"`
}

type sourceYAML struct {
	Text       *string `yaml:"text"`
	File       string  `yaml:"file"`
	Credential string  `yaml:"credential"`
	Env        string  `yaml:"env"`
	Since      uint64  `yaml:"since"`
}

// Load reads a keyring, which must be private ([secret.Read]). Errors show no text of a secret, even of one in a wrong place.
func Load(path string) (*File, error) {
	src, err := secret.Read(path, strictyaml.MaxSize)
	if err != nil {
		return nil, err
	}
	return parse(path, src)
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// parse reads a keyring from src; path is that of its file.
func parse(path string, src []byte) (*File, error) {
	var in fileYAML
	if err := strictyaml.Decode(src, &in); err != nil {
		return nil, fmt.Errorf("%s:%s", path, quiet(err))
	}
	f := &File{
		Path: path, Header: header(src), Generation: in.Generation, Default: in.Default,
		Secrets: map[string]Source{}, Fleet: in.Fleet, KnownHosts: in.KnownHosts, Drivers: in.Drivers, Holders: in.CMTS, Prefixes: map[netip.Prefix]string{},
	}
	if f.Holders == nil {
		f.Holders = map[string]string{}
	}
	var errs []error
	fail := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
	}
	for _, name := range slices.Sorted(maps.Keys(in.Secrets)) {
		s := in.Secrets[name]
		if len(name) > 64 || !nameForm.MatchString(name) {
			fail("secrets: invalid name; want up to 64 letters, digits, dots, dashes and underscores")
			continue
		}
		n := 0
		out := Source{File: s.File, Credential: s.Credential, Env: s.Env, Since: s.Since}
		if s.Text != nil {
			out.Text = secret.New(*s.Text)
			n++
			if *s.Text == "" {
				fail("secrets: %s: empty text", name)
			}
		}
		for _, ref := range []string{s.File, s.Credential, s.Env} {
			if ref != "" {
				n++
			}
		}
		if n != 1 {
			fail("secrets: %s: want exactly one of text, file, credential and env", name)
		}
		if s.Credential != "" && filepath.Base(s.Credential) != s.Credential {
			fail("secrets: %s: credential must be the name of a file in $CREDENTIALS_DIRECTORY", name)
		}
		f.Secrets[name] = out
	}
	// The name is not shown: it may be the text of a secret, in a wrong place.
	known := func(what, name string) {
		if _, ok := f.Secrets[name]; !ok {
			fail("%s: no secret of that name; want one of: %s", what, strings.Join(slices.Sorted(maps.Keys(f.Secrets)), ", "))
		}
	}
	if in.Default == "" {
		fail("default is not set; it names the secret of modems behind no CMTS of the fleet")
	} else {
		known("default", in.Default)
	}
	for _, name := range slices.Sorted(maps.Keys(in.CMTS)) {
		known("cmts: "+name, in.CMTS[name])
	}
	for _, text := range slices.Sorted(maps.Keys(in.Prefixes)) {
		known("prefixes: "+text, in.Prefixes[text])
		p, err := netip.ParsePrefix(text)
		switch {
		case err != nil:
			fail("prefixes: %q is not a prefix; want one such as 10.1.0.0/16", text)
		case p != p.Masked():
			fail("prefixes: %s has bits set beyond its length; want %s", p, p.Masked())
		}
		f.Prefixes[p] = in.Prefixes[text]
	}
	if len(in.CMTS) > 0 && in.Fleet == "" {
		fail("cmts: fleet is not set; it names the file that lists the CMTSes")
	}
	return f, errors.Join(errs...)
}

// quiet describes an error of the file without quoting it: what is quoted could be a secret in a wrong place.
func quiet(err error) string {
	var at *strictyaml.Error
	if errors.As(err, &at) {
		return at.Quiet()
	}
	return " not a keyring"
}

// header returns the comment lines at the beginning of src.
func header(src []byte) string {
	n := 0
	for line := range bytes.Lines(src) {
		if trimmed := bytes.TrimSpace(line); len(trimmed) > 0 && trimmed[0] != '#' {
			break
		}
		n += len(line)
	}
	return string(src[:n])
}
