package plugin_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dcs/bench/require"
	"dcs/render/attr/plugin"
)

// report is a plug-in that prints what it was given, through a program that it starts, and then ends properly.
const report = hello + `
( cat /proc/self/status; ls /proc/$$/fd | sed 's/^/fd: /'; ps -o sid=,pgid= -p $$ | sed 's/^/session: /'; echo "pid: $$"; echo "home: $HOME" ) >report.new
mv report.new report; read -r h; read -r l`

// statusOf runs a plug-in and returns the lines of its report by their first word.
func statusOf(t *testing.T, dir string, change func(*plugin.Config)) map[string][]string {
	t.Helper()
	src := script(t, "umask 022; "+report, func(c *plugin.Config) {
		c.Dir = dir
		if change != nil {
			change(c)
		}
	})
	open(t, src)
	path := filepath.Join(dir, "report")
	eventually(t, func() bool { _, err := os.Stat(path); return err == nil })
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]string)
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		all[name] = append(all[name], strings.Join(strings.Fields(value), " "))
	}
	return all
}

// A plug-in has no capabilities, cannot gain any, inherits no descriptor and has its own session, as any user; our own capabilities
// remain.
func TestConfined(t *testing.T) {
	nobody := &syscall.Credential{Uid: 65534, Gid: 65533, Groups: []uint32{65532}}
	users := map[string]*syscall.Credential{"our user": nil}
	if os.Geteuid() == 0 {
		users["another user"] = nobody
	} else if os.Getenv("DCS_REQUIRE_ROOT") != "" {
		t.Fatal("only root can start a plug-in as another user")
	}
	// A descriptor without close-on-exec, like one that we inherited.
	null, err := unix.Open("/dev/null", unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(null)
	for name, cred := range users {
		t.Run(name, func(t *testing.T) {
			if _, err := unix.FcntlInt(uintptr(null), unix.F_SETFD, 0); err != nil { // as the one before closes it
				t.Fatal(err)
			}
			t.Setenv("HOME", "/ours")
			dir := t.TempDir()
			if cred != nil {
				for _, d := range []string{filepath.Dir(dir), dir} {
					if err := os.Chmod(d, 0o777); err != nil {
						t.Fatal(err)
					}
				}
			}
			before := capabilities(t)
			got := statusOf(t, dir, func(c *plugin.Config) { c.Credential = cred })
			want := map[string]string{"NoNewPrivs": "1", "fd": "0 1 2", "home": "/ours"}
			for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
				want[set] = strings.Repeat("0", 16)
			}
			if os.Geteuid() != 0 {
				delete(want, "CapBnd") // to empty it takes CAP_SETPCAP
			}
			if cred != nil {
				want["Uid"], want["Gid"], want["Groups"], want["home"] = "65534 65534 65534 65534", "65533 65533 65533 65533", "65532", ""
			}
			pid := strings.Join(got["pid"], " ")
			want["session"] = pid + " " + pid
			for k, w := range want {
				if g := strings.Join(got[k], " "); g != w {
					t.Errorf("%s is %q, want %q", k, g, w)
				}
			}
			if after := capabilities(t); after != before {
				t.Errorf("we have %s, and had %s", after, before)
			}
		})
	}
}

// capabilities returns the capability sets of all our threads, one line for equal ones. Threads that have started a plug-in differ in
// the other sets only.
func capabilities(t *testing.T) string {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(tasks) < 2 {
		t.Fatalf("%v, %d threads", err, len(tasks))
	}
	seen := ""
	for _, task := range tasks {
		b, err := os.ReadFile(task)
		if err != nil {
			continue // it has ended
		}
		one := ""
		for line := range strings.Lines(string(b)) {
			if strings.HasPrefix(line, "CapPrm") || strings.HasPrefix(line, "CapEff") {
				one += strings.TrimSpace(line) + " "
			}
		}
		if !strings.Contains(seen, one) {
			seen += one + "\n"
		}
	}
	return seen
}

// A plug-in that runs as another user ends with its source, even if it ignores signals.
func TestAnotherUserEnds(t *testing.T) {
	require.Root(t)
	t.Parallel()
	src := script(t, "trap '' TERM; echo $$ >&2; "+hello+"while :; do sleep 1; done", func(c *plugin.Config) {
		c.Dir, c.Credential = "/", &syscall.Credential{Uid: 65534, Gid: 65534}
	})
	open(t, src)
	if err := src.Close(); err != nil { // waits for its end
		t.Error(err)
	}
}

// Without permission to change the user, Open fails before a process is started. Running as the current user needs no permission.
func TestAnotherUserRefused(t *testing.T) {
	if os.Geteuid() == 0 { // who may
		asNobody(t)
		return
	}
	dir := t.TempDir()
	as := func(c syscall.Credential) error {
		src := script(t, "touch started; "+hello+"read -r h", func(cfg *plugin.Config) { cfg.Name, cfg.Dir, cfg.Credential = "p", dir, &c })
		_, err := src.Open(t.Context())
		return errors.Join(err, src.Close())
	}
	started := func() bool { _, err := os.Stat(filepath.Join(dir, "started")); return err == nil }
	own := syscall.Credential{Uid: uint32(os.Geteuid()), Gid: uint32(os.Getegid())}
	groups, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		own.Groups = append(own.Groups, uint32(g))
	}
	for name, change := range map[string]func(*syscall.Credential){
		"user":        func(c *syscall.Credential) { c.Uid++ },
		"group":       func(c *syscall.Credential) { c.Gid++ },
		"group more":  func(c *syscall.Credential) { c.Groups = append([]uint32{65432}, c.Groups...) },
		"root itself": func(c *syscall.Credential) { *c = syscall.Credential{} },
	} {
		c := own
		change(&c)
		want := fmt.Sprintf("p: start: run as user %d, group %d: CAP_SETUID", c.Uid, c.Gid)
		if err := as(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	if started() {
		t.Error("a plug-in was started as somebody else")
	}
	if err := as(own); err != nil || !started() {
		t.Errorf("our own user: %v", err)
	}
}

// asNobody runs the test again as a user without any privilege.
func asNobody(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	self, err := os.ReadFile(os.Args[0]) // where the test was built nobody else may go
	if err == nil {
		err = errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o755), os.WriteFile(filepath.Join(dir, "test"), self, 0o755))
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, "test"), "-test.v", "-test.run=^"+t.Name()+"$")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, Pdeathsig: syscall.SIGKILL}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited 30 s")
		}
	}
}
