package tempfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		list = append(list, f.Name())
	}
	return list
}

func create(t *testing.T, path, text string) *File {
	t.Helper()
	f, err := Create(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a [file]*")
	for _, text := range []string{"one", "two"} {
		f := create(t, path, text)
		if err := f.Commit(); err != nil {
			t.Fatal(err)
		}
		f.Abort()
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
	}
	create(t, path, "three").Abort()
	if got, err := os.ReadFile(path); err != nil || string(got) != "two" {
		t.Errorf("after Abort: %q, %v", got, err)
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("left over: %v", got)
	}
	if st, err := os.Stat(path); err != nil || st.Mode() != fs.FileMode(0o600) {
		t.Error(st.Mode(), err)
	}
}

// What the killed have left goes; what is being written stays, whoever looks.
func TestStale(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	alive, killed := create(t, path, "alive"), create(t, path, "killed")
	other := create(t, filepath.Join(dir, "other"), "killed, too")
	killed.Close() // the kernel does that, and unlocks it
	other.Close()
	if err := os.WriteFile(filepath.Join(dir, ".file.mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	next := create(t, path, "next")
	want := []string{filepath.Base(alive.Name()), filepath.Base(next.Name()), filepath.Base(other.Name()), ".file.mine"}
	slices.Sort(want)
	if got := names(t, dir); !slices.Equal(got, want) {
		t.Errorf("%v instead of %v", got, want)
	}
	if err := RemoveStale(dir); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); len(got) != 3 || slices.Contains(got, filepath.Base(other.Name())) {
		t.Errorf("RemoveStale left %v", got)
	}
	if err := alive.Commit(); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "alive" {
		t.Errorf("%q, %v", got, err)
	}
	next.Abort()
}

// Names are random, and whatever stands in a directory that others write to as well is neither written nor in the way.
func TestCreateIsNotMisled(t *testing.T) {
	dir := t.TempDir()
	path, victim := filepath.Join(dir, "file"), filepath.Join(dir, "victim")
	if err := os.WriteFile(victim, []byte("victim"), 0o600); err != nil {
		t.Fatal(err)
	}
	for n := range 1000 { // names of before, and such as somebody may guess
		name := filepath.Join(dir, fmt.Sprint(".file.", n, suffix))
		var err error
		switch n % 4 {
		case 0:
			err = os.Symlink(victim, name)
		case 1:
			err = unix.Mkfifo(name, 0o600)
		case 2:
			err = os.Mkdir(name, 0o700)
		case 3:
			err = os.Symlink("nowhere", name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for range 3 {
		f := create(t, path, "text")
		if st, err := os.Lstat(f.Name()); err != nil || !st.Mode().IsRegular() || seen[f.Name()] || filepath.Dir(f.Name()) != dir {
			t.Errorf("%s: %v", f.Name(), err)
		}
		seen[f.Name()] = true
		if err := f.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{path: "text", victim: "victim"} {
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("a file was made behind a link")
	}
}

// A name that has hardly room for more is replaced too.
func TestLongName(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("n", 255))
	f := create(t, path, "text")
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "text" {
		t.Errorf("%q, %v", got, err)
	}
}

// Of what the kernel answers to flock, one thing alone means another writer. Without locks a file is written all the same, and what
// lies about stays, as it may be another's; after any other error nothing is left.
func TestLockFails(t *testing.T) {
	kernel := flock
	t.Cleanup(func() { flock = kernel })
	for _, tt := range []struct {
		errno error
		works bool
	}{
		{unix.EINTR, true},
		{unix.EWOULDBLOCK, true},
		{unix.ENOLCK, true},
		{unix.EOPNOTSUPP, true},
		{unix.ENOSYS, true},
		{unix.EIO, false},
		{unix.EBADF, false},
		{unix.EACCES, false},
	} {
		t.Run(tt.errno.Error(), func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "file")
			calls := 0
			flock = func(fd, how int) error {
				calls++
				once := tt.errno == unix.EINTR || tt.errno == unix.EWOULDBLOCK // else tempfile tries until it works
				if once && calls > 1 {
					return kernel(fd, how)
				}
				return tt.errno
			}
			f, err := Create(path, 0o600)
			if !tt.works {
				if !errors.Is(err, tt.errno) {
					t.Errorf("%v", err)
				}
				if got := names(t, dir); len(got) > 0 || calls != 1 {
					t.Errorf("left over after %d calls: %v", calls, got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Commit(); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(path); err != nil {
				t.Error(err)
			}
		})
		t.Run("what is left, "+tt.errno.Error(), func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, ".file.1"+suffix), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			flock = func(int, int) error { return tt.errno }
			if tt.errno == unix.EINTR {
				flock = kernel
			}
			err := RemoveStale(dir)
			if tt.works != (err == nil) {
				t.Error(err)
			}
			if got := names(t, dir); (len(got) == 0) != (tt.errno == unix.EINTR) {
				t.Errorf("%v", got)
			}
		})
	}
}

// CreateAmong replaces a file like Create, and leaves to RemoveStale what killed writers left.
func TestCreateAmong(t *testing.T) {
	dir := t.TempDir()
	path, left := filepath.Join(dir, "x"), filepath.Join(dir, ".x.killed.dcs-tmp")
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := CreateAmong(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("new"); err != nil {
		t.Fatal(err)
	}
	if err := f.Replace(); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "new" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := os.Stat(left); err != nil {
		t.Errorf("the other file: %v", err)
	}
	if err := RemoveStale(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); err == nil {
		t.Error("RemoveStale left it")
	}
}
