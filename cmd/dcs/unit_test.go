package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"dcs/bench/netlab"
	"dcs/bench/require"
)

// What systemd thinks of the unit (0 is nothing exposed, 10 is all), alone and with the drop-in for those who do without XDP.
func TestUnitExposure(t *testing.T) {
	require.Program(t, "systemd-analyze")
	for _, tc := range []struct {
		name, dropIn string
		most         float64
	}{
		{"the unit", "", 2.7},
		{"without XDP", "no-xdp.conf", 2.0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			install := func(src, dst string) {
				t.Helper()
				b, err := os.ReadFile(filepath.Join("packaging/systemd", src))
				if err != nil {
					t.Fatal(err)
				}
				if err := writeFile(filepath.Join(dir, dst), b); err != nil {
					t.Fatal(err)
				}
			}
			install("dcs.service", "dcs.service")
			if tc.dropIn != "" {
				if err := os.Mkdir(filepath.Join(dir, "dcs.service.d"), 0o755); err != nil {
					t.Fatal(err)
				}
				install(tc.dropIn, "dcs.service.d/"+tc.dropIn)
			}
			// What is wrong in a line of a unit is told, and does not fail.
			out, err := exec.Command("systemd-analyze", "security", "--no-pager", "--offline=true", filepath.Join(dir, "dcs.service")).CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			m := regexp.MustCompile(`Overall exposure level for dcs\.service: ([0-9.]+)`).FindSubmatch(out)
			if m == nil {
				t.Fatalf("%s", out)
			}
			if got, err := strconv.ParseFloat(string(m[1]), 64); err != nil || got > tc.most {
				t.Errorf("exposure %s, want %v at most:\n%s", m[1], tc.most, out)
			}
			if bad := regexp.MustCompile(`(?m)^.*(Unknown|Failed|ignoring).*$`).Find(out); bad != nil {
				t.Errorf("%s", bad)
			}
		})
	}
}

// The server serves port 69 with the one capability that the drop-in leaves it, whether the service manager gives it or the
// file has it, as in the image.
func TestOneCapability(t *testing.T) {
	t.Parallel()
	lab := netlab.ForTest(t, netlab.Config{})
	require.Program(t, "setpriv")
	require.Program(t, "setcap")
	dir := static(t, map[string]string{"x": "text"})
	b, err := os.ReadFile(binary(t))
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "dcs")
	if err := os.WriteFile(bin, b, 0o755); err != nil {
		t.Fatal(err)
	}
	chmod(t, 0o755, filepath.Dir(dir), dir, bin)
	chmod(t, 0o644, filepath.Join(dir, "x"))
	user := []string{"--reuid=65531", "--regid=65532", "--clear-groups", "--bounding-set=-all,+net_bind_service"}
	for _, tc := range []struct {
		name, file string // capabilities of the file
		args       []string
	}{
		{"of the manager", "", append([]string{"--inh-caps=-all,+net_bind_service", "--ambient-caps=-all,+net_bind_service", "--no-new-privs"}, user...)},
		{"of the file", "cap_net_bind_service,cap_net_raw,cap_net_admin,cap_bpf,cap_perfmon=p", append([]string{"--inh-caps=-all"}, user...)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.file != "" {
				if out, err := exec.Command("setcap", tc.file, bin).CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
			}
			p := labRun(t, lab, exec.Command("setpriv", append(tc.args, bin, "serve", "--static", dir, "--drain", "1s")...))
			p.await("msg=serving")
			for _, got := range statusLines(t, p.cmd.Process.Pid) {
				if got["CapPrm"] != mask() || got["CapBnd"] != mask(unix.CAP_NET_BIND_SERVICE) {
					t.Errorf("a thread has CapPrm %s, CapBnd %s", got["CapPrm"], got["CapBnd"])
				}
			}
			p.said("msg=serving", "transport=socket")
			want(t, lab, netlab.ServerAddr4.String(), "x", "text")
			if err := p.stop(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
		})
	}
}
