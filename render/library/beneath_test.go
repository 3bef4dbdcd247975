package library

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dcs/bench/require"
	"dcs/render/ber/mib"
)

// Links within the directories that are configured are followed, to files and to directories; those that lead out stop
// nothing but what is behind them.
func TestStaticLinks(t *testing.T) {
	root := tree(t, map[string]string{
		"one/d/e/a": "a", "one/.hidden/b": "b", "one/good": "good", "two/c": "c", "out/secret": "secret",
		"lib/p.dcs": `Main ~ "^" { NetworkAccess 0; }`,
	})
	at := func(name string) string { return filepath.Join(root, name) }
	for _, tt := range []struct {
		link, target string
		want         map[string]string
		bad          string // what is unreadable
	}{
		{"one/l", "d", map[string]string{"l/e/a": "a", "d/e/a": "a", "l/x": aPattern}, ""},
		{"one/d/l", "../.hidden", map[string]string{"d/l/b": "b", ".hidden/b": aPattern}, ""},
		{"one/l", at("one/d/e"), map[string]string{"l/a": "a"}, ""},
		{"one/l", "../two", map[string]string{"l/c": "c", "c": "c"}, ""},
		{"one/l", "good", map[string]string{"l": "good", "l/x": aPattern}, ""},
		{"one/l", ".", map[string]string{"l/good": aFault, "good": "good"}, "one/l"},
		{"one/d/e/l", "../..", map[string]string{"d/e/l/good": aFault, "d/e/a": "a"}, "one/d/e/l"},
		{"one/l", "../out", map[string]string{"l/secret": aFault, "l/x": aFault, "good": "good"}, "one/l"},
		{"one/d/l", at("out"), map[string]string{"d/l/secret": aFault, "d/e/a": "a"}, "one/d/l"},
		{"one/l", "../out/secret", map[string]string{"l": aFault, "good": "good"}, "one/l"},
		{"one/l", "/proc/self/exe", map[string]string{"l": aFault, "good": "good"}, "one/l"},
		{"one/l", "/proc/self/root", map[string]string{"l/etc/passwd": aFault, "good": "good"}, "one/l"},
		{"one/l", "/dev/zero", map[string]string{"l": aFault, "good": "good"}, "one/l"},
		{"one/l", "../lib/p.dcs", map[string]string{"l": aFault, "good": "good"}, "one/l"}, // templates are no static files
	} {
		t.Run(tt.link+"/"+tt.target, func(t *testing.T) {
			check(t, os.Symlink(tt.target, at(tt.link)))
			defer os.Remove(at(tt.link))
			cfg := Config{Dirs: []string{at("lib")}, Static: []string{at("one"), at("two")}, MIB: mib.Default()}
			var before *Snapshot
			for _, when := range []string{"start", "reload"} {
				s, err := within(t, func() (*Snapshot, error) { return Load(cfg, before) })
				check(t, err)
				for name, want := range tt.want {
					if got := answered(t, s, name); got != want {
						t.Errorf("%s: %s gets %q, want %q", when, name, got, want)
					}
				}
				if u := s.Unreadable(); (tt.bad == "") != (len(u) == 0) || tt.bad != "" && u[0].Path != at(tt.bad) {
					t.Errorf("%s: unreadable %v", when, u)
				}
				before = s
			}
		})
	}
}

// A file that was served is not served any more once a link that leads out has taken its place, or that of a directory above it.
func TestStaticSwappedForALink(t *testing.T) {
	for _, place := range []string{"static/d/f", "static/d"} {
		t.Run(place, func(t *testing.T) {
			root := tree(t, map[string]string{"static/d/f": "good", "out/f": "evil", "out/d": ""})
			cfg := Config{Static: []string{filepath.Join(root, "static")}}
			before, err := Load(cfg, nil)
			check(t, err)
			path := filepath.Join(root, place)
			check(t, os.RemoveAll(path))
			target := filepath.Join(root, "out")
			if strings.HasSuffix(place, "f") {
				target = filepath.Join(target, "f")
			}
			check(t, os.Symlink(target, path))
			s, err := Load(cfg, before)
			check(t, err)
			if got := answered(t, s, "d/f"); got == "evil" || got == nothing {
				t.Errorf("it gets %q", got)
			}
			if u := s.Unreadable(); len(u) != 1 || u[0].Path != path || !strings.Contains(u[0].Err.Error(), "leads out") {
				t.Errorf("%v", u)
			}
		})
	}
}

// Links that multiply one another end.
func TestStaticLinksMultiply(t *testing.T) {
	root := t.TempDir()
	const levels = 15 // 2^15 directories
	for i := range levels {
		dir := filepath.Join(root, fmt.Sprint(".", i))
		check(t, os.Mkdir(dir, 0o755))
		write(t, filepath.Join(dir, "f"), "f")
		for _, name := range []string{"a", "b"} {
			check(t, os.Symlink(fmt.Sprint("../.", i+1), filepath.Join(dir, name)))
		}
	}
	check(t, os.Mkdir(filepath.Join(root, fmt.Sprint(".", levels)), 0o755))
	check(t, os.Symlink(".0", filepath.Join(root, "top")))
	write(t, filepath.Join(root, "good"), "good")
	s, err := within(t, func() (*Snapshot, error) { return Load(Config{Static: []string{root}}, nil) })
	check(t, err)
	if got := answered(t, s, "good"); got != "good" {
		t.Errorf("good gets %q", got)
	}
	if u := s.Unreadable(); len(u) == 0 || len(s.static.files) > maxLinkedDirs+1 {
		t.Errorf("%d files, %d unreadable", len(s.static.files), len(u))
	}
}

