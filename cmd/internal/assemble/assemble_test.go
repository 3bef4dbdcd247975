package assemble

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dcs/cmd/internal/config"
	"dcs/cmd/internal/dcstest"
	"dcs/render/attr"
)

// A directory with what the server reads in it, or below it, is none that it writes to as another user, whatever links lead where.
func TestOwnDirs(t *testing.T) {
	root := t.TempDir()
	at := func(name string) string { return filepath.Join(root, name) }
	dcstest.Lay(t, map[string]string{at("etc/dcs.yaml"): "", at("etc/deep/secret"): "", at("lib/a.dcs"): "", at("own/x"): "", at("data/fleet.csv"): ""})
	for link, to := range map[string]string{
		"etc-link": "etc", "own-link": at("own"), "own/yaml": at("etc/dcs.yaml"), "hop/last": "../lib", "first": "hop/last", "loop": "loop", "etcetera/x": "nowhere",
	} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(at(link)), 0o700), os.Symlink(to, at(link))); err != nil {
			t.Fatal(err)
		}
	}
	with := func(change func(*config.Config)) config.Config {
		c := config.Config{User: "nobody", Library: []string{at("lib")}, SecretFile: at("etc/deep/secret")}
		if change != nil {
			change(&c)
		}
		return c
	}
	for _, tt := range []struct {
		name, dir, file string
		cfg             config.Config
		refused         string // why
	}{
		{"its own", "own", "etc/dcs.yaml", with(nil), ""},
		{"missing", "none/of/it", "etc/dcs.yaml", with(nil), ""},
		{"the configuration's", "etc", "etc/dcs.yaml", with(nil), "the configuration"},
		{"not cleaned", "own/../etc/.", "etc/dcs.yaml", with(nil), "the configuration"},
		{"above the configuration's", "", "etc/dcs.yaml", with(nil), "the configuration"},
		{"above all", strings.Repeat("../", 20), "etc/dcs.yaml", with(nil), "the configuration"},
		{"a name that begins so", "etcetera", "etc/dcs.yaml", with(nil), ""},
		{"below the configuration's", "etc/run", "etc/dcs.yaml", with(nil), ""},
		{"by a link", "etc-link", "etc/dcs.yaml", with(nil), "the configuration"},
		{"the configuration by a link", "etc", "etc-link/dcs.yaml", with(nil), "the configuration"},
		{"the link to the configuration", "own", "own/yaml", with(nil), "the configuration"},
		{"its own, by a link", "own-link", "etc/dcs.yaml", with(nil), ""},
		{"a secret's", "etc/deep", "etc/dcs.yaml", with(nil), "secret_file"},
		{"no configuration's file", "etc", "", with(nil), "secret_file"},
		{"the library", "lib", "etc/dcs.yaml", with(nil), "library"},
		{"a link on the way to the library", "hop", "etc/dcs.yaml", with(func(c *config.Config) { c.Library = []string{at("first")} }), "library"},
		{"links without an end", "own", "etc/dcs.yaml", with(func(c *config.Config) { c.Static = []string{at("loop/x")} }), ""},
		{"a certificate's", "data", "etc/dcs.yaml", with(func(c *config.Config) { c.HTTPCert = at("data/cert.pem") }), "http_cert"},
		{"static files", "data", "etc/dcs.yaml", with(func(c *config.Config) { c.Static = []string{at("data")} }), "static"},
		{"without user", "etc", "etc/dcs.yaml", with(func(c *config.Config) { c.User = "" }), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := tt.file
			if file != "" {
				file = at(file)
			}
			tt.cfg.Admin = []string{"unix:" + root + "/" + tt.dir + "/a.sock", "127.0.0.1:1", "unix:" + root + "/" + tt.dir + "/b.sock"}
			dirs, warnings := OwnDirs(file, &tt.cfg)
			if tt.refused == "" {
				if len(dirs) != 2 || len(warnings) > 0 {
					t.Errorf("%q, %q", dirs, warnings)
				}
				return
			}
			if len(dirs) > 0 || len(warnings) != 1 || !strings.Contains(warnings[0], "nobody, as "+tt.refused) {
				t.Errorf("%q, %q", dirs, warnings)
			}
			tt.cfg.Admin, tt.cfg.Devices.Dir, tt.cfg.Devices.Sources = nil, at(tt.dir), []config.DeviceSource{{}}
			if dirs, warnings := OwnDirs(file, &tt.cfg); len(dirs) > 0 || len(warnings) != 1 || !strings.HasPrefix(warnings[0], "devices_dir: ") {
				t.Errorf("devices_dir: %q, %q", dirs, warnings)
			}
		})
	}
}

