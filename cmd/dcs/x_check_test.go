package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dcs/cmd/internal/config"
)

// The runner is the unit's user where the unit uses the configuration, and nobody else's otherwise.
func TestRunnerOf(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	file, other := filepath.Join(dir, "dcs.yaml"), filepath.Join(dir, "other.yaml")
	link := filepath.Join(dir, "link.yaml")
	lay(t, map[string]string{file: "", other: ""})
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	packaged, err := os.ReadFile("packaging/systemd/dcs.service")
	if err != nil {
		t.Fatal(err)
	}
	service := strings.ReplaceAll(string(packaged), "/etc/dcs/dcs.yaml", file)
	service = strings.ReplaceAll(strings.ReplaceAll(service, "User=dcs", "User=65531:65532"), "Group=dcs", "Group=65533")
	noXDP, err := os.ReadFile("packaging/systemd/no-xdp.conf")
	if err != nil {
		t.Fatal(err)
	}
	all := "CAP_NET_BIND_SERVICE CAP_NET_RAW CAP_BPF CAP_NET_ADMIN CAP_PERFMON"
	for _, tt := range []struct {
		name       string
		file, user string
		units      map[string]string
		uid, gid   uint32
		caps       string
		err        string
	}{
		{name: "no unit", file: file},
		{name: "the packaged unit", file: file, units: map[string]string{"1/dcs.service": service}, uid: 65531, gid: 65533, caps: all},
		{name: "by a link", file: link, units: map[string]string{"1/dcs.service": service}, uid: 65531, gid: 65533, caps: all},
		{name: "another configuration", file: other, units: map[string]string{"1/dcs.service": service}},
		{name: "none", units: map[string]string{"1/dcs.service": service}},
		{name: "without XDP", file: file, units: map[string]string{"1/dcs.service": service, "0/dcs.service.d/no-xdp.conf": string(noXDP)}, uid: 65531, gid: 65533, caps: "CAP_NET_BIND_SERVICE"},
		{name: "another ExecStart", file: other, units: map[string]string{"1/dcs.service": service, "1/dcs.service.d/a.conf": "[Service]\nExecStart=\nExecStart=dcs serve -c " + other + "\n"}, uid: 65531, gid: 65533, caps: all},
		{name: "the first directory's", file: file, units: map[string]string{"0/dcs.service": "[Service]\nExecStart=dcs serve --config=" + file + "\nUser=65530:65530\n", "1/dcs.service": service}, uid: 65530, gid: 65530},
		{name: "root", file: file, units: map[string]string{"1/dcs.service": "[Service]\nExecStart=dcs serve --config=" + file + "\n"}},
		{name: "no such user", file: file, units: map[string]string{"1/dcs.service": "[Service]\nUser=nobody-of-that-name\nExecStart=dcs serve --config=" + file + "\n"}, err: "no such entry"},
		{name: "the key user goes before", file: file, user: "65529:65528", units: map[string]string{"1/dcs.service": service}, uid: 65529, gid: 65528, caps: strings.Join(opening, " ")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			units := t.TempDir()
			for name, text := range tt.units {
				lay(t, map[string]string{filepath.Join(units, name): text})
			}
			r, err := runnerOf(tt.file, &config.Config{User: tt.user}, []string{filepath.Join(units, "0"), filepath.Join(units, "1")})
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("%v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || (r.cred == nil) != (tt.uid == 0) || r.cred != nil && (r.cred.Uid != tt.uid || r.cred.Gid != tt.gid || strings.Join(r.caps, " ") != tt.caps) {
				t.Errorf("%+v %+v, %v", r, r.cred, err)
			}
		})
	}
}

