package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"dcs/bench/netlab"
	"dcs/bench/require"
)

// statusLines returns the lines of /proc/PID/status by their names, of each thread.
func statusLines(t *testing.T, pid int) (threads []map[string]string) {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		b, err := os.ReadFile(task)
		if err != nil {
			continue // a thread that has ended
		}
		all := make(map[string]string)
		for line := range strings.Lines(string(b)) {
			name, value, _ := strings.Cut(line, ":")
			all[name] = strings.Join(strings.Fields(value), " ")
		}
		threads = append(threads, all)
	}
	if len(threads) == 0 {
		t.Fatalf("process %d has ended", pid)
	}
	return threads
}

// mask returns a set of capabilities as the kernel writes it.
func mask(caps ...uint) string {
	var m uint64
	for _, c := range caps {
		m |= 1 << c
	}
	return fmt.Sprintf("%016x", m)
}

// fileCaps are what a server that stays root reads its files with.
var fileCaps = []uint{unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_DAC_READ_SEARCH, unix.CAP_FOWNER}

// A plug-in has nothing of the server's, in its first life and in one that begins after the server has given up what it needs
// no more; and it does not outlive a server that is killed, though it ignores the end of its input.
func TestPluginUser(t *testing.T) {
	t.Parallel()
	require.Long(t, "lives of plug-ins")
	require.Root(t)
	const script = `echo $$ >>%s/lives
echo '{"hello":1,"attributes":["profile"],"list":true,"ask":false}'
while :; do
	while read -r line; do
		case $line in *list*) echo '{"mac":"02:00:00:00:00:01","attrs":{"profile":"gold"}}'; echo '{"end":true,"count":1}';; esac
	done
	sleep 1
done
`
	for _, tc := range []struct {
		name, user, id string
		left           []uint
	}{
		{"our user", "", "0", fileCaps},
		{"another user", "65534:65533", "65534", append([]uint{unix.CAP_SETUID, unix.CAP_SETGID, unix.CAP_KILL}, fileCaps...)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := deviceFiles(t, withDevices("", map[string]string{"lives": ""}))
			user := ""
			if tc.user != "" {
				user = ", user: " + tc.user
			}
			cfg := filepath.Join(dir, "dcs.yaml")
			text := fmt.Sprintf("library: library\ndevices_dir: state\ntransport: socket\ndevices: [{plugin: {argv: [/bin/sh, plugin.sh], dir: %s%s}}]\n", dir, user)
			for name, text := range map[string]string{"dcs.yaml": text, "plugin.sh": fmt.Sprintf(script, dir)} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			chmod(t, 0o777, filepath.Dir(dir), dir, filepath.Join(dir, "lives"))
			p := serve(t, "--config", cfg)
			life := func(n int) (pid int) {
				eventually(t, fmt.Sprintf("life %d of the plug-in", n), func() bool {
					b, _ := os.ReadFile(filepath.Join(dir, "lives"))
					lives := strings.Fields(string(b))
					if len(lives) < n {
						return false
					}
					pid, _ = strconv.Atoi(lives[n-1])
					return true
				})
				return pid
			}
			for n := 1; n <= 2; n++ {
				pid := life(n)
				got := statusLines(t, pid)[0]
				for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
					if got[set] != mask() {
						t.Errorf("life %d: %s %s", n, set, got[set])
					}
				}
				if want := strings.TrimSpace(strings.Repeat(tc.id+" ", 4)); got["Uid"] != want || got["NoNewPrivs"] != "1" {
					t.Errorf("life %d: Uid %s, NoNewPrivs %s", n, got["Uid"], got["NoNewPrivs"])
				}
				if n == 1 {
					if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
						t.Fatal(err)
					}
				}
			}
			for _, got := range statusLines(t, p.cmd.Process.Pid) {
				if got["CapPrm"] != mask(tc.left...) || got["CapBnd"] != mask() {
					t.Errorf("a thread of the server has CapPrm %s, CapBnd %s; want %s and none", got["CapPrm"], got["CapBnd"], mask(tc.left...))
				}
			}
			_ = p.stop(syscall.SIGKILL) // it ends as it must
			pid := life(2)
			eventually(t, "the plug-in's end", func() bool {
				stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
				return err != nil || strings.Contains(string(stat), ") Z ")
			})
		})
	}
}

