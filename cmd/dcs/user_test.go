package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// needRoot skips a test that only root can run.
func needRoot(t *testing.T) {
	t.Helper()
	switch {
	case os.Geteuid() == 0:
	case os.Getenv("DCS_REQUIRE_ROOT") != "":
		t.Fatal("only root can run this, and DCS_REQUIRE_ROOT is set")
	default:
		t.Skip("only root can run this")
	}
}

// open lets every user into a test's directories.
func openToAll(t *testing.T, dirs ...string) {
	t.Helper()
	for _, d := range dirs {
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
}

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
	needRoot(t)
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
			openToAll(t, filepath.Dir(dir), dir, filepath.Join(dir, "lives"))
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
