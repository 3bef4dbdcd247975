package cgroup

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMemoryLimit(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  int64 // 0: none
	}{
		{"none", nil, 0},
		{"version 2", map[string]string{
			"proc/self/cgroup": "0::/system.slice/dcs.service\n", "sys/fs/cgroup/system.slice/dcs.service/memory.max": "209715200\n",
			"sys/fs/cgroup/system.slice/memory.max": "max\n",
		}, 209715200},
		{"version 2, of a slice", map[string]string{
			"proc/self/cgroup": "0::/system.slice/dcs.service\n", "sys/fs/cgroup/system.slice/dcs.service/memory.max": "max\n",
			"sys/fs/cgroup/system.slice/memory.max": "1000000\n",
		}, 1000000},
		{"version 2, in a container", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "5000000\n"}, 5000000},
		{"version 1", map[string]string{
			"proc/self/cgroup": "4:cpu,cpuacct:/x\n3:memory:/docker/4711\n0::/\n", "sys/fs/cgroup/memory/docker/4711/memory.limit_in_bytes": "199999488\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, 199999488},
		{"version 1 without a limit", map[string]string{
			"proc/self/cgroup": "3:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, 0},
		{"version 2 without a limit", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, 0},
	} {
		root := t.TempDir()
		for name, text := range tt.files {
			file := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, ok := memoryLimit(root)
		if ok != (tt.want > 0) || ok && got != tt.want {
			t.Errorf("%s: %d, %v, want %d", tt.name, got, ok, tt.want)
		}
	}
}
