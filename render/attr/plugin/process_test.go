package plugin_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcs/render/attr/plugin"
	"dcs/render/secret"
)

// No process of a plug-in's group outlives the plug-in, or Close.
func TestGroup(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, script string }{
		{"a child keeps the output open", "sleep 300 & echo $! >child; " + hello + "read h; read l; exit 4"},
		{"a child and the signal is ignored", "trap '' TERM; sleep 300 & echo $! >child; " + hello + "while :; do sleep 1; done"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			src := script(t, tc.script, func(c *plugin.Config) { c.Dir, c.BackoffMin = dir, time.Minute })
			open(t, src)
			if strings.Contains(tc.script, "exit 4") {
				if _, _, err := src.Ask(ctx, mac(1), netip.Addr{}); err == nil || !strings.Contains(err.Error(), "exit status 4") {
					t.Errorf("%v", err)
				}
			}
			begin := time.Now()
			src.Close()
			if d := time.Since(begin); d > 5*time.Second {
				t.Errorf("Close took %v", d)
			}
			b, err := os.ReadFile(filepath.Join(dir, "child"))
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
			if err != nil {
				t.Fatal(err)
			}
			for limit := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
				// A killed child may remain a zombie until init reaps it.
				stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
				if err != nil || strings.Contains(string(stat), ") Z ") {
					break
				}
				if time.Now().After(limit) {
					t.Errorf("the child %d lives on", pid)
					_ = syscall.Kill(pid, syscall.SIGKILL)
					break
				}
			}
		})
	}
}

func TestStderr(t *testing.T) {
	t.Parallel()
	var errs lineLog
	src := script(t, hello+`
read h; i=0; while [ $i -lt 2000 ]; do echo "line $i" >&2; i=$((i+1)); done
printf '\033[31mred\n' >&2; head -c 5000 /dev/zero | tr '\0' y >&2; echo >&2
read l; echo '{"end":true}'; read l`, func(c *plugin.Config) { c.Stderr = errs.add })
	names := open(t, src)
	if _, err := load(src, names); err != nil {
		t.Fatal(err)
	}
	src.Close()
	lines := errs.all()
	if len(lines) < 50 || len(lines) > 100 || lines[0] != "line 0" || !strings.Contains(lines[len(lines)-1], "more lines") {
		t.Errorf("%d lines, %q … %q", len(lines), lines[0], lines[len(lines)-1])
	}
	var few lineLog
	src = script(t, hello+`printf '\033[31mred\n' >&2; head -c 5000 /dev/zero | tr '\0' y >&2; echo >&2; echo end >&2; read l; read l`, func(c *plugin.Config) { c.Stderr = few.add })
	open(t, src)
	src.Close()
	if lines := few.all(); len(lines) != 3 || lines[0] != "\ufffd[31mred" || len(lines[1]) != 1024 || lines[2] != "end" {
		t.Errorf("%q", lines)
	}
}

// The environment is not inherited, and argv is not interpreted by a shell.
func TestEnvironment(t *testing.T) {
	t.Setenv("DCS_TEST_SECRET", "x")
	src := script(t, "", func(c *plugin.Config) {
		c.Env = []secret.Text{secret.New("GIVEN=y")}
		c.Argv = []string{"sh", "-c", hello + `read h; read l; echo "{\"mac\":\"0a0000000001\",\"attrs\":{\"a\":\"$DCS_TEST_SECRET,$GIVEN\",\"b\":\"$1\"}}"; echo '{"end":true}'; read l`, "plugin", "$(id); `id` | x"}
	})
	names := open(t, src)
	if got, err := load(src, names); err != nil || !slices.Equal(got, []string{"0a0000000001 a=,y b=$(id); `id` | x"}) {
		t.Errorf("%v, %q", err, got)
	}
}
