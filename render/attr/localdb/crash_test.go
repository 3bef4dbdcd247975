package localdb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"dcs/bench/require"
	"dcs/render/attr"
	"dcs/render/internal/rendertest"
)

// crashFleet adds 6,000 devices, each with the version as its value.
func crashFleet(b *Builder, version string) error {
	for i := range uint64(6000) {
		d := dev(i, "", version, fmt.Sprintf("serial-%d", i))
		d.IP = (&fleet{}).ip(i)
		if err := b.Add(d); err != nil {
			return err
		}
	}
	return nil
}

// crashBuild builds a file of one version. Its sorters spill to disk, so that the build has all steps.
func crashBuild(path, version string) error {
	b, err := Create(path, []string{"version", "serial"}, Options{Memory: 96 << 10})
	if err != nil {
		return err
	}
	defer b.Abort()
	if err := crashFleet(b, version); err != nil {
		return err
	}
	_, err = b.Commit([]byte(version))
	return err
}

// TestMain is also the process that TestKilled kills: it builds one version after another.
func TestMain(m *testing.M) {
	path := os.Getenv("DCS_TEST_CRASH")
	if path == "" {
		os.Exit(m.Run())
	}
	first, err := strconv.Atoi(os.Getenv("DCS_TEST_CRASH_FIRST"))
	for v := first; err == nil; v++ {
		err = crashBuild(path, strconv.Itoa(v))
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// A build killed at any moment leaves a complete file of one version.
func TestKilled(t *testing.T) {
	require.Long(t, "builds that are killed")
	dir := t.TempDir()
	path := filepath.Join(dir, "devices")
	began := time.Now()
	if err := crashBuild(path, "0"); err != nil {
		t.Fatal(err)
	}
	span := 300*time.Millisecond + 3*time.Since(began) // for the process to start, and a build or two
	r := rand.New(rand.NewPCG(uint64(os.Getpid()), 1))
	version, left := 0, 0
	for range 50 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "DCS_TEST_CRASH="+path, "DCS_TEST_CRASH_FIRST="+strconv.Itoa(version+1))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(r.Int64N(int64(span)))) // a random time, so that it is killed at any point of its work
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if files, _ := filepath.Glob(filepath.Join(dir, ".*")); len(files) > 0 {
			left++
		}
		db, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Verify(context.Background()); err != nil {
			t.Fatal(err)
		}
		got := string(db.Meta())
		n := 0
		err = db.Each(func(d *attr.Device) error {
			if n++; d.Values[0] != got {
				return fmt.Errorf("version %s in a file of version %s", d.Values[0], got)
			}
			return nil
		})
		if err != nil || n != 6000 {
			t.Fatalf("%d devices, %v", n, err)
		}
		v, err := strconv.Atoi(got)
		if err != nil || v < version {
			t.Fatalf("version %s after %d", got, version)
		}
		version = v
		if err := RemoveTemp(dir); err != nil {
			t.Fatal(err)
		}
		db.Close()
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("left over: %v, %v", files, err)
	}
	t.Logf("%d versions were built, %d builds left something half made", version, left)
	if version == 0 || left == 0 {
		t.Error("no build was killed half-way, or none came to its end")
	}
}

// A full disk fails a build at any step, and leaves the old file.
func TestDiskFull(t *testing.T) {
	require.Long(t, "every size of a full disk")
	dir := t.TempDir()
	rendertest.MountTmpfs(t, dir, "8m")
	path := filepath.Join(dir, "devices")
	if err := crashBuild(path, "1"); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	full, fits := 0, 0
	for free := 0; free < 2<<20; free += 64 << 10 { // what is left on the disk
		var st syscall.Statfs_t
		if err := syscall.Statfs(dir, &st); err != nil {
			t.Fatal(err)
		}
		filler := make([]byte, int(st.Bavail)*int(st.Bsize)-free)
		if err := os.WriteFile(filepath.Join(dir, "filler"), filler, 0o600); err != nil {
			t.Fatal(err)
		}
		switch err := crashBuild(path, "1"); {
		case errors.Is(err, syscall.ENOSPC):
			full++
		case err != nil:
			t.Fatal(err)
		default:
			fits++
		}
		after, err := os.ReadFile(path)
		if err != nil || !slices.Equal(before, after) {
			t.Fatalf("with %d octets left: the file has changed, %v", free, err)
		}
		if files, err := os.ReadDir(dir); err != nil || len(files) != 2 {
			t.Fatalf("with %d octets left: left over %v, %v", free, files, err)
		}
		if err := os.Remove(filepath.Join(dir, "filler")); err != nil {
			t.Fatal(err)
		}
	}
	if full == 0 || fits == 0 {
		t.Errorf("the disk was full %d times, and was not %d times", full, fits)
	}
}
