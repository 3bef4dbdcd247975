package library

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"dcs/render/ber/mib"
	"dcs/render/mic"
)

// tree writes files below a new directory and returns it. Contents are given by path.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func load(t testing.TB, files map[string]string) *Snapshot {
	t.Helper()
	s, err := Load(Config{Dirs: []string{tree(t, files)}, MIB: mib.Default()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func find(s *Snapshot, name string) *Learned { return s.Find(Hash([]byte(name)), []byte(name)) }

// body returns the octets of the static file of that name before the CM MIC.
func staticBody(t testing.TB, s *Snapshot, name string) []byte {
	t.Helper()
	l := find(s, name)
	if l == nil {
		t.Fatalf("nothing is called %q", name)
	}
	sk, fault := s.Skeleton(l, nil, false)
	if fault != nil {
		t.Fatal(fault)
	}
	file := sk.File(mic.NewSecret(nil))
	b, _, err := mic.Body(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// cpuTime is the processor time that the process has used. It is what a time limit is
// held against on a machine that does other things too.
func cpuTime(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
