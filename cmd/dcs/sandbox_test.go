package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"dcs/bench/netlab"
)

// landlocked tells whether this kernel has Landlock.
func landlocked(t *testing.T) bool {
	t.Helper()
	_, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 && os.Getenv("DCS_REQUIRE_ROOT") != "" {
		t.Fatalf("this kernel has no Landlock: %v", errno)
	}
	return errno == 0
}

// What the log says of the sandbox, by the configuration; a server has a filter on all of its threads, or on none.
func TestSandboxTold(t *testing.T) {
	t.Parallel()
	on := "off: "
	if landlocked(t) {
		on = "on, ABI"
	}
	const plugin = `devices: [{plugin: {argv: [/bin/sh, -c, 'echo "{\"hello\":1,\"attributes\":[],\"list\":true}"; while read -r l; do echo "{\"end\":true}"; done']}}]`
	for _, tc := range []struct {
		name, config, landlock, seccomp string
		filters                         bool
	}{
		{"static files", "", on, "seccomp=on", true},
		{"off", "sandbox: off", "", "", false},
		{"a plug-in", plugin, "off: the server starts programs", "except for what plug-ins may need", true},
		{"SQLite", `devices: [{sql: {driver: sqlite, dsn: none.db, query: "SELECT mac FROM devices"}}]`, "off: SQLite writes", "seccomp=on", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := deviceFiles(t, map[string]string{"dcs.yaml": "static: static\ndevices_dir: state\ntransport: socket\n" + tc.config + "\n", "static/x": "text"})
			p := serve(t, "--config", filepath.Join(dir, "dcs.yaml"))
			if tc.filters {
				if p.count("msg=sandbox", tc.landlock, tc.seccomp) != 1 {
					t.Error("the log does not say so")
				}
			} else if p.count("msg=sandbox") > 0 || p.count("sandbox off, as configured") != 1 {
				t.Error("the log does not say that there is none")
			}
			before := statusLines(t, os.Getpid())[0]["Seccomp_filters"]
			for _, got := range statusLines(t, p.cmd.Process.Pid) {
				if (got["Seccomp_filters"] != before) != tc.filters {
					t.Errorf("a thread has %s filters, as we have %s", got["Seccomp_filters"], before)
				}
			}
		})
	}
}

// A directory that is missing when the sandbox is entered cannot be written to, which the log says; the rest is as always.
func TestSandboxMissing(t *testing.T) {
	t.Parallel()
	if !landlocked(t) {
		t.Skip("this kernel has no Landlock")
	}
	dir := deviceFiles(t, map[string]string{"dcs.yaml": "static: static\ntransport: socket\nadmin: unix:gone/admin.sock\n", "static/x": "text"})
	p := serve(t, "--config", filepath.Join(dir, "dcs.yaml"))
	p.said("level=INFO", "msg=sandbox", "on, ABI")
	p.said("level=WARN", "directory not writable", "gone")
}

// What goes on while a server serves goes on in its sandbox: the library behind another link than at the start, changes of
// devices, which are kept, the log's level, and the socket, which goes with it. All other tests of a running server are in one too.
func TestSandboxServes(t *testing.T) {
	t.Parallel()
	dir := deviceFiles(t, withDevices("", map[string]string{
		"fleet.csv": "mac,profile,down\n020000000001,gold,50\n", "next/new.dcs": "Main \"new.cm\" { MaxCPE 3; }", "run/old": "",
	}))
	at := func(name string) string { return filepath.Join(dir, name) }
	config := fmt.Sprintf(`library: current
transport: socket
devices_dir: state
devices: [{csv: {path: fleet.csv, settle: 10ms, poll: 10ms}}]
admin: unix:%s
`, at("run/admin.sock"))
	link := func(to string) {
		t.Helper()
		if err := errors.Join(os.Symlink(to, at("link")), os.Rename(at("link"), at("current"))); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	gets := func(p *process, name string) {
		t.Helper()
		eventually(t, name, func() bool { _, err := modem{}.get(p.port, name); return err == nil })
	}
	reload := func() {
		t.Helper()
		if r := dcs("", "reload", "--force", "--config", at("dcs.yaml")); r.status != done {
			t.Errorf("%+v", r)
		}
	}
	link("library")
	write("dcs.yaml", config)
	p := serve(t, "--config", at("dcs.yaml"))
	p.said("msg=sandbox", "seccomp=on")
	gets(p, "modem.cm@020000000001")
	write("fleet.csv", "mac,profile,down\n020000000001,gold,50\n020000000002,gold,50\n")
	gets(p, "modem.cm@020000000002")
	link("next")
	write("dcs.yaml", config+"log_level: debug\n")
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	reload() // the library is another, which a signal does not accept
	gets(p, "new.cm")
	if err := p.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if p.count("durable") > 0 || p.count("devices not made") > 0 || p.count("permi") > 0 {
		t.Error("the sandbox is in the way")
	}
	if _, err := os.Stat(at("run/admin.sock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket stays: %v", err)
	}
	if err := os.Remove(at("fleet.csv")); err != nil {
		t.Fatal(err)
	}
	p = serve(t, "--config", at("dcs.yaml"))
	link("library")
	reload()
	gets(p, "modem.cm@020000000002") // of the snapshot
}

// A server whose AF_XDP sockets are lost and taken up again is in its sandbox, with a plug-in too, whose lives are all held to
// the same.
func TestSandboxXDP(t *testing.T) {
	t.Parallel()
	// The first life ends by itself, as numbers of processes are others in a lab.
	const plugin = `lives=$(grep -c . lives)
grep ^Seccomp_filters /proc/self/status >>lives
echo '{"hello":1,"attributes":["profile"],"list":true}'
while read -r line; do case $line in *list*) echo '{"end":true}'; if [ $lives = 0 ]; then exit; fi;; esac; done
`
	lab := netlab.ForTest(t, netlab.Config{})
	before := statusLines(t, os.Getpid())[0]["Seccomp_filters"]
	for _, with := range []string{"", "a plug-in"} {
		t.Run(with, func(t *testing.T) {
			dir := deviceFiles(t, map[string]string{"static/x": "text", "lives": "", "plugin.sh": plugin})
			config := "static: static\ntransport: xdp\ndrain: 1s\ndevices_dir: state\n"
			if with != "" {
				config += "devices: [{plugin: {argv: [/bin/sh, plugin.sh], dir: .}}]\n"
			}
			if err := os.WriteFile(filepath.Join(dir, "dcs.yaml"), []byte(config), 0o600); err != nil {
				t.Fatal(err)
			}
			p := labRun(t, lab, exec.Command(binary(t), "serve", "--config", filepath.Join(dir, "dcs.yaml")))
			p.await("msg=serving")
			p.said("msg=sandbox", "seccomp=", "on")
			if program := xdpOf(t, lab); program == 0 {
				t.Fatal("there is no program")
			} else if err := detachAll(lab, program); err != nil {
				t.Fatal(err)
			}
			p.said("sockets take all requests")
			eventually(t, "the program's return", func() bool { return xdpOf(t, lab) != 0 })
			want(t, lab, netlab.ServerAddr4.String(), "x", "text")
			if with != "" {
				var lives []string
				eventually(t, "two lives of the plug-in", func() bool {
					b, _ := os.ReadFile(filepath.Join(dir, "lives"))
					lives = strings.Split(strings.TrimSpace(string(b)), "\n")
					return len(lives) >= 2
				})
				for n, got := range lives {
					if strings.HasSuffix(got, "\t"+before) {
						t.Errorf("life %d has %q, as we have", n+1, got)
					}
				}
			}
			if err := p.stop(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
		})
	}
}