// The sources in a directory that only a link leads to belong to the library, as they do in a volume of Kubernetes.
func TestLibraryLinkedDirectories(t *testing.T) {
	root := tree(t, map[string]string{
		"lib/..data-1/sub/gold.dcs": `Main { MaxCPE 1; }`, "lib/..data-1/sub/deep/part.dcs": `Block part { MaxCPE 2; }`,
		"lib/x.dcs": `Main { include part; }`, "out/evil.dcs": `Main { MaxCPE 3; }`, "lib/y.dcs": `Text "y" from "secret";`,
		"out/secret": "secret",
	})
	at := func(name string) string { return filepath.Join(root, name) }
	check(t, os.Symlink("..data-1", at("lib/..data")))
	check(t, os.Symlink("..data/sub", at("lib/sub")))
	check(t, os.Symlink("../lib/sub", at("lib/zagain")))
	check(t, os.Symlink("../out/secret", at("lib/secret")))
	check(t, os.Symlink("../out/evil.dcs", at("lib/evil.dcs")))
	check(t, syscall.Mkfifo(at("lib/..data-1/sub/pipe"), 0o600))
	s, err := within(t, func() (*Snapshot, error) { return Load(Config{Dirs: []string{at("lib")}, MIB: mib.Default()}, nil) })
	if s == nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sub/gold.cm", "x.cm"} {
		if l := find(s, name); l == nil || l.Fault() != nil {
			t.Errorf("%s gets no file: %+v", name, l)
		}
	}
	for _, name := range []string{"evil.cm", "y"} {
		if l := find(s, name); l != nil && l.Fault() == nil {
			t.Errorf("%s gets a file", name)
		}
	}
	for _, path := range []string{"evil.dcs:1:1: the symbolic link leads out", "secret: the symbolic link leads out"} {
		if err == nil || strings.Count(err.Error(), path) != 1 {
			t.Errorf("no error with %q in\n%v", path, err)
		}
	}
	if err != nil && strings.Contains(err.Error(), "is already defined at") {
		t.Errorf("a source was read twice:\n%v", err)
	}
}

// What changes in a directory that only a link leads to is noticed, and where the link leads out nothing is watched.
func TestWatchLinkedDirectories(t *testing.T) {
	require.Long(t, "every step of links")
	for _, relative := range []bool{false, true} {
		t.Run(fmt.Sprintf("relative=%v", relative), func(t *testing.T) {
			base := t.TempDir()
			lib := filepath.Join(base, "lib")
			if relative {
				t.Chdir(base)
				lib = "lib"
			}
			watchLinkedDirectories(t, base, lib)
		})
	}
}

func watchLinkedDirectories(t *testing.T, base, lib string) {
	t.Helper()
	at := func(name string) string { return filepath.Join(base, name) }
	for _, dir := range []string{"lib/..1/sub", "lib/..2/sub", "lib/real", "out/deep"} {
		check(t, os.MkdirAll(at(dir), 0o755))
		write(t, at(dir+"/a.dcs"), "x")
	}
	for link, target := range map[string]string{"lib/..data": "..1", "lib/sub": "..data/sub", "lib/real/up": "..", "lib/out": "../out"} {
		check(t, os.Symlink(target, at(link)))
	}
	changes := watching(t, lib)
	for _, step := range []struct {
		what   string
		do     func()
		change bool
	}{
		{"a file behind the link", func() { write(t, at("lib/..1/sub/a.dcs"), "y") }, true},
		{"a new file", func() { write(t, at("lib/..1/sub/b.dcs"), "y") }, true},
		{"a new directory", func() { check(t, os.Mkdir(at("lib/..1/sub/d"), 0o755)) }, true},
		{"a file in that", func() { write(t, at("lib/..1/sub/d/c.dcs"), "y") }, true},
		{"a file in a directory that is watched anyway", func() { write(t, at("lib/real/a.dcs"), "y") }, true},
		{"a file where no link leads", func() { write(t, at("lib/..2/sub/a.dcs"), "y") }, false},
		{"a file outside", func() { write(t, at("out/deep/a.dcs"), "y") }, false},
		{"a link on the way", func() {
			check(t, os.Symlink("..2", at("lib/..data_tmp")))
			check(t, os.Rename(at("lib/..data_tmp"), at("lib/..data")))
		}, true},
		{"a file behind the new one", func() { write(t, at("lib/..2/sub/a.dcs"), "z") }, true},
		{"a file behind the old one", func() { write(t, at("lib/..1/sub/a.dcs"), "z") }, false},
	} {
		if step.do(); step.change {
			wantChange(t, changes, step.what)
			wantQuiet(t, changes, step.what+", told already")
		} else {
			wantQuiet(t, changes, step.what)
		}
	}
}
