package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/config"
)

// Of a configuration that cannot be read, nothing but that is reported: no key is missing from it for certain.
func TestCheckUnreadable(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "dcs.yaml")
	for name, src := range map[string]string{"a tab": "library:\n\t- lib\n", "no end": "library: [lib\n", "twice": "library: lib\nlibrary: lib\n"} {
		lay(t, map[string]string{file: src})
		if got := dcs("", "check", "--config", file); got.status != failed || !strings.HasPrefix(got.stderr, file+":") || strings.Contains(got.stderr, "warning: allow") || strings.Contains(got.stderr, "secret") {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := dcs("", "check", "--config", file+"x"); got.status != failed || strings.Count(got.stderr, "\n") != 1 || !strings.Contains(got.stderr, "no such file") {
		t.Errorf("no file: %+v", got)
	}
}

var receiveBuffer = regexp.MustCompile(`(?m)^warning: receive buffer: .*\n`)

// listening adds an address to a configuration that has none: anybody may listen there. PORT is replaced.
func listening(t *testing.T, config string) string {
	t.Helper()
	if !strings.Contains(config, "listen:") {
		config += "listen: 127.0.0.1:PORT\n"
	}
	return strings.ReplaceAll(config, "PORT", freePort(t))
}

// flows are what each modem's file needs.
const flows = "UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; } DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; }"

func TestCheck(t *testing.T) {
	const good = "Main { NetworkAccess 1; MaxCPE 1; " + flows + " }"
	tests := []struct {
		name   string
		files  map[string]string
		status int
		stdout string
		stderr []string // parts, in any order; nil: nothing
	}{
		{"all is well", map[string]string{"dcs.yaml": "library: lib\nstatic: static\nallow: 10.0.0.0/8\nsecrets: ring\n", "ring": "default: main\nsecrets: {main: {text: x}}\n", "lib/a.cfg": good, "static/x": "x"}, done, "ok: 1 templates, 1 static files\n", nil},
		{
			"everything at once",
			map[string]string{
				"dcs.yaml":  "library: lib\nworkers: none\nliberary: x\n",
				"lib/a.cfg": "Main { NetworkAccess 2;\n MaxCPE 256; }", "lib/b.dcs": "Main { include nothing; }",
			},
			failed, "",
			[]string{"dcs.yaml:2:10: workers", "dcs.yaml:3:1: unknown key", "a.cfg:1:22: NetworkAccess", "a.cfg:2:9: MaxCPE", "b.dcs:1:8: include nothing"},
		},
		{"an empty library", map[string]string{"dcs.yaml": "library: lib\nstatic: static\n", "lib/notes.md": "", "static/.hidden": ""}, failed, "", []string{"nothing to serve", " lib ", "static"}},
		{"no library there", map[string]string{"dcs.yaml": "library: lib\n"}, failed, "", []string{"library: open lib", "no such file"}},
		{"no secret there", map[string]string{"dcs.yaml": "library: lib\nsecret_file: secret\n", "lib/a.cfg": good}, failed, "", []string{"secret: no such file"}},
		{
			"an admin page for everybody",
			map[string]string{"dcs.yaml": "library: lib\nadmin: 0.0.0.0:8069\n", "lib/a.cfg": good},
			failed, "",
			[]string{"admin: 0.0.0.0:8069 can be reached from other machines"},
		},
		{
			"no directory for the admin socket",
			map[string]string{"dcs.yaml": "library: lib\nadmin: unix:run/admin.sock\n", "lib/a.cfg": good},
			done, "ok: 1 templates, 0 static files\n",
			[]string{"warning: admin: the directory of the socket run/admin.sock is missing; create ", "RuntimeDirectory="},
		},
		{
			"no certificate there",
			map[string]string{"dcs.yaml": "library: lib\nhttp: 127.0.0.1:8080\nhttp_cert: cert.pem\nhttp_key: key.pem\n", "lib/a.cfg": good},
			failed, "",
			[]string{"http_cert: open cert.pem: no such file"},
		},
		{
			"an address that no interface has",
			map[string]string{"dcs.yaml": "library: lib\nlisten: [\"127.0.0.1:PORT\", \"198.18.255.254:6969\"]\nmetrics: \"[fd00:198:18:ff::1]:9100\"\n", "lib/a.cfg": good},
			done, "ok: 1 templates, 0 static files\n",
			[]string{"warning: listen: no interface has the address of 198.18.255.254:6969;", "warning: metrics: no interface has the address of [fd00:198:18:ff::1]:9100;"},
		},
		{
			"a MIB module with a fault",
			map[string]string{
				"dcs.yaml": "library: lib\nmib_path: mibs\n", "mibs/ACME-MIB": "ACME-MIB DEFINITIONS ::= BEGIN\nacmeX OBJECT-TYPE SYNTAX OCTET FOO\n",
				"lib/a.dcs": "Main { NetworkAccess 1; SnmpMibObject acmeX.0 Integer 1; }", "lib/b.dcs": "Main { NetworkAccess 1; SnmpMibObject sysContact.0 String \"x\"; }",
			},
			failed, "",
			[]string{"warning: mibs/ACME-MIB:2: acmeX: expected \"STRING\", got \"FOO\"; leaving it out", "a.dcs:1:", "MIB label acmeX is defined in ACME-MIB, but could not be read: mibs/ACME-MIB:2: "},
		},
		{
			"a directory of MIB modules that is not there",
			map[string]string{"dcs.yaml": "library: lib\nmib_path: mibs\n", "lib/a.cfg": good},
			failed, "",
			[]string{"MIB modules: stat mibs: no such file"},
		},
		{
			"other bytes than the open encoder's",
			map[string]string{"dcs.yaml": "library: lib\n", "lib/a.cfg": `Main { NetworkAccess 1; SwUpgradeFilename "a\\b"; ` + flows + ` }`},
			done, "ok: 1 templates, 0 static files\n",
			[]string{"a.cfg:1:43: note: the open encoder turns the backslash"},
		},
		{
			"a comment that the open encoder refuses",
			map[string]string{"dcs.yaml": "library: lib\n", "lib/a.cfg": "/* # */ Main { NetworkAccess 1; " + flows + " }\n // modems of 2.0\n"},
			done, "ok: 1 templates, 0 static files\n",
			[]string{"a.cfg:2:2: note: the open encoder refuses this comment"},
		},
		{
			"nothing that a modem could use",
			map[string]string{"dcs.yaml": "library: lib\n", "lib/a.cfg": "Main { MaxCPE 1; }"},
			failed, "",
			[]string{"a.cfg:1:1: error: NetworkAccess (3) is missing", "[net-access-missing]", "[qos-missing]"},
		},
		{
			"lenient",
			map[string]string{"dcs.yaml": "library: lib\nlenient: on\n", "lib/a.cfg": "Main { NetworkAccess 1; DsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; } UsServiceFlow { UsServiceFlowRef 2; QosParamSetType 7; } }"},
			done, "ok: 1 templates, 0 static files\n",
			[]string{"a.cfg:1:41: warning: "},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			tt.files["dcs.yaml"] = listening(t, tt.files["dcs.yaml"])
			lay(t, tt.files)
			got := dcs("", "check", "--config", "dcs.yaml")
			if os.Geteuid() != 0 { // then it depends on the machine
				got.stderr = receiveBuffer.ReplaceAllString(got.stderr, "")
			}
			if got.status != tt.status || withoutMemory(got.stdout) != tt.stdout || tt.stderr == nil && got.stderr != "" {
				t.Errorf("%+v", got)
			}
			for _, s := range tt.stderr {
				if !strings.Contains(got.stderr, s) {
					t.Errorf("%q is missing in\n%s", s, got.stderr)
				}
			}
			checkDocument(t, got.stderr, got.status, "--config", "dcs.yaml")
		})
	}
	if got := dcs("", "check"); got.status != misuse {
		t.Errorf("without anything: %+v", got)
	}
}

// In a container of the image the packaged configuration finds the directories that it writes to.
func TestImageDirectories(t *testing.T) {
	cfg := config.Default()
	if err := cfg.Load("packaging/etc/dcs.yaml"); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile("packaging/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	var volumes []string
	for line := range strings.Lines(string(file)) {
		if dirs, ok := strings.CutPrefix(line, "VOLUME "); ok {
			volumes = append(volumes, strings.Fields(dirs)...)
		}
	}
	t.Setenv("STATE_DIRECTORY", "")
	socket, _ := strings.CutPrefix(cfg.Admin[0], "unix:")
	for _, path := range []string{socket, assemble.DevicesDir(&cfg.Devices)} {
		if dir := filepath.Dir(path); !slices.Contains(volumes, dir) {
			t.Errorf("%s is not among the volumes %q", dir, volumes)
		}
	}
}
