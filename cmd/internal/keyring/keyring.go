// Package keyring reads and writes the file of shared secrets: their texts by name, and which CMTS holds which.
package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"dcs/cmd/internal/cmts"
	"dcs/cmd/internal/strictyaml"
	"dcs/render/secret"
	"dcs/render/tempfile"
)

// File is a keyring as it stands in its file.
type File struct {
	Path   string // where it was read from
	Header string // the comment lines that it begins with, kept by Save

	Generation uint64            // counts what Save has written; a server tells by it which keyring it serves
	Default    string            // the secret of all modems that are behind no CMTS of the fleet
	Secrets    map[string]Source // by name
	Fleet      string            // the file that lists the CMTSes; empty: there are none
	KnownHosts string            // SSH host keys of CMTSes whose entry names no file of them
	Drivers    []string          // directories of descriptions beside those that are built in
	Holders    map[string]string // which secret a CMTS of the fleet holds; one that is not named holds the default

	// Prefixes are those of modems behind CMTSes that are not in the fleet, with the secrets of these.
	Prefixes map[netip.Prefix]string
}

// Source is where the text of a secret is; one of its fields but Since is set.
type Source struct {
	Text       secret.Text
	File       string // relative to the keyring's directory
	Credential string // a file in $CREDENTIALS_DIRECTORY, as systemd's LoadCredential= makes it
	Env        string // an environment variable
	Since      uint64 // the generation that brought the secret; 0: not known
}

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

// Load reads a keyring, which must be private ([secret.Read]). Errors show no text of a secret, even where one stands in a wrong place.
func Load(path string) (*File, error) {
	src, err := secret.Read(path, strictyaml.MaxSize)
	if err != nil {
		return nil, err
	}
	return Parse(path, src)
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// Parse reads a keyring from src, which came from path.
func Parse(path string, src []byte) (*File, error) {
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
			fail("secrets: one has no name such as main: letters, digits, dots, dashes and underscores make one, 64 at the most")
			continue
		}
		n := 0
		out := Source{File: s.File, Credential: s.Credential, Env: s.Env, Since: s.Since}
		if s.Text != nil {
			out.Text = secret.New(*s.Text)
			n++
			if *s.Text == "" {
				fail("secrets: %s: its text is empty", name)
			}
		}
		for _, ref := range []string{s.File, s.Credential, s.Env} {
			if ref != "" {
				n++
			}
		}
		if n != 1 {
			fail("secrets: %s: give one of text, file, credential and env", name)
		}
		if s.Credential != "" && filepath.Base(s.Credential) != s.Credential {
			fail("secrets: %s: credential is the name of a file in $CREDENTIALS_DIRECTORY", name)
		}
		f.Secrets[name] = out
	}
	// Where a name belongs, somebody may have written the secret itself.
	known := func(what, name string) {
		if _, ok := f.Secrets[name]; !ok {
			fail("%s: there is no secret of this name; there are: %s", what, strings.Join(slices.Sorted(maps.Keys(f.Secrets)), ", "))
		}
	}
	if in.Default == "" {
		fail("default is missing: name the secret of modems that are behind no CMTS of the fleet")
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
			fail("prefixes: %q is no prefix such as 10.1.0.0/16", text)
		case p != p.Masked():
			fail("prefixes: %s has bits beyond its length: is %s meant?", p, p.Masked())
		}
		f.Prefixes[p] = in.Prefixes[text]
	}
	if len(in.CMTS) > 0 && in.Fleet == "" {
		fail("cmts says who holds which secret, and fleet is missing: the file that lists them")
	}
	return f, errors.Join(errs...)
}

// quiet says what is wrong with the file without a word of it, which could be a secret that stands in a wrong place.
func quiet(err error) string {
	var at *strictyaml.Error
	if errors.As(err, &at) {
		return at.Quiet()
	}
	return " this is no keyring"
}

// header returns the comment lines that src begins with.
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

// Clone returns a copy.
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

// Used tells whether a secret is the default, or that of a CMTS or a prefix.
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