// A server that root starts runs as another user from before it opens anything, with the state that it had as root, and
// reads anew what it may read. What it may not read it names at once.
func TestUser(t *testing.T) {
	t.Parallel()
	require.Root(t)
	const uid, gid = 65531, 65532
	dir := deviceFiles(t, withDevices("", map[string]string{
		"fleet.csv": "mac,profile,down\n020000000001,gold,50\n", "secret": "xyz", "token": "0123456789abcdef0123456789abcdef", "static/plain": "text", "static/closed": "text", "run/old": "",
	}))
	at := func(name string) string { return filepath.Join(dir, name) }
	config := fmt.Sprintf(`library: library
static: static
transport: socket
secret_file: secret
devices_dir: state
devices: [{csv: {path: fleet.csv, settle: 10ms, poll: 10ms}}]
admin: unix:%s/run/admin.sock
`, dir)
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(at(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("dcs.yaml", config)
	p := serve(t, "--config", at("dcs.yaml"))
	gold := func() bool {
		got, err := modem{}.get(p.port, "modem.cm@020000000001")
		return err == nil && len(got) > 0
	}
	eventually(t, "root's devices", gold)
	if err := p.stop(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}

	chmod(t, 0o640, at("fleet.csv"))
	for _, name := range []string{"library", "static", "static/plain", "fleet.csv"} {
		if err := os.Chown(at(name), 0, gid); err != nil {
			t.Fatal(err)
		}
	}
	for _, pattern := range []string{"library/*", "static/plain"} {
		names, err := filepath.Glob(at(pattern))
		if err != nil || len(names) == 0 {
			t.Fatal(names, err)
		}
		chmod(t, 0o644, names...)
	}
	chmod(t, 0o755, filepath.Dir(dir), dir)
	write("dcs.yaml", config+fmt.Sprintf("user: %d:%d\n", uid, gid))

	port := freePort(t)
	p = start(t, exec.Command(binary(t), "serve", "--config", at("dcs.yaml"), "--listen", "127.0.0.1:"+port))
	if err := p.wait(); err == nil {
		t.Error("it runs with a secret that it cannot read")
	}
	checked := dcs("", "check", "--config", at("dcs.yaml"))
	for _, what := range []string{"secret_file: access " + at("secret"), "access " + at("dcs.yaml")} {
		if line := fmt.Sprintf("user %d:%d: %s: permission denied; change", uid, gid, what); strings.Count(checked.stderr, line) != 1 {
			t.Errorf("check does not say %s:\n%s", line, checked.stderr)
		}
	}
	if n := strings.Count(checked.stderr, "permission denied"); n != 3 || !strings.Contains(checked.stderr, "static/closed") || checked.status != failed {
		t.Errorf("check says of %d files that they cannot be read, and ends with %d", n, checked.status)
	}
	for _, what := range []string{"secret_file: access " + at("secret"), "open " + at("dcs.yaml")} {
		if p.count("level=ERROR", "not readable by the server's user", fmt.Sprintf("user=%d:%d", uid, gid), what) != 1 {
			t.Errorf("it does not say that it cannot %s", what)
		}
	}
	if n := p.count("not readable by"); n != 2 {
		t.Errorf("%d files are said to be not readable, want 2", n)
	}
	if err := errors.Join(os.Chown(at("secret"), uid, gid), os.Chmod(at("dcs.yaml"), 0o644)); err != nil {
		t.Fatal(err)
	}

	if checked := dcs("", "check", "--config", at("dcs.yaml")); strings.Count(checked.stderr, "permission denied") != 1 || !strings.Contains(checked.stderr, "static/closed: cannot be read: permission denied") {
		t.Errorf("check: %+v", checked)
	}
	p = serve(t, "--config", at("dcs.yaml"))
	if !gold() {
		t.Error("the snapshot that root left is not served")
	}
	for _, got := range statusLines(t, p.cmd.Process.Pid) {
		for name, want := range map[string]string{
			"Uid": strings.TrimSpace(strings.Repeat(fmt.Sprint(uid)+" ", 4)), "Gid": strings.TrimSpace(strings.Repeat(fmt.Sprint(gid)+" ", 4)), "Groups": "",
			"CapInh": mask(), "CapPrm": mask(), "CapEff": mask(), "CapBnd": mask(), "CapAmb": mask(), "NoNewPrivs": "1",
		} {
			if got[name] != want {
				t.Errorf("a thread's %s is %s, want %s", name, got[name], want)
			}
		}
	}
	p.said("static/closed", "permission denied")
	// A device more, a template more, a level more, and the snapshot is written as the user.
	if err := os.WriteFile(at("fleet.csv"), []byte("mac,profile,down\n020000000001,gold,50\n020000000007,gold,50\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	write("library/new.dcs", "Main \"new.cm\" { MaxCPE 3; }")
	write("dcs.yaml", config+fmt.Sprintf("user: %d:%d\nlog_level: debug\n", uid, gid))
	p.reload()
	for _, name := range []string{"new.cm", "modem.cm@020000000007"} {
		eventually(t, name, func() bool { _, err := modem{}.get(p.port, name); return err == nil })
	}
	if p.count("level=WARN", "durable") > 0 || p.count("devices not made") > 0 || p.count("handed over") > 0 {
		t.Error("the state is not the user's")
	}
	if err := p.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"state", "run", "run/old"} {
		var st unix.Stat_t
		if err := unix.Stat(at(name), &st); err != nil || st.Uid != uid || st.Gid != gid {
			t.Errorf("%s is of %d:%d, %v", name, st.Uid, st.Gid, err)
		}
	}
}

// Who is not root cannot become somebody else, and who is that user already has nothing to do.
func TestUserNotRoot(t *testing.T) {
	t.Parallel()
	require.Root(t)
	require.Program(t, "setpriv")
	dir := static(t, map[string]string{"x": "text"})
	chmod(t, 0o755, filepath.Dir(dir), dir, filepath.Dir(binary(t)))
	as := func(user string) *process {
		port := freePort(t)
		return start(t, exec.Command("setpriv", "--reuid=65531", "--regid=65532", "--clear-groups", binary(t),
			"serve", "--static", dir, "--listen", "127.0.0.1:"+port, "--transport", "socket", "--user", user))
	}
	p := as("65530:65532")
	if err := p.wait(); err == nil || p.count("user: user 65531 cannot become 65530:65532") != 1 {
		t.Errorf("%v", err)
	}
	p = as("65531:65532")
	p.await("msg=serving")
	if p.count("user changed") > 0 {
		t.Error("it became who it was")
	}
	if p = as("nobody-of-that-name"); p.wait() == nil || p.count("user nobody-of-that-name: no such entry") != 1 {
		t.Error("a user that is not there is not told")
	}
}

// The user opens the low port and XDP, and keeps no more than XDP takes while it runs.
func TestUserXDP(t *testing.T) {
	t.Parallel()
	lab := netlab.ForTest(t, netlab.Config{})
	dir := static(t, map[string]string{"x": "text"})
	chmod(t, 0o755, filepath.Dir(dir), dir)
	secret := filepath.Join(filepath.Dir(dir), "secret")
	if err := os.WriteFile(secret, []byte("of the CMTS"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{filepath.Join(dir, "x"), secret} {
		if err := os.Chown(f, 65531, 65532); err != nil {
			t.Fatal(err)
		}
	}
	for transport, left := range map[string]string{"xdp": mask(unix.CAP_NET_ADMIN), "socket": mask()} {
		p := labServe(t, lab, "--static", dir, "--transport", transport, "--user", "65531:65532",
			"--secret-file", secret, "--allow", "198.18.0.0/15,fd00::/8") // what is said of unsafe settings is no matter of its user
		for _, got := range statusLines(t, p.cmd.Process.Pid) {
			if got["CapPrm"] != left || got["CapBnd"] != mask() || !strings.HasPrefix(got["Uid"], "65531 ") {
				t.Errorf("%s: a thread has CapPrm %s, CapBnd %s, Uid %s", transport, got["CapPrm"], got["CapBnd"], got["Uid"])
			}
		}
		p.said("msg=serving", "transport="+transport)
		want(t, lab, netlab.ServerAddr4.String(), "x", "text")
		if err := p.stop(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if p.count("level=WARN") > 0 {
			t.Error("it warns of what root would not")
		}
	}
}