func TestReadSecret(t *testing.T) {
	tests := []struct {
		name, file string
		mode       fs.FileMode
		key        string
		warning    string // part of it
	}{
		{"plain", "DOCSIS", 0o600, "DOCSIS", ""},
		{"line end", "DOCSIS\n", 0o600, "DOCSIS", ""},
		{"line end of DOS", "DOCSIS\r\n", 0o600, "DOCSIS", ""},
		{"one line end only", "DOCSIS\n\n", 0o600, "DOCSIS\n", "ends in an empty line"},
		{"white space counts", " DOCSIS ", 0o600, " DOCSIS ", "ends in a blank"},
		{"group may read", "DOCSIS", 0o640, "DOCSIS", ""},
		{"empty", "\n", 0o600, "", "the secret is empty"},
		{"a byte order mark", "\ufeffkey\n", 0o600, "\ufeffkey", "begins with a byte order mark"},
		{"a blank at the end", "key \n", 0o600, "key ", "ends in a blank"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "secret")
			if err := os.WriteFile(file, []byte(tt.file), tt.mode); err != nil {
				t.Fatal(err)
			}
			key, warning, err := ReadSecret(file)
			if err != nil || string(key) != tt.key || (warning == "") != (tt.warning == "") || !strings.Contains(warning, tt.warning) {
				t.Errorf("%q, %q, %v; want %q, %q", key, warning, err, tt.key, tt.warning)
			}
			if strings.Contains(warning, "DOCSIS") {
				t.Error("the warning tells the secret")
			}
		})
	}
}

// Of a keyring, every odd secret is told by its name, and none by its text.
func TestReadSecretsOdd(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keyring")
	ring := "default: plain\nsecrets:\n  first: {text: 'DOCSIS '}\n  plain: {text: DOCSIS}\n  second: {text: ' DOCSIS'}\n"
	if err := os.WriteFile(file, []byte(ring), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := ReadSecrets(&config.Config{Secrets: file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Warnings) != 2 || !strings.Contains(s.Warnings[0], "secret first: the secret ends in a blank") || !strings.Contains(s.Warnings[1], "secret second: the secret begins with a blank") {
		t.Errorf("%q", s.Warnings)
	}
	if strings.Contains(strings.Join(s.Warnings, ""), "DOCSIS") {
		t.Errorf("%q tells a secret", s.Warnings)
	}
}

// The log says what is held back of which source, and how to accept it.
func TestHeldError(t *testing.T) {
	err := fmt.Errorf("%w: attribute down would lose 200000 of 200000 values", attr.ErrHeldBack)
	if got, want := HeldError("sql", err), "held back: attribute down would lose 200000 of 200000 values; accept with: dcs devices reload --force 'sql'"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Joined errors are taken apart; an error that puts words between its causes is not.
func TestFlatten(t *testing.T) {
	a, b, c := errors.New("a"), errors.New("b"), errors.New("c")
	for _, tt := range []struct {
		err  error
		want []string
	}{
		{nil, nil},
		{a, []string{"a"}},
		{errors.Join(a, errors.Join(b, c)), []string{"a", "b", "c"}},
		{fmt.Errorf("%w: %w", a, b), []string{"a: b"}},
		{errors.Join(fmt.Errorf("write %w: %w", a, b), c), []string{"write a: b", "c"}},
	} {
		var got []string
		for _, err := range Flatten(tt.err) {
			got = append(got, err.Error())
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%v: %q, want %q", tt.err, got, tt.want)
		}
	}
}
