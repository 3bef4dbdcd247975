package library

import (
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"dcs/render/attr"
	"dcs/render/ber/mib"
	"dcs/render/mic"
	"dcs/render/skeleton"
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

// find returns what a name leads to; nil: nothing.
func find(s *Snapshot, name string) *Found { return s.Find([]byte(name)) }

// staticBody returns the octets of the static file of that name before the CM MIC.
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
	file := renderedBy(t, s, l, sk, nil)
	b, _, err := mic.Body(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// renderedBy returns the file of a name for a device at 198.18.0.1, signed with the empty secret.
func renderedBy(t testing.TB, s *Snapshot, l *Found, sk *skeleton.Skeleton, rec attr.Record) []byte {
	t.Helper()
	var sc skeleton.Scratch
	v := skeleton.Values{Attrs: rec, IP: netip.AddrFrom4([4]byte{198, 18, 0, 1})}
	l.Fill(&v)
	file, fault := sk.Build(nil, &v, &sc)
	if fault == skeleton.Unfit {
		if sk, fault = s.Exact(l, rec, false); fault == nil {
			file, fault = sk.Build(nil, &v, &sc)
		}
	}
	if fault == nil {
		file, fault = sk.Sign(file, mic.NewSecret(nil), &sc)
	}
	if fault != nil {
		t.Fatal(fault)
	}
	return file
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
