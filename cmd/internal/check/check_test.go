package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dcs/bench/require"
	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/dcstest"
)

// The runner is the unit's user if the unit uses the configuration; otherwise there is none.
func TestRunnerOf(t *testing.T) {
	require.Root(t)
	dir := t.TempDir()
	file, other := filepath.Join(dir, "dcs.yaml"), filepath.Join(dir, "other.yaml")
	link := filepath.Join(dir, "link.yaml")
	dcstest.Lay(t, map[string]string{file: "", other: ""})
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	packaged, err := os.ReadFile("../../dcs/packaging/systemd/dcs.service")
	if err != nil {
		t.Fatal(err)
	}
	service := strings.ReplaceAll(string(packaged), "/etc/dcs/dcs.yaml", file)
	service = strings.ReplaceAll(strings.ReplaceAll(service, "User=dcs", "User=65531:65532"), "Group=dcs", "Group=65533")
	noXDP, err := os.ReadFile("../../dcs/packaging/systemd/no-xdp.conf")
	if err != nil {
		t.Fatal(err)
	}
	all := "CAP_NET_BIND_SERVICE CAP_NET_RAW CAP_BPF CAP_NET_ADMIN CAP_PERFMON"
	for _, tt := range []struct {
		name       string
		file, user string
		units      map[string]string
		uid, gid   uint32
		caps       string
		err        string
	}{
		{name: "no unit", file: file},
		{name: "the packaged unit", file: file, units: map[string]string{"1/dcs.service": service}, uid: 65531, gid: 65533, caps: all},
		{name: "by a link", file: link, units: map[string]string{"1/dcs.service": service}, uid: 65531, gid: 65533, caps: all},
		{name: "another configuration", file: other, units: map[string]string{"1/dcs.service": service}},
		{name: "none", units: map[string]string{"1/dcs.service": service}},
		{name: "without XDP", file: file, units: map[string]string{"1/dcs.service": service, "0/dcs.service.d/no-xdp.conf": string(noXDP)}, uid: 65531, gid: 65533, caps: "CAP_NET_BIND_SERVICE"},
		{name: "another ExecStart", file: other, units: map[string]string{"1/dcs.service": service, "1/dcs.service.d/a.conf": "[Service]\nExecStart=\nExecStart=dcs serve -c " + other + "\n"}, uid: 65531, gid: 65533, caps: all},
		{name: "the first directory's", file: file, units: map[string]string{"0/dcs.service": "[Service]\nExecStart=dcs serve --config=" + file + "\nUser=65530:65530\n", "1/dcs.service": service}, uid: 65530, gid: 65530},
		{name: "root", file: file, units: map[string]string{"1/dcs.service": "[Service]\nExecStart=dcs serve --config=" + file + "\n"}},
		{name: "no such user", file: file, units: map[string]string{"1/dcs.service": "[Service]\nUser=nobody-of-that-name\nExecStart=dcs serve --config=" + file + "\n"}, err: "no such entry"},
		{name: "the key user goes before", file: file, user: "65529:65528", units: map[string]string{"1/dcs.service": service}, uid: 65529, gid: 65528, caps: strings.Join(assemble.Opening, " ")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			units := t.TempDir()
			for name, text := range tt.units {
				dcstest.Lay(t, map[string]string{filepath.Join(units, name): text})
			}
			r, err := runnerOf(tt.file, &config.Config{User: tt.user}, []string{filepath.Join(units, "0"), filepath.Join(units, "1")})
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("%v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || (r.cred == nil) != (tt.uid == 0) || r.cred != nil && (r.cred.Uid != tt.uid || r.cred.Gid != tt.gid || strings.Join(r.caps, " ") != tt.caps) {
				t.Errorf("%+v %+v, %v", r, r.cred, err)
			}
		})
	}
}
