package main

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dcs/bench/require"
)

// What is unsafe about a configuration is told once by check, and once at the start.
func TestUnsafeSettings(t *testing.T) {
	t.Parallel()
	require.Long(t, "a server for each setting")
	warnings := map[string]string{
		"allow":     "allow is empty",
		"secret":    "no secret is configured: files",
		"http":      "serves boot files in clear text",
		"admin":     "the token crosses the network to",
		"read-only": "accepts no changes",
		"static":    "static files",
		"single":    "single_port is on",
		"ports":     "tid_ports has 40 ports for 1 workers",
		"bind":      "bind is off",
		"blksize":   "max_blksize: blocks of 8192 octets are fragmented at an MTU of 1500",
		"one-more":  "max_blksize: blocks of 1469 octets are fragmented at an MTU of 1500",
	}
	for _, tt := range []struct{ name, config, want string }{
		{"safe", "allow: 127.0.0.0/8\nsecrets: ring\nhttp: 127.0.0.1:0\nadmin: [127.0.0.1:0, unix:admin.sock]\n", ""},
		{"on loopback", "listen: 127.0.0.1:PORT\nsecrets: ring\nhttp: '[::1]:0'\n", ""},
		{"no allow", "secrets: ring\n", "allow"},
		{"no allow, over HTTP alone", "listen: 127.0.0.1:PORT\nsecrets: ring\nhttp: 0.0.0.0:0\n", "allow http"},
		{"no secret", "allow: 127.0.0.0/8\n", "secret"},
		{"static files without a secret", "allow: 127.0.0.0/8\nstatic: static\n", "secret static"},
		{"HTTP on all addresses", "allow: 127.0.0.0/8\nsecrets: ring\nhttp: ':0'\n", "http"},
		{"HTTP with a certificate", "allow: 127.0.0.0/8\nsecrets: ring\nhttp: ':0'\nhttp_cert: cert.pem\nhttp_key: key.pem\n", ""},
		{"admin in clear text", "allow: 127.0.0.0/8\nsecrets: ring\nadmin: [127.0.0.1:0, 0.0.0.0:0]\nadmin_token_file: token\n", "admin"},
		{"admin with a certificate", "allow: 127.0.0.0/8\nsecrets: ring\nadmin: 0.0.0.0:0\nadmin_token_file: token\nadmin_cert: cert.pem\nadmin_key: key.pem\n", ""},
		{"one port", "allow: 127.0.0.0/8\nsecrets: ring\nsingle_port: on\n", "single"},
		{"large blocks", "allow: 127.0.0.0/8\nsecrets: ring\nmax_blksize: 8192\n", "blksize"},
		{"blocks one octet too large", "allow: 127.0.0.0/8\nsecrets: ring\nmax_blksize: 1469\n", "one-more"},
		{"the largest blocks that are not fragmented", "allow: 127.0.0.0/8\nsecrets: ring\nmax_blksize: 1468\n", ""},
		{"few ports", "allow: 127.0.0.0/8\nsecrets: ring\nworkers: 1\ntid_ports: 31100-31139\n", "ports"},
		{"ports enough", "allow: 127.0.0.0/8\nsecrets: ring\nworkers: 1\ntid_ports: 31200-31399\n", ""},
		{"devices that anybody may name", "allow: 127.0.0.0/8\nsecrets: ring\ndevices: [csv: devices.csv]\ndevices_dir: state\nbind: off\n", "bind"},
		{"nobody may change anything", "allow: 127.0.0.0/8\nsecrets: ring\nadmin: 127.0.0.1:0\n", "read-only"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			authority(t, dir)
			ring := filepath.Join(dir, "ring")
			lay(t, map[string]string{
				ring: "default: main\nsecrets: {main: {text: x}}\n", filepath.Join(dir, "token"): "0123456789abcdef0123456789abcdef\n",
				filepath.Join(dir, "lib/a.dcs"): soundFile, filepath.Join(dir, "static/b.cm"): signedFile(1, "x"),
				filepath.Join(dir, "devices.csv"): "mac,ip\n0a:01:02:03:04:05,10.1.2.3\n",
			})
			chmod(t, 0o600, ring, filepath.Join(dir, "token"))
			file := filepath.Join(dir, "dcs.yaml")
			port := freePort(t)
			config := strings.ReplaceAll(tt.config, "PORT", port)
			if !strings.Contains(config, "listen:") {
				config += "listen: 0.0.0.0:" + port + "\n"
			}
			write(t, file, "library: lib\ntransport: socket\n"+config)
			p := start(t, exec.Command(binary(t), "serve", "--config", file, "--drain", "1s"))
			p.await("msg=serving")
			if strings.Contains(tt.want, "static") {
				p.await(warnings["static"])
			}
			got := dcs("", "check", "--config", file)
			if got.status != done {
				t.Errorf("%+v", got)
			}
			for name, text := range warnings {
				n := 0
				if slices.Contains(strings.Fields(tt.want), name) {
					n = 1
				}
				if strings.Count(got.stderr, text) != n || strings.Count(p.log.String(), text) != n {
					t.Errorf("%q: want it %d times; check says\n%s\nthe server says\n%s", text, n, got.stderr, p.log)
				}
			}
		})
	}
}