// Whichever file the server's user cannot read, check says so, whoever it is by the configuration, the unit or the one who checks.
func TestCheckReads(t *testing.T) {
	needRoot(t)
	need(t, "setpriv")
	const uid, gid = 65531, 65532
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	lay(t, map[string]string{
		at("library/a.dcs"): "Main { NetworkAccess 1; }", at("static/x"): "text", at("mibs/X-MIB"): "X-MIB DEFINITIONS ::= BEGIN\nEND\n",
		at("fleet.csv"): "mac,profile\n020000000001,gold\n", at("secret"): "xyz", at("ring"): "default: main\nsecrets: {main: {text: x}}\n",
		at("token"): "0123456789abcdef0123456789abcdef\n", at("run/keep"): "",
	})
	authority(t, dir)
	owned := func(path string, uid, gid int, mode os.FileMode) {
		t.Helper()
		if err := errors.Join(os.Chown(path, uid, gid), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
	}
	ways := []struct {
		name, user string
		unit       bool
		as         []string
	}{
		{"the key user", fmt.Sprintf("user: %d:%d\n", uid, gid), false, nil},
		{"the unit", "", true, nil},
		{"the one who checks", "", false, []string{"setpriv", fmt.Sprintf("--reuid=%d", uid), fmt.Sprintf("--regid=%d", gid), "--clear-groups", "--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"}},
	}
	for _, way := range ways {
		for _, tt := range []struct {
			name, extra string
			path        string // what is taken from the user; empty: nothing
			uid, gid    int
			mode        os.FileMode
		}{
			{name: "nothing"},
			{name: "a secret of root", extra: "secret_file: secret\n", path: "secret", mode: 0o600},
			{name: "a secret of somebody else", extra: "secret_file: secret\n", path: "secret", uid: 65530, gid: gid, mode: 0o640},
			{name: "a keyring", extra: "secrets: ring\n", path: "ring", mode: 0o600},
			{name: "a token", extra: "admin: 127.0.0.1:0\nadmin_token_file: token\n", path: "token", mode: 0o600},
			{name: "a key", extra: "http: 127.0.0.1:0\nhttp_cert: cert.pem\nhttp_key: key.pem\n", path: "key.pem", mode: 0o600},
			{name: "devices", extra: "devices: [csv: fleet.csv]\n", path: "fleet.csv", mode: 0o600},
			{name: "the library", path: "library", mode: 0o700},
			{name: "a template", path: "library/a.dcs", mode: 0o600},
			{name: "static files", path: "static", mode: 0o700},
			{name: "a static file", path: "static/x", mode: 0o600},
			{name: "MIB modules", extra: "mib_path: mibs\n", path: "mibs", mode: 0o700},
			{name: "the configuration", path: "dcs.yaml", mode: 0o600},
		} {
			t.Run(way.name+", "+tt.name, func(t *testing.T) {
				file := at("dcs.yaml")
				text := fmt.Sprintf("library: library\nstatic: static\ntransport: socket\nlisten: 127.0.0.1:%s\ndevices_dir: state\n%s%s", freePort(t), way.user, tt.extra)
				write(t, file, text)
				chmod(t, 0o755, filepath.Dir(dir), dir, at("library"), at("static"), at("mibs"), filepath.Dir(binary(t)))
				for _, name := range []string{"dcs.yaml", "library/a.dcs", "static/x", "mibs/X-MIB"} {
					owned(at(name), 0, 0, 0o644)
				}
				for _, name := range []string{"fleet.csv", "secret", "ring", "token", "key.pem", "cert.pem"} {
					owned(at(name), 0, gid, 0o640)
				}
				if tt.path != "" {
					owned(at(tt.path), tt.uid, tt.gid, tt.mode)
				}
				var status int
				var said string
				switch {
				case way.as != nil:
					line := append(append([]string{}, way.as...), binary(t), "check", "--config", file)
					out, err := exec.Command(line[0], line[1:]...).CombinedOutput()
					if said = string(out); err != nil {
						status = failed
					}
				case way.unit:
					status, said = checkAsUnit(t, file, uid, gid)
				default:
					got := dcs("", "check", "--config", file)
					status, said = got.status, got.stderr
				}
				if (status == done) != (tt.path == "") {
					t.Errorf("status %d:\n%s", status, said)
				}
				if tt.path != "" && !strings.Contains(said, tt.path) {
					t.Errorf("%s is not named:\n%s", tt.path, said)
				}
			})
		}
	}
	var st unix.Stat_t
	if err := unix.Stat(at("state"), &st); err == nil && st.Uid != 0 {
		t.Error("a directory was handed over")
	}
}

// checkAsUnit checks a configuration that a unit uses.
func checkAsUnit(t *testing.T, file string, uid, gid int) (status int, said string) {
	t.Helper()
	units := t.TempDir()
	lay(t, map[string]string{
		filepath.Join(units, "dcs.service"):             "[Service]\nUser=root\nExecStart=/usr/bin/dcs serve --config " + file + "\nAmbientCapabilities=CAP_NET_RAW CAP_NET_BIND_SERVICE\n",
		filepath.Join(units, "dcs.service.d/user.conf"): fmt.Sprintf("[Service]\nUser=%d:%d\n", uid, gid),
	})
	cfg := config.Default()
	if err := cfg.Load(file); err != nil {
		t.Fatal(err)
	}
	var out, stderr bytes.Buffer
	if checkConfig(&cfg, checkOptions{File: file, UnitDirs: []string{units}, Stdout: &out, Stderr: &stderr}) != nil {
		status = failed
	}
	return status, stderr.String()
}

// Whoever has set up a source whose changes are not seen is told so.
func TestUnseenChanges(t *testing.T) {
	for source, want := range map[string]string{
		"sql: {driver: sqlite, dsn: x.db, query: SELECT mac FROM d}":                                                      "changes in the database are seen only at a start",
		"sql: {driver: sqlite, dsn: x.db, query: SELECT mac FROM d, poll: 1m}":                                            "changes in the database are seen only every 1m0s",
		"sql: {driver: sqlite, dsn: x.db, query: SELECT mac FROM d, changed_query: SELECT mac FROM d WHERE changed >= ?}": "",
		"sql: {driver: postgres, dsn: x, query: SELECT mac FROM d, channel: dcs}":                                         "",
		"ldap: {url: ldap://x.example, base: o=x, filter: (a=b), attributes: {x: y}, reload: -1ns}":                       "reload is negative: entries that are deleted from the directory are never seen to be gone",
		"ldap: {url: ldap://x.example, base: o=x, filter: (a=b), attributes: {x: y}}":                                     "",
		"plugin: {argv: [/bin/false]}":              "changes of devices that it lists are seen only at a start",
		"plugin: {argv: [/bin/false], changes: on}": "",
		"csv: x.csv": "",
	} {
		dir := deviceFiles(t, withDevices("devices:\n  - "+source+"\n", nil))
		got := dcs("", "check", "--offline", "--config", filepath.Join(dir, "dcs.yaml"))
		line := "dcs.yaml:4:5: " + want
		if want == "" && strings.Contains(got.stderr, "dcs.yaml:4:5: ") || want != "" && !strings.Contains(got.stderr, line) {
			t.Errorf("%s: %q, want %q", source, got.stderr, want)
		}
	}
}
