package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dcs/cmd/internal/config"
)

// A directory with what the server reads in it, or below it, is none that it writes to as another user, whatever links lead where.
func TestOwnDirs(t *testing.T) {
	root := t.TempDir()
	at := func(name string) string { return filepath.Join(root, name) }
	lay(t, map[string]string{at("etc/dcs.yaml"): "", at("etc/deep/secret"): "", at("lib/a.dcs"): "", at("own/x"): "", at("data/fleet.csv"): ""})
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
			dirs, warnings := ownDirs(file, &tt.cfg)
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
			if dirs, warnings := ownDirs(file, &tt.cfg); len(dirs) > 0 || len(warnings) != 1 || !strings.HasPrefix(warnings[0], "devices_dir: ") {
				t.Errorf("devices_dir: %q, %q", dirs, warnings)
			}
		})
	}
}

// With paths that a configuration gives beside itself, its directory stays root's, which the start and check say once each.
func TestConfigurationNotHandedOver(t *testing.T) {
	needRoot(t)
	for name, config := range map[string]string{
		"admin":       "admin: unix:admin.sock\n",
		"devices_dir": "devices_dir: .\ndevices: [csv: ../fleet.csv]\n",
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			dir := filepath.Join(root, "etc")
			file := filepath.Join(dir, "dcs.yaml")
			lay(t, map[string]string{
				file:                             "static: ../static\ntransport: socket\nuser: 65531:65532\n" + config,
				filepath.Join(root, "fleet.csv"): "mac,ip\n0a:01:02:03:04:05,10.1.2.3\n",
				filepath.Join(root, "static/x"):  "text",
			})
			chmod(t, 0o755, filepath.Dir(root), root, dir, filepath.Join(root, "static"))
			chmod(t, 0o644, file, filepath.Join(root, "fleet.csv"), filepath.Join(root, "static/x"))
			warning := fmt.Sprintf("%s: %s is not given to the user 65531:65532, as the configuration %s is there", name, dir, file)
			if checked := dcs("", "check", "--config", file); strings.Count(checked.stderr, "warning: "+warning) != 1 {
				t.Errorf("check says\n%s", checked.stderr)
			}
			p := start(t, exec.Command(binary(t), "serve", "--config", file, "--listen", "127.0.0.1:"+freePort(t)))
			p.said("level=WARN", warning)
			p.said("user changed") // after all that is handed over
			if p.count(warning) != 1 {
				t.Error("it is said more than once")
			}
			for _, path := range []string{dir, file} {
				var st unix.Stat_t
				if err := unix.Stat(path, &st); err != nil || st.Uid != 0 || st.Gid != 0 {
					t.Errorf("%s is of %d:%d, %v", path, st.Uid, st.Gid, err)
				}
			}
			names, err := filepath.Glob(filepath.Join(dir, "*"))
			if err != nil || !slices.Equal(names, []string{file}) {
				t.Errorf("%q, %v", names, err)
			}
		})
	}
}
