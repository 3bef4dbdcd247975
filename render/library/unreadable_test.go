package library

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dcs/render/ber/mib"
	"dcs/render/skeleton"
)

// unprivileged calls f on a thread that no longer reads what its mode forbids, as root's do.
func unprivileged(t *testing.T, f func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var had, has [2]unix.CapUserData
	if err := unix.Capget(&header, &had[0]); err != nil {
		t.Fatal(err)
	}
	has = had
	has[0].Effective &^= 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH
	check(t, unix.Capset(&header, &has[0]))
	defer func() { check(t, unix.Capset(&header, &had[0])) }()
	f()
}

// What a name is answered by in these tests, and how.
const (
	aFault   = "a fault"
	aPattern = "the pattern"
	nothing  = "nothing"
)

// answered tells what a name is answered by: the text of a static file, a fault, the pattern, or nothing.
func answered(t *testing.T, s *Snapshot, name string) string {
	t.Helper()
	switch l := find(s, name); {
	case l == nil:
		return nothing
	case l.Fault() != nil:
		if l.Fault().Reason != skeleton.Broken {
			t.Errorf("%s: %v", name, l.Fault())
		}
		return aFault
	case l.File != nil:
		return string(l.File.Data)
	case l.Template.Pattern != "":
		return aPattern
	default:
		return "a literal"
	}
}

// badWays are the ways in which a static file, or a directory of them, can be bad.
var badWays = []struct {
	name string
	make func(t *testing.T, root string) // makes sub/bad.bin below root bad

	// What is answered, after a start and after a reload where all was well before.
	bad, badReloaded         string // for sub/bad.bin
	sibling, siblingReloaded string // for sub/good.bin
	other, otherReloaded     string // for sub/other.bin, which no file has ever had
	outside                  string // for x.bin, not below sub, which no file has either
	kept                     bool   // after a reload
}{
	{
		name: "mode", make: func(t *testing.T, root string) {
			write(t, filepath.Join(root, "sub/bad.bin"), "new")
			check(t, os.Chmod(filepath.Join(root, "sub/bad.bin"), 0))
		},
		bad: aFault, badReloaded: aFault, sibling: "good", siblingReloaded: "good", other: aPattern, otherReloaded: aPattern, outside: aPattern,
	},
	{
		name: "dangling link", make: link("nowhere"),
		bad: aFault, badReloaded: aFault, sibling: "good", siblingReloaded: "good", other: aPattern, otherReloaded: aPattern, outside: aPattern,
	},
	{
		name: "link to itself", make: link("bad.bin"),
		bad: aFault, badReloaded: aFault, sibling: "good", siblingReloaded: "good", other: aPattern, otherReloaded: aPattern, outside: aPattern,
	},
	{
		name: "link below a file", make: link("good.bin/bad.bin"),
		bad: aFault, badReloaded: aFault, sibling: "good", siblingReloaded: "good", other: aPattern, otherReloaded: aPattern, outside: aPattern,
	},
	{
		name: "link into a directory that may not be searched", make: func(t *testing.T, root string) {
			shut := filepath.Join(root, ".shut")
			check(t, os.Mkdir(shut, 0))
			link("../.shut/x")(t, root)
		},
		bad: aFault, badReloaded: "bad", sibling: "good", siblingReloaded: "good", other: aPattern, otherReloaded: aPattern, outside: aPattern, kept: true,
	},
	{
		name: "named pipe", make: func(t *testing.T, root string) {
			remove(t, root)
			check(t, syscall.Mkfifo(filepath.Join(root, "sub/bad.bin"), 0o644))
		},
		bad: aFault, badReloaded: aFault, sibling: "good", siblingReloaded: "good", other: aPattern, otherReloaded: aPattern, outside: aPattern,
	},
	{
		name: "socket", make: func(t *testing.T, root string) {
			remove(t, root)
			t.Chdir(filepath.Join(root, "sub")) // the path of a socket is short
			l, err := net.Listen("unix", "bad.bin")
			check(t, err)
			t.Cleanup(func() { l.Close() })
		},
		bad: aFault, badReloaded: aFault, sibling: "good", siblingReloaded: "good", other: aPattern, otherReloaded: aPattern, outside: aPattern,
	},
	{
		name: "link that leads out", make: link("/sys/devices/system/cpu/online"),
		bad: aFault, badReloaded: aFault, sibling: "good", siblingReloaded: "good", other: aPattern, otherReloaded: aPattern, outside: aPattern,
	},
	{
		name: "directory's mode", make: func(t *testing.T, root string) { check(t, os.Chmod(filepath.Join(root, "sub"), 0)) },
		bad: aFault, badReloaded: "bad", sibling: aFault, siblingReloaded: "good", other: aFault, otherReloaded: aPattern, outside: aPattern, kept: true,
	},
	{
		name: "root's mode", make: func(t *testing.T, root string) { check(t, os.Chmod(root, 0)) },
		bad: aFault, badReloaded: "bad", sibling: aFault, siblingReloaded: "good", other: aFault, otherReloaded: aPattern, outside: aFault, kept: true,
	},
	{
		name: "no root", make: func(t *testing.T, root string) { check(t, os.RemoveAll(root)) },
		bad: aFault, badReloaded: "bad", sibling: aFault, siblingReloaded: "good", other: aFault, otherReloaded: aPattern, outside: aFault, kept: true,
	},
	{
		name: "root that is a file", make: func(t *testing.T, root string) {
			check(t, os.RemoveAll(root))
			write(t, root, "a file")
		},
		bad: aFault, badReloaded: "bad", sibling: aFault, siblingReloaded: "good", other: aFault, otherReloaded: aPattern, outside: aFault, kept: true,
	},
}

