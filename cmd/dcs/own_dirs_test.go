package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dcs/bench/require"

	"golang.org/x/sys/unix"
)

// With paths that a configuration gives beside itself, its directory stays root's, which the start and check say once each.
func TestConfigurationNotHandedOver(t *testing.T) {
	require.Root(t)
	for name, config := range map[string]string{
		"admin":       "admin: unix:admin.sock\n",
		"devices_dir": "devices_dir: .\ndevices: [csv: ../fleet.csv]\n",
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			dir := filepath.Join(root, "etc")
			file := filepath.Join(dir, "dcs.yaml")
			lay(t, map[string]string{
				file:                             "static: ../static\ntransport: socket\nuser: 65531:65532\n" + config,
				filepath.Join(root, "fleet.csv"): "mac,ip\n0a:01:02:03:04:05,10.1.2.3\n",
				filepath.Join(root, "static/x"):  "text",
			})
			chmod(t, 0o755, filepath.Dir(root), root, dir, filepath.Join(root, "static"))
			chmod(t, 0o644, file, filepath.Join(root, "fleet.csv"), filepath.Join(root, "static/x"))
			warning := fmt.Sprintf("%s: %s is not given to the user 65531:65532, as the configuration %s is there", name, dir, file)
			if checked := dcs("", "check", "--config", file); strings.Count(checked.stderr, "warning: "+warning) != 1 {
				t.Errorf("check says\n%s", checked.stderr)
			}
			p := start(t, exec.Command(binary(t), "serve", "--config", file, "--listen", "127.0.0.1:"+freePort(t)))
			p.said("level=WARN", warning)
			p.said("user changed") // after all that is handed over
			if p.count(warning) != 1 {
				t.Error("it is said more than once")
			}
			for _, path := range []string{dir, file} {
				var st unix.Stat_t
				if err := unix.Stat(path, &st); err != nil || st.Uid != 0 || st.Gid != 0 {
					t.Errorf("%s is of %d:%d, %v", path, st.Uid, st.Gid, err)
				}
			}
			names, err := filepath.Glob(filepath.Join(dir, "*"))
			if err != nil || !slices.Equal(names, []string{file}) {
				t.Errorf("%q, %v", names, err)
			}
		})
	}
}
