package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcs/render/attr"
	"dcs/render/attr/localdb"
	"dcs/render/internal/rendertest"
	"dcs/render/mapped"
)

func TestStoreDamagedFiles(t *testing.T) { runBubble(t, testStoreDamagedFiles) }

func testStoreDamagedFiles(t *testing.T) {
	a := newFake("a", []string{"n"}, dev(1, "", "1"))
	b := newFake("b", []string{"m"}, dev(1, "", "2"))
	dir := t.TempDir()
	cfg, ev := testConfig(dir, plain{a}, plain{b})
	s := openStore(t, cfg)
	eventually(t, "merged", func() bool { return len(get(s, 1)) == len("n=1 m=2") && ev.has(Merged, "", nil) })
	s.Close()
	files, err := filepath.Glob(filepath.Join(dir, "*.devices"))
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		for _, at := range []int64{0, 5000} { // in the header, in the rows
			whole, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			bad := slices.Clone(whole)
			bad[at] ^= 1
			os.Remove(name)
			if err := os.WriteFile(name, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			cfg, ev = testConfig(dir, plain{a}, plain{b})
			s = openStore(t, cfg)
			eventually(t, "told of damage", func() bool {
				return ev.has(Damaged, "", localdb.ErrDamaged) || ev.has(Damaged, "a", localdb.ErrDamaged) || ev.has(Damaged, "b", localdb.ErrDamaged)
			})
			eventually(t, "served all the same", func() bool { return len(get(s, 1)) == len("n=1 m=2") })
			s.Close()
		}
	}
}

// With a full disk, the known devices are still served.
func TestStoreDiskFull(t *testing.T) { runBubble(t, testStoreDiskFull) }

func testStoreDiskFull(t *testing.T) {
	dir := t.TempDir()
	rendertest.MountTmpfs(t, dir, "1m")
	f := newFake("db", []string{"n"}, dev(1, "", "1"))
	cfg, ev := testConfig(dir, following{plain{f}, f})
	s := openStore(t, cfg)
	is(t, s, 1, "n=1")
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	f.set(func() { f.devices = []attr.Device{dev(1, "", "2")} })
	f.apply <- []attr.Change{{Device: dev(3, "", "3")}} // needs no disk
	is(t, s, 3, "n=3")
	s.requestRebuild()
	eventually(t, "no file for the changes", func() bool { return ev.has(BuildFailed, "", syscall.ENOSPC) })
	f.apply <- nil
	eventually(t, "no file for the load", func() bool { return ev.has(BuildFailed, "db", syscall.ENOSPC) })
	is(t, s, 1, "n=2") // nor does what differs from the file
	is(t, s, 3, "n=3")
	big := strings.Repeat("4", 20_000) // more than is left of the journal's last page
	f.apply <- []attr.Change{{Device: dev(4, "", big)}}
	is(t, s, 4, "n="+big)
	eventually(t, "told that changes are not durable", func() bool { return ev.has(NotDurable, "", syscall.ENOSPC) && s.Durable() != nil })
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	eventually(t, "durable again", func() bool { return ev.has(Durable, "", nil) && s.Durable() == nil })
	eventually(t, "loaded again", func() bool { return get(s, 3) == "none" })
	is(t, s, 1, "n=2")
}

// A file of devices that is truncated in place while it is loaded is an error, not a crash.
func TestFileSourceCut(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "built")
	var fleet []attr.Device
	for i := range 100_000 {
		fleet = append(fleet, dev(i, "", fmt.Sprint(i)))
	}
	if _, err := Build(t.Context(), path, newFake("csv", []string{"n"}, fleet...), localdb.Options{}, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	src := NewFile(path, 0)
	if _, err := src.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := 0
	err := src.Load(t.Context(), func(*attr.Device) error {
		if n++; n == 10 {
			return os.Truncate(path, 4096)
		}
		return nil
	})
	if !errors.Is(err, mapped.ErrCut) || !strings.Contains(err.Error(), path) || n < 10 || n == len(fleet) {
		t.Errorf("%v after %d devices", err, n)
	}
	if _, err := src.Open(t.Context()); err == nil {
		t.Error("what is left is taken for a file of devices")
	}
}

func TestFileSource(t *testing.T) { runBubble(t, testFileSource) }

func testFileSource(t *testing.T) {
	path := filepath.Join(t.TempDir(), "built")
	f := newFake("csv", []string{"n"}, dev(1, "10.0.0.1", "1"), attr.Device{}, dev(1, "10.0.0.1", "one"))
	calls := 0
	built, err := Build(t.Context(), path, f, localdb.Options{}, func(int) { calls++ })
	if err != nil || built.Devices != 1 || built.Duplicates != 1 || built.Rejected.Rows != 1 || calls == 0 {
		t.Fatalf("%+v, %v", built, err)
	}
	cfg, ev := testConfig(t.TempDir(), NewFile(path, time.Millisecond))
	s := openStore(t, cfg)
	is(t, s, 1, "n=one")
	f.set(func() { f.devices = []attr.Device{dev(2, "", "2")} })
	if _, err := Build(t.Context(), path, f, localdb.Options{}, nil); err != nil {
		t.Fatal(err)
	}
	is(t, s, 2, "n=2")
	f.set(func() { f.loadErr = errors.New("half") })
	if _, err := Build(t.Context(), path, f, localdb.Options{}, nil); !errors.Is(err, f.loadErr) {
		t.Error(err)
	}
	is(t, s, 2, "n=2")
	// A damaged file does not replace the one in service.
	bad, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad[4100] ^= 1
	os.Remove(path)
	if err := os.WriteFile(path, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "told of damage", func() bool { return ev.has(Failed, "file "+path, localdb.ErrDamaged) })
	is(t, s, 2, "n=2")
}