func remove(t *testing.T, root string) {
	t.Helper()
	check(t, os.Remove(filepath.Join(root, "sub/bad.bin")))
}

func link(to string) func(*testing.T, string) {
	return func(t *testing.T, root string) {
		t.Helper()
		remove(t, root)
		check(t, os.Symlink(to, filepath.Join(root, "sub/bad.bin")))
	}
}

// One bad static file stops itself alone, and no name is answered by what would be next.
func TestUnreadable(t *testing.T) {
	for _, tt := range badWays {
		for _, when := range []string{"start", "reload"} {
			t.Run(tt.name+"/"+when, func(t *testing.T) {
				// The directory before has a name that the bad one has too, and so has the one behind it.
				first, last := tree(t, map[string]string{"sub/both.bin": "first"}), tree(t, map[string]string{"sub/bad.bin": "next best", "last.bin": "last"})
				root := tree(t, map[string]string{"sub/bad.bin": "bad", "sub/good.bin": "good", "sub/both.bin": "second"})
				t.Cleanup(func() { _ = filepath.WalkDir(root, openUp) })
				lib := tree(t, map[string]string{"a.dcs": `Main ~ "\.bin$" { NetworkAccess 0; } Main "sub/own.bin" { NetworkAccess 1; }`})
				cfg := Config{Dirs: []string{lib}, Static: []string{first, root, last}, MIB: mib.Default()}
				var before *Snapshot
				if when == "reload" {
					var err error
					before, err = Load(cfg, nil)
					check(t, err)
					if n := len(before.Unreadable()); n > 0 {
						t.Fatalf("%d are unreadable", n)
					}
				}
				tt.make(t, root)
				var s *Snapshot
				var err error
				unprivileged(t, func() { s, err = Load(cfg, before) })
				check(t, err)
				want := map[string]string{
					"sub/bad.bin": tt.bad, "sub/good.bin": tt.sibling, "sub/other.bin": tt.other, "x.bin": tt.outside,
					"sub/both.bin": "first", "sub/own.bin": "a literal", "last.bin": "last",
				}
				if tt.outside == aFault {
					want["last.bin"] = aFault // the directory that cannot be read may have one of this name, and goes before
				}
				if before != nil {
					want["sub/bad.bin"], want["sub/good.bin"], want["sub/other.bin"], want["x.bin"], want["last.bin"] = tt.badReloaded, tt.siblingReloaded, tt.otherReloaded, aPattern, "last"
				}
				for name, what := range want {
					if got := answered(t, s, name); got != what {
						t.Errorf("%s is answered by %s, want %s", name, got, what)
					}
				}
				u := s.Unreadable()
				if len(u) != 1 || !strings.HasPrefix(u[0].Path, root) || u[0].Err == nil || u[0].Kept != (tt.kept && before != nil) {
					t.Fatalf("%+v", u)
				}
				// Bad still, it is no better known than before.
				unprivileged(t, func() { s, err = Load(cfg, s) })
				check(t, err)
				for name, what := range want {
					if got := answered(t, s, name); got != what {
						t.Errorf("once more, %s is answered by %s, want %s", name, got, what)
					}
				}
			})
		}
	}
}

func openUp(path string, d os.DirEntry, err error) error {
	if d != nil && d.IsDir() {
		_ = os.Chmod(path, 0o755)
	}
	return nil
}

