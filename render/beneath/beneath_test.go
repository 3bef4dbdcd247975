package beneath

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// implementations calls f with openat2, and with what stands in for it where the kernel lacks it.
func implementations(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	for name, without := range map[string]bool{"openat2": false, "walk": true} {
		t.Run(name, func(t *testing.T) {
			withoutOpenat2.Store(without)
			t.Cleanup(func() { withoutOpenat2.Store(false) })
			f(t)
			if withoutOpenat2.Load() != without {
				t.Fatal("this kernel has no openat2")
			}
		})
	}
}

func text(f *os.File, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	return string(b), err
}

func TestLinks(t *testing.T) {
	base := t.TempDir()
	at := func(name string) string { return filepath.Join(base, name) }
	for _, dir := range []string{"one/sub/deep", "one/.hidden", "two", "out", "one-more"} {
		check(t, os.MkdirAll(at(dir), 0o755))
	}
	for _, name := range []string{"one/a", "one/sub/deep/b", "one/.hidden/c", "two/d", "out/secret", "one-more/e"} {
		check(t, os.WriteFile(at(name), []byte(name), 0o600))
	}
	check(t, os.Symlink("one", at("root"))) // the directory that is configured may be a link
	for _, tt := range []struct {
		link, target, open string
		want               string // of what text; empty: err
		err                error
	}{
		{"l", "a", "l", "one/a", nil},
		{"l", "sub/deep/b", "l", "one/sub/deep/b", nil},
		{"l", "sub", "l/deep/b", "one/sub/deep/b", nil},
		{"sub/l", "../.hidden", "sub/l/c", "one/.hidden/c", nil},
		{"sub/l", "../sub/../a", "sub/l", "one/a", nil},
		{"l", at("one/a"), "l", "one/a", nil},                    // absolute, and within
		{"l", at("root/sub"), "l/deep/b", "one/sub/deep/b", nil}, // by the name of the root
		{"l", "../two/d", "l", "two/d", nil},                     // another root
		{"l", at("two"), "l/d", "two/d", nil},
		{"l", "../out/secret", "l", "", ErrOutside},
		{"l", at("out/secret"), "l", "", ErrOutside},
		{"l", "../out", "l/secret", "", ErrOutside},
		{"l", "../one-more/e", "l", "", ErrOutside}, // its name begins as a root's
		{"sub/l", "../..", "sub/l/out/secret", "", ErrOutside},
		{"l", "/", "l/etc/passwd", "", ErrOutside},
		{"l", "/proc/self/exe", "l", "", ErrOutside},
		{"l", "/proc/self/root", "l/etc/passwd", "", ErrOutside},
		{"l", "/dev/null", "l", "", ErrOutside},
		{"l", "nowhere", "l", "", fs.ErrNotExist},
		{"l", "l", "l", "", syscall.ELOOP},
		{"l", "a", "l/x", "", syscall.ENOTDIR},
	} {
		t.Run(tt.target, func(t *testing.T) {
			check(t, os.Symlink(tt.target, at("one/"+tt.link)))
			defer os.Remove(at("one/" + tt.link))
			implementations(t, func(t *testing.T) {
				r := Open([]string{at("root"), at("two"), at("missing")})
				defer r.Close()
				if got, err := text(r.OpenFile(0, tt.open)); got != tt.want || !errors.Is(err, tt.err) {
					t.Errorf("%q, %v; want %q, %v", got, err, tt.want, tt.err)
				}
				if _, err := r.OpenFile(0, "sub/../../out/secret"); !errors.Is(err, ErrOutside) {
					t.Errorf("by dots: %v", err)
				}
				if _, err := r.OpenFile(2, "a"); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("below no directory: %v", err)
				}
				if _, err := r.OpenDir(0, "a"); !errors.Is(err, syscall.ENOTDIR) {
					t.Errorf("a file as a directory: %v", err)
				}
			})
		})
	}
}

// Whatever somebody swaps meanwhile, what is opened lies beneath, and nobody waits.
func TestSwaps(t *testing.T) {
	implementations(t, func(t *testing.T) {
		base := t.TempDir()
		at := func(name string) string { return filepath.Join(base, name) }
		for _, dir := range []string{"root/d", "root/e", "out"} {
			check(t, os.MkdirAll(at(dir), 0o755))
			check(t, os.WriteFile(at(dir+"/f"), []byte(dir), 0o600))
		}
		var ended atomic.Bool
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := 0; !ended.Load(); i++ {
				_ = os.Rename(at("root/d"), at("root/was"))
				_ = os.Symlink([]string{at("out"), "../out", "e", at("root/e")}[i%4], at("root/d"))
				_ = os.Remove(at("root/d"))
				_ = syscall.Mkfifo(at("root/d"), 0o600)
				_ = os.Remove(at("root/d"))
				_ = os.Rename(at("root/was"), at("root/d"))
				_ = os.Rename(at("root/d/f"), at("root/d/was"))
				_ = syscall.Mkfifo(at("root/d/f"), 0o600)
				_ = os.Remove(at("root/d/f"))
				_ = os.Symlink("../../out/f", at("root/d/f"))
				_ = os.Remove(at("root/d/f"))
				_ = os.Rename(at("root/d/was"), at("root/d/f"))
			}
		}()
		r := Open([]string{at("root")})
		defer r.Close()
		seen := map[string]int{}
		deadline := time.Now().Add(25 * time.Second)
		for n := 0; n < 20_000 || seen["root/d"] == 0 || seen["refused"] == 0; n++ {
			if time.Now().After(deadline) {
				break
			}
			f, err := r.OpenFile(0, "d/f")
			if err != nil {
				seen["refused"]++
				continue
			}
			if st, err := f.Stat(); err == nil && st.Mode().IsRegular() {
				b, _ := io.ReadAll(f)
				seen[string(b)]++
			}
			f.Close()
		}
		ended.Store(true)
		<-done
		if seen["out"] > 0 || seen["root/d"] == 0 || seen["refused"] == 0 {
			t.Errorf("%v", seen)
		}
	})
}

func TestFind(t *testing.T) {
	r := Open([]string{"/x/lib", ".", "/"})
	defer r.Close()
	for path, want := range map[string]struct {
		dir  int
		name string
	}{
		"/x/lib": {0, "."}, "/x/lib/a/b": {0, "a/b"}, "a/b": {1, "a/b"}, ".": {1, "."}, "/x/libs": {2, "x/libs"}, "/": {2, "."},
	} {
		if dir, name, ok := r.Find(path); !ok || dir != want.dir || name != want.name {
			t.Errorf("%s: %d %q %v", path, dir, name, ok)
		}
	}
	if _, _, ok := r.Find("../a"); ok {
		t.Error("../a is found")
	}
}
