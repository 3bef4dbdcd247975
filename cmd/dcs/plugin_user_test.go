package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dcs/bench/require"
)

// An ordinary user's server starts a plug-in of that user's own, and refuses to start where one is another's. What starts no
// plug-in does not ask whose it is.
func TestPluginUserNotRoot(t *testing.T) {
	t.Parallel()
	require.Root(t)
	require.Program(t, "setpriv")
	const uid, gid = 65531, 65532
	dir := deviceFiles(t, withDevices("", map[string]string{"state/none": "", "plugin.sh": `touch started
echo '{"hello":1,"attributes":["profile","down"],"list":true,"ask":false}'
while read -r line; do
	case $line in *list*) echo '{"mac":"02:00:00:00:00:01","attrs":{"profile":"gold","down":"50"}}'; echo '{"end":true,"count":1}';; esac
done
`}))
	started := filepath.Join(dir, "started")
	config := func(user string) string {
		file := filepath.Join(dir, strings.ReplaceAll(user, ":", "-")+".yaml")
		write(t, file, fmt.Sprintf("library: library\ndevices_dir: state\ntransport: socket\nlisten: 127.0.0.1:0\ndevices: [{plugin: {name: p, argv: [/bin/sh, plugin.sh], dir: %s, user: %q}}]\n", dir, user))
		return file
	}
	own, other := config("65531:65532"), config("65530:65532")
	if err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			err = os.Chown(path, uid, gid)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	chmod(t, 0o755, filepath.Dir(dir), filepath.Dir(binary(t)))
	as := func(args ...string) *exec.Cmd {
		return exec.Command("setpriv", append([]string{"--reuid=65531", "--regid=65532", "--clear-groups", binary(t)}, args...)...)
	}
	const refused = "run as user 65530, group 65532: CAP_SETUID, CAP_SETGID and CAP_KILL are missing; start the server as root"

	p := start(t, as("serve", "--config", other, "--listen", "127.0.0.1:"+freePort(t)))
	if err := p.wait(); err == nil || p.count(refused) != 1 || p.count("level=") > 0 {
		t.Errorf("it starts what it cannot: %v\n%s", err, p.log)
	}
	if out, err := as("check", "--config", other, "--devices").CombinedOutput(); err == nil || !strings.Contains(string(out), refused) {
		t.Errorf("check: %v\n%s", err, out)
	}
	if _, err := os.Stat(started); err == nil {
		t.Error("the plug-in was started all the same")
	}

	p = start(t, as("serve", "--config", own, "--listen", "127.0.0.1:"+freePort(t)))
	p.await("msg=serving")
	p.await("devices loaded")
	for _, got := range statusLines(t, p.cmd.Process.Pid) {
		if got["CapPrm"] != mask() {
			t.Errorf("a thread of the server has CapPrm %s", got["CapPrm"])
		}
	}
	if err := p.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := os.Remove(started); err != nil {
		t.Error("the plug-in of the server's own user was not started:", err)
	}

	for _, args := range [][]string{{"check", "--offline"}, {"explain", "modem.cm@020000000001"}} {
		out, err := as(append(args, "--config", other)...).CombinedOutput()
		if err != nil || args[0] == "explain" && !strings.Contains(string(out), "MaxRateSustained 50000;") {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	if _, err := os.Stat(started); err == nil {
		t.Error("the plug-in was started by what starts none")
	}
}
