package store

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcs/bench/require"
	"dcs/render/attr"
	"dcs/render/internal/rendertest"
)

// snapshot makes a directory that has device 1 in a file and device 2 in the journal.
func snapshot(t *testing.T, dir string) {
	t.Helper()
	f := newFake("db", []string{"n"}, dev(1, "", "1"))
	cfg, _ := testConfig(dir, following{plain{f}, f})
	s := openStore(t, cfg)
	is(t, s, 1, "n=1")
	crashed := func() { // what Close would put into a file
		f.apply <- []attr.Change{{Device: dev(2, "10.0.0.2", "2")}}
		is(t, s, 2, "n=2")
	}
	crashed()
	to := copyDir(t, dir)
	s.Close()
	files, err := os.ReadDir(to)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range files {
		data, err := os.ReadFile(filepath.Join(to, e.Name()))
		if err == nil {
			os.Remove(filepath.Join(dir, e.Name()))
			err = os.WriteFile(filepath.Join(dir, e.Name()), data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// serveReadOnly opens a Store in a directory that cannot be written: its files and changes are served, and it reports that the
// changes are not durable.
func serveReadOnly(dir string, cause error) error {
	f := newFake("db", []string{"n"}, dev(1, "", "1"), dev(2, "10.0.0.2", "2"), dev(5, "", "5"))
	for _, up := range []bool{false, true} {
		if f.openErr = nil; !up {
			f.openErr = errors.New("down")
		}
		cfg, ev := testConfig(dir, following{plain{f}, f})
		cfg.OpenWait = time.Nanosecond
		s, err := Open(cfg)
		if err != nil {
			return err
		}
		defer s.Close()
		await := func(what string, ok func() bool) {
			for range 10_000 {
				if ok() {
					return
				}
				time.Sleep(2 * time.Millisecond)
			}
			err = errors.Join(err, fmt.Errorf("source up %v: never: %s; %v", up, what, ev.last()))
		}
		if get(s, 1) != "n=1" || get(s, 2) != "n=2" || getIP(s, "10.0.0.2") != "n=2" {
			return fmt.Errorf("it serves %s, %s, %s", get(s, 1), get(s, 2), getIP(s, "10.0.0.2"))
		}
		await("told", func() bool { return ev.has(NotDurable, "", cause) && s.Durable() != nil })
		if up {
			await("what differs from the file is served", func() bool { return get(s, 5) == "n=5" })
			// The source's list has the changes too: it is loaded repeatedly meanwhile, since its file cannot be written.
			f.set(func() { f.devices = []attr.Device{dev(1, "", "new"), dev(5, "", "5")} })
			f.apply <- []attr.Change{{Device: dev(1, "", "new")}, gone(dev(2, ""))}
			await("changes are served", func() bool { return get(s, 1) == "n=new" && get(s, 2) == "none" })
			await("told of the file", func() bool { return ev.has(BuildFailed, "db", cause) })
		}
		if err != nil {
			return err
		}
		if err := s.Close(); err != nil {
			return err
		}
	}
	return nil
}

// serveFromMemory opens a Store in an empty directory that cannot be written, or in none at all: it serves.
func serveFromMemory(dir string) error {
	f := newFake("db", []string{"n"}, dev(1, "", "1"))
	cfg, _ := testConfig(dir, following{plain{f}, f})
	s, err := Open(cfg)
	if err != nil {
		return err
	}
	for range 10_000 {
		if get(s, 1) == "n=1" && s.AllLoaded() {
			return s.Close()
		}
		time.Sleep(2 * time.Millisecond)
	}
	return errors.Join(errors.New("never served"), s.Close())
}

func TestReadOnlyFileSystem(t *testing.T) {
	require.Root(t)
	dir := t.TempDir()
	made := t.TempDir() // files that are open and were removed would be in the way of the mount
	snapshot(t, made)
	rendertest.MountTmpfs(t, dir, "8m")
	if err := os.CopyFS(dir, os.DirFS(made)); err != nil {
		t.Fatal(err)
	}
	for _, locked := range []bool{true, false} {
		if !locked {
			if err := os.Remove(filepath.Join(dir, lockName)); err != nil {
				t.Fatal(err)
			}
		}
		if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
		if err := serveReadOnly(dir, syscall.EROFS); err != nil {
			t.Errorf("with a lock file %v: %v", locked, err)
		}
		if err := serveFromMemory(filepath.Join(dir, "none")); err != nil {
			t.Error(err)
		}
		if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT, ""); err != nil {
			t.Fatal(err)
		}
	}
	// Files are written as soon as that is possible.
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	f := newFake("db", []string{"n"}, dev(1, "", "1"), dev(2, "10.0.0.2", "2"))
	cfg, ev := testConfig(dir, following{plain{f}, f})
	s := openStore(t, cfg)
	f.apply <- []attr.Change{{Device: dev(7, "", "7")}}
	is(t, s, 7, "n=7")
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT, ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "durable again", func() bool { return ev.has(Durable, "", nil) && s.Durable() == nil })
	eventually(t, "loaded again", func() bool { return ev.has(Loaded, "db", nil) })
	if _, err := Open(cfg); !errors.Is(err, errInUse) {
		t.Errorf("a second Store: %v", err)
	}
}

// TestReadOnlyDirectory lacks permission to write, as another user.
func TestReadOnlyDirectory(t *testing.T) {
	if dir := os.Getenv("DCS_TEST_READ_ONLY"); dir != "" {
		if err := errors.Join(serveReadOnly(dir, syscall.EACCES), serveFromMemory(filepath.Join(dir, "none"))); err != nil {
			t.Fatal(err)
		}
		return
	}
	require.Root(t)
	dir := t.TempDir()
	snapshot(t, dir)
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile(os.Args[0]) // where the test was built nobody else may go
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(filepath.Dir(dir), "test")
	if err := os.WriteFile(program, self, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, locked := range []bool{true, false} {
		if !locked {
			if err := os.Remove(filepath.Join(dir, lockName)); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command(program, "-test.run=^TestReadOnlyDirectory$")
		cmd.Dir = "/"
		cmd.Env = append(os.Environ(), "DCS_TEST_READ_ONLY="+dir, "TMPDIR=/tmp")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, Pdeathsig: syscall.SIGKILL}
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS") {
			t.Errorf("with a lock file %v: %v\n%s", locked, err, out)
		}
	}
}