// A file is served again once it can be read, as one of its own content and as one of a directory.
func TestReadableAgain(t *testing.T) {
	for _, tt := range badWays {
		t.Run(tt.name, func(t *testing.T) {
			root := tree(t, map[string]string{"sub/bad.bin": "bad", "sub/good.bin": "good"})
			cfg := Config{Static: []string{root}}
			tt.make(t, root)
			var s *Snapshot
			var err error
			unprivileged(t, func() { s, err = Load(cfg, nil) })
			check(t, err)
			if st, err := os.Stat(root); err == nil && !st.IsDir() {
				check(t, os.Remove(root))
			}
			check(t, os.MkdirAll(root, 0o755))
			check(t, os.Chmod(root, 0o755))
			check(t, os.MkdirAll(filepath.Join(root, "sub"), 0o755))
			check(t, os.Chmod(filepath.Join(root, "sub"), 0o755))
			if err := os.Remove(filepath.Join(root, "sub/bad.bin")); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			write(t, filepath.Join(root, "sub/bad.bin"), "mended")
			s, err = Load(cfg, s)
			check(t, err)
			if got := answered(t, s, "sub/bad.bin"); got != "mended" || len(s.Unreadable()) > 0 || answered(t, s, "x") != nothing {
				t.Errorf("%s, %+v, and x is %s", got, s.Unreadable(), answered(t, s, "x"))
			}
		})
	}
}

// A file that is gone is gone, and one without a permission that has not changed is served from memory.
func TestGoneOrUnchanged(t *testing.T) {
	root := tree(t, map[string]string{"a": "a", "b": "b"})
	s, err := Load(Config{Static: []string{root}}, nil)
	check(t, err)
	check(t, os.Remove(filepath.Join(root, "a")))
	check(t, os.Chmod(filepath.Join(root, "b"), 0))
	unprivileged(t, func() { s, err = Load(Config{Static: []string{root}}, s) })
	check(t, err)
	if a, b := answered(t, s, "a"), answered(t, s, "b"); a != nothing || b != "b" || len(s.Unreadable()) > 0 || s.StaticFiles() != 1 {
		t.Errorf("%s, %s, %+v", a, b, s.Unreadable())
	}
}

// A directory that may not be read is told of, the others are watched, and it is too once it may be.
func TestWatchClosedDirectory(t *testing.T) {
	dir := tree(t, map[string]string{"shut/a": "a", "open/b": "b"})
	check(t, os.Chmod(filepath.Join(dir, "shut"), 0))
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, "shut"), 0o755) })
	w := &watcher{roots: []binding{{path: dir}}, reported: map[string]bool{}}
	var failed []string
	w.failed = func(err error) { failed = append(failed, err.Error()) }
	unprivileged(t, func() {
		for range 2 {
			check(t, w.renew())
		}
		if w.opened() || !w.dirs[filepath.Join(dir, "open")] || len(failed) != 1 || !strings.HasPrefix(failed[0], filepath.Join(dir, "shut")+": changes here are not noticed") {
			t.Errorf("%q", failed)
		}
	})
	check(t, os.Chmod(filepath.Join(dir, "shut"), 0o755))
	if !w.opened() {
		t.Error("it is still shut")
	}
	check(t, w.renew())
	if !w.dirs[filepath.Join(dir, "shut")] || w.opened() {
		t.Error("it is not watched")
	}
	check(t, w.notify.Close())
	gone(t)
}

// What is written to while it is read is not served half.
func TestChangedWhileRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	f, err := os.Create(path)
	check(t, err)
	defer f.Close()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			text := strings.Repeat(string(rune('a'+i%26)), 40_000)
			_, _ = f.WriteAt([]byte(text), 0)
			_ = f.Truncate(int64(30_000 + i%10_000))
		}
	}()
	open := func() (*os.File, error) { return os.Open(path) }
	deadline := time.Now().Add(20 * time.Second)
	for {
		if _, err := read(path, open); errors.Is(err, errChanged) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatal("it was never seen to change")
		}
	}
	close(stop)
	<-stopped
	if _, err := read(path, open); err != nil {
		t.Error(err)
	}
}

// Files that can be read no more count as lost names.
func TestUnreadableLoss(t *testing.T) {
	root := tree(t, map[string]string{"a": "a", "b": "b", "c": "c", "d": "d", "e": "e"})
	s, err := Load(Config{Static: []string{root}}, nil)
	check(t, err)
	for _, name := range []string{"a", "b", "c"} {
		check(t, os.Remove(filepath.Join(root, name)))
		check(t, os.Symlink("nowhere", filepath.Join(root, name)))
	}
	next, err := Load(Config{Static: []string{root}}, s)
	check(t, err)
	if l := s.Names().Loss(next); !l.Suspicious() || l.Names != 5 || l.Gone != 3 || l.Example != "a" {
		t.Errorf("%+v", l)
	}
	if l := next.Names().Loss(s); l.Names != 2 || l.Gone != 0 {
		t.Errorf("what was no file is lost: %+v", l)
	}
}