// Reveal returns the text of a secret, from wherever it is.
func (f *File) Reveal(name string) (secret.Text, error) {
	s, ok := f.Secrets[name]
	if !ok {
		return secret.Text{}, fmt.Errorf("%s: there is no secret %q", f.Path, name)
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
			return fail(fmt.Errorf("the environment variable %s is not set", s.Env))
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
		return fail(errors.New("its text is empty"))
	}
	return secret.New(string(text)), nil
}

func (f *File) resolve(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(f.Path), path)
}

// LoadFleet reads the fleet; it is empty where the keyring names none.
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
			errs = append(errs, fmt.Errorf("%s: cmts: %s: the fleet has no CMTS of this name", f.Path, name))
		}
	}
	return fleet, errors.Join(errs...)
}

// Options returns what the drivers of all CMTSes have in common.
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

// marshal writes the file's text. Its comments but the header are gone.
func (f *File) marshal() []byte {
	b := &bytes.Buffer{}
	b.WriteString(f.Header)
	fmt.Fprintf(b, "generation: %d\ndefault: %s\nsecrets:\n", f.Generation, quote(f.Default))
	for _, name := range slices.Sorted(maps.Keys(f.Secrets)) {
		s := f.Secrets[name]
		fmt.Fprintf(b, "  %s:\n", quote(name))
		switch {
		case s.Env != "":
			fmt.Fprintf(b, "    env: %s\n", quote(s.Env))
		case s.Credential != "":
			fmt.Fprintf(b, "    credential: %s\n", quote(s.Credential))
		case s.File != "":
			fmt.Fprintf(b, "    file: %s\n", quote(s.File))
		default:
			fmt.Fprintf(b, "    text: %s\n", quote(s.Text.Reveal()))
		}
		if s.Since > 0 {
			fmt.Fprintf(b, "    since: %d\n", s.Since)
		}
	}
	if f.Fleet != "" {
		fmt.Fprintf(b, "fleet: %s\n", quote(f.Fleet))
	}
	if f.KnownHosts != "" {
		fmt.Fprintf(b, "known_hosts: %s\n", quote(f.KnownHosts))
	}
	if len(f.Drivers) > 0 {
		b.WriteString("drivers:\n")
		for _, dir := range f.Drivers {
			fmt.Fprintf(b, "  - %s\n", quote(dir))
		}
	}
	if len(f.Holders) > 0 {
		b.WriteString("cmts:\n")
		for _, name := range slices.Sorted(maps.Keys(f.Holders)) {
			fmt.Fprintf(b, "  %s: %s\n", quote(name), quote(f.Holders[name]))
		}
	}
	if len(f.Prefixes) > 0 {
		b.WriteString("prefixes:\n")
		for _, p := range slices.SortedFunc(maps.Keys(f.Prefixes), netip.Prefix.Compare) {
			fmt.Fprintf(b, "  %q: %s\n", p, quote(f.Prefixes[p]))
		}
	}
	return b.Bytes()
}

// quote writes a text as YAML's double quotes take it.
func quote(s string) string { return strconv.Quote(s) }

// Save replaces the file, in the next generation: at any moment, and after a crash at any moment, it
// is the old one whole or the new one whole. Owner and mode stay; a new file has mode 0600.
func (f *File) Save() error {
	path, err := filepath.EvalSymlinks(f.Path)
	if err != nil {
		path = f.Path
	}
	f.Generation++
	err = replace(path, f.marshal())
	if err != nil {
		f.Generation--
		return fmt.Errorf("the keyring could not be written: %w", err)
	}
	return nil
}

func replace(path string, data []byte) error {
	out, err := tempfile.Create(path, 0o600)
	if err != nil {
		return err
	}
	defer out.Abort()
	if info, err := os.Stat(path); err == nil {
		if st, ok := info.Sys().(*syscall.Stat_t); ok && (int(st.Uid) != os.Geteuid() || int(st.Gid) != os.Getegid()) {
			if err := out.Chown(int(st.Uid), int(st.Gid)); err != nil {
				return fmt.Errorf("its owner cannot be kept: %w", err)
			}
		}
		if err := out.Chmod(info.Mode().Perm()); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := out.Write(data); err != nil {
		return err
	}
	return out.Commit()
}

// SyncDir makes what was created, renamed or removed in a directory last.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
