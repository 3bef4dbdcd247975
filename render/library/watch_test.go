package library

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"dcs/bench/require"
)

// rest is the debounce of the tests; much more than a busy machine needs for a few writes.
const rest = 60 * time.Millisecond

func watching(t *testing.T, dirs ...string) (changes chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	changes = make(chan struct{}, 100)
	ended, err := watch(ctx, dirs, rest, func() { changes <- struct{}{} }, func(err error) { t.Error(err) })
	t.Cleanup(func() {
		if cancel(); err == nil {
			<-ended
		}
	})
	check(t, err)
	return changes
}

// TestMain fails if a goroutine of a watch is left after all tests.
func TestMain(m *testing.M) {
	code := m.Run()
	if left := watchers(); left != "" {
		fmt.Fprintf(os.Stderr, "goroutines left:\n%s\n", left)
		code = 1
	}
	os.Exit(code)
}

// gone fails unless all watches end. No other test may have one.
func gone(t *testing.T) {
	t.Helper()
	if left := watchers(); left != "" {
		t.Errorf("goroutines left:\n%s", left)
	}
}

// watchers waits until no goroutine of a watch is left, and returns the stacks of all goroutines if that does not happen.
func watchers() string {
	buf := make([]byte, 1<<20)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		all := string(buf[:runtime.Stack(buf, true)])
		if !strings.Contains(all, "library.(*watcher)") && !strings.Contains(all, "fsnotify.") {
			return ""
		}
		if time.Now().After(end) {
			return all
		}
	}
}

func wantChange(t *testing.T, changes chan struct{}, what string) {
	t.Helper()
	select {
	case <-changes:
	case <-time.After(30 * time.Second):
		t.Fatalf("%s: not noticed", what)
	}
}

func wantQuiet(t *testing.T, changes chan struct{}, what string) {
	t.Helper()
	select {
	case <-changes:
		t.Fatalf("%s: a change was told", what)
	case <-time.After(5 * rest): // a bounded observation
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWatchNotices(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, dir string)
	}{
		{"new file", func(t *testing.T, dir string) { write(t, filepath.Join(dir, "new.dcs"), "x") }},
		{"written file", func(t *testing.T, dir string) { write(t, filepath.Join(dir, "a.dcs"), "y") }},
		{"removed file", func(t *testing.T, dir string) { check(t, os.Remove(filepath.Join(dir, "a.dcs"))) }},
		{"file made readable", func(t *testing.T, dir string) { check(t, os.Chmod(filepath.Join(dir, "a.dcs"), 0o600)) }},
		{"temporary file put in place", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, ".a.dcs.tmp"), "z")
			check(t, os.Rename(filepath.Join(dir, ".a.dcs.tmp"), filepath.Join(dir, "a.dcs")))
		}},
		{"file below", func(t *testing.T, dir string) { write(t, filepath.Join(dir, "sub", "deep", "b.dcs"), "x") }},
		{"directory removed", func(t *testing.T, dir string) { check(t, os.RemoveAll(filepath.Join(dir, "sub"))) }},
		{"link of Kubernetes", func(t *testing.T, dir string) { check(t, os.Symlink("sub", filepath.Join(dir, "..data"))) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			check(t, os.MkdirAll(filepath.Join(dir, "sub", "deep"), 0o755))
			write(t, filepath.Join(dir, "a.dcs"), "x")
			write(t, filepath.Join(dir, "sub", "deep", "b.dcs"), "")
			changes := watching(t, dir)
			tt.do(t, dir)
			wantChange(t, changes, tt.name)
		})
	}
}

func TestWatchIgnores(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	check(t, os.MkdirAll(filepath.Join(dir, ".git"), 0o755))
	changes := watching(t, dir)
	for _, name := range []string{".a.dcs.swp", "a.dcs~", "#a.dcs#", ".#a.dcs", "4913", "a.dcs.tmp", "a.swx", ".git/index", "___jb_tmp___"} {
		write(t, filepath.Join(dir, name), "x")
		check(t, os.Remove(filepath.Join(dir, name)))
	}
	check(t, os.Mkdir(filepath.Join(dir, ".cache"), 0o755))
	wantQuiet(t, changes, "temporary files")
}

func TestWatchFollowsDirectories(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	changes := watching(t, dir)
	check(t, os.MkdirAll(filepath.Join(dir, "one", "two"), 0o755))
	wantChange(t, changes, "new directories")
	write(t, filepath.Join(dir, "one", "two", "a.dcs"), "x")
	wantChange(t, changes, "a file in a new directory")
	check(t, os.Rename(filepath.Join(dir, "one"), filepath.Join(dir, "uno")))
	wantChange(t, changes, "a renamed directory")
	write(t, filepath.Join(dir, "uno", "two", "a.dcs"), "y")
	wantChange(t, changes, "a file below a renamed directory")
	check(t, os.Rename(filepath.Join(dir, "uno"), filepath.Join(t.TempDir(), "elsewhere")))
	wantChange(t, changes, "a directory moved out")
	wantQuiet(t, changes, "nothing")
}

func TestWatchWaitsForADirectory(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	dir, away := filepath.Join(base, "library"), filepath.Join(base, "away")
	changes := watching(t, dir)
	wantQuiet(t, changes, "a directory that is missing")

	check(t, os.Mkdir(dir, 0o755))
	wantChange(t, changes, "the directory's coming")
	write(t, filepath.Join(dir, "a.dcs"), "x")
	wantChange(t, changes, "a file in it")

	check(t, os.Rename(dir, away))
	wantChange(t, changes, "the directory's going")
	write(t, filepath.Join(away, "a.dcs"), "y")
	wantQuiet(t, changes, "a file where it went")
	check(t, os.Rename(away, dir))
	wantChange(t, changes, "the directory's return")
	write(t, filepath.Join(dir, "a.dcs"), "z")
	wantChange(t, changes, "a file after its return")

	// Another directory takes its place.
	check(t, os.Mkdir(away, 0o755))
	check(t, os.Rename(dir, filepath.Join(base, "old")))
	check(t, os.Rename(away, dir))
	wantChange(t, changes, "another directory in its place")
	write(t, filepath.Join(dir, "b.dcs"), "x")
	wantChange(t, changes, "a file in the other one")
}

func TestWatchFollowsALink(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	link := filepath.Join(base, "library")
	for _, release := range []string{"1", "2"} {
		check(t, os.Mkdir(filepath.Join(base, release), 0o755))
	}
	check(t, os.Symlink("1", link))
	changes := watching(t, link)
	write(t, filepath.Join(base, "1", "a.dcs"), "x")
	wantChange(t, changes, "a file behind the link")
	check(t, os.Symlink("2", link+".new"))
	check(t, os.Rename(link+".new", link))
	wantChange(t, changes, "the link's change")
	write(t, filepath.Join(base, "2", "a.dcs"), "x")
	wantChange(t, changes, "a file behind the new link")
}

// Files that links lead to are watched where they are, and nothing else is there.
func TestWatchLinkedFiles(t *testing.T) {
	require.Long(t, "every step of links")
	t.Parallel()
	base := t.TempDir()
	at := func(name string) string { return filepath.Join(base, name) }
	for _, dir := range []string{"lib/sub", "real", "other", "far/1", "far/2"} {
		check(t, os.MkdirAll(at(dir), 0o755))
	}
	relink := func(target, name string) {
		t.Helper()
		check(t, os.Symlink(target, at(".new.tmp")))
		check(t, os.Rename(at(".new.tmp"), at(name)))
	}
	for _, name := range []string{"real/v.dcs", "real/busy", "other/v.dcs", "far/1/w.dcs", "far/2/w.dcs"} {
		write(t, at(name), "x")
	}
	relink("lib", "library") // .. in a link is that of the directory it lies in
	relink("../real/v.dcs", "lib/v.dcs")
	relink("1", "far/now")
	relink("now/w.dcs", "far/w.dcs")
	relink(at("far/w.dcs"), "lib/sub/w.dcs")
	relink("../later/x.dcs", "lib/x.dcs")
	relink("loop.dcs", "lib/loop.dcs")
	changes := watching(t, at("library"))

	for _, step := range []struct {
		what   string
		do     func()
		change bool
	}{
		{"the file written in place", func() { write(t, at("real/v.dcs"), "y") }, true},
		{"another file beside it", func() { write(t, at("real/busy"), "y") }, false},
		{"a temporary file", func() { write(t, at("real/v.dcs.new"), "z") }, false},
		{"it put in place", func() { check(t, os.Rename(at("real/v.dcs.new"), at("real/v.dcs"))) }, true},
		{"that file written", func() { write(t, at("real/v.dcs"), "y") }, true},
		{"the link led elsewhere", func() { relink("../other/v.dcs", "lib/v.dcs") }, true},
		{"the file there", func() { write(t, at("other/v.dcs"), "y") }, true},
		{"the file of before", func() { write(t, at("real/v.dcs"), "z") }, false},
		{"a file behind two links", func() { write(t, at("far/1/w.dcs"), "y") }, true},
		{"a directory's link", func() { relink("2", "far/now") }, true},
		{"a file behind it", func() { write(t, at("far/2/w.dcs"), "y") }, true},
		{"what was behind it before", func() { write(t, at("far/1/w.dcs"), "z") }, false},
		{"a link on the way", func() { relink("1/w.dcs", "far/w.dcs") }, true},
		{"a file behind that", func() { write(t, at("far/1/w.dcs"), "y") }, true},
		{"a directory that a link has waited for", func() { check(t, os.Mkdir(at("later"), 0o755)) }, true},
		{"the file in it", func() { write(t, at("later/x.dcs"), "x") }, true},
		{"another directory in the place of one", func() {
			check(t, os.Rename(at("other"), at("old")))
			check(t, os.Rename(at("real"), at("other")))
		}, true},
		{"the file in that", func() { write(t, at("other/v.dcs"), "x") }, true},
		{"the link's end", func() { check(t, os.Remove(at("lib/v.dcs"))) }, true},
		{"its file", func() { write(t, at("other/v.dcs"), "y") }, false},
	} {
		if step.do(); step.change {
			wantChange(t, changes, step.what)
			wantQuiet(t, changes, step.what+", told already")
		} else {
			wantQuiet(t, changes, step.what)
		}
	}
}

// Kubernetes mounts a ConfigMap as links to ..data, which is a link to a directory that it replaces as a whole.
func TestWatchKubernetes(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	volume, lib := filepath.Join(base, "volume"), filepath.Join(base, "lib")
	check(t, os.Mkdir(volume, 0o755))
	check(t, os.Mkdir(lib, 0o755))
	swap := func(from, to string) {
		t.Helper()
		check(t, os.Mkdir(filepath.Join(volume, to), 0o755))
		write(t, filepath.Join(volume, to, "gold.dcs"), to)
		check(t, os.Symlink(to, filepath.Join(volume, "..data_tmp")))
		check(t, os.Rename(filepath.Join(volume, "..data_tmp"), filepath.Join(volume, "..data")))
		if from != "" {
			check(t, os.RemoveAll(filepath.Join(volume, from)))
		}
	}
	swap("", "..2026_1")
	check(t, os.Symlink("..data/gold.dcs", filepath.Join(volume, "gold.dcs")))
	check(t, os.Symlink(filepath.Join(volume, "gold.dcs"), filepath.Join(lib, "gold.dcs")))
	itself, linked := watching(t, volume), watching(t, lib)
	for i, to := range []string{"..2026_2", "..2026_3"} {
		swap([]string{"..2026_1", "..2026_2"}[i], to)
		wantChange(t, itself, "the volume's swap")
		wantChange(t, linked, "the swap of a volume that is linked to")
		wantQuiet(t, itself, "nothing")
		wantQuiet(t, linked, "nothing")
	}
}

// A directory that cannot be watched is told of once, however many links lead there.
func TestWatchTells(t *testing.T) {
	base := t.TempDir()
	check(t, os.MkdirAll(filepath.Join(base, "real"), 0o755))
	check(t, os.MkdirAll(filepath.Join(base, "lib"), 0o755))
	for _, name := range []string{"a.dcs", "b.dcs"} {
		check(t, os.Symlink("../real/"+name, filepath.Join(base, "lib", name)))
	}
	var told []string
	w := &watcher{roots: []binding{{path: filepath.Join(base, "lib")}}, reported: map[string]bool{}, failed: func(err error) { told = append(told, err.Error()) }}
	check(t, w.renew())
	if len(told) > 0 {
		t.Errorf("told %q", told)
	}
	check(t, w.notify.Close())
	for range 2 {
		clear(w.places)
		clear(w.paths)
		for _, l := range w.links {
			w.follow(l)
		}
	}
	var ours []string
	for _, s := range told {
		if strings.HasPrefix(s, filepath.Join(base, "real")+": changes here of files that links lead to are not noticed: ") {
			ours = append(ours, s)
		}
	}
	if len(ours) != 1 {
		t.Errorf("told %q", told)
	}
}

func TestWatchDebounces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	changes := watching(t, dir)
	start := time.Now()
	for range 5 {
		write(t, filepath.Join(dir, "a.dcs"), "x")
	}
	wantChange(t, changes, "five writes")
	if d := time.Since(start); d < rest {
		t.Errorf("told after %v, before %v of quiet", d, rest)
	}
	wantQuiet(t, changes, "five writes, told already")

	// Who never stops writing is not waited for.
	stop := time.Now().Add(30 * time.Second)
	for {
		write(t, filepath.Join(dir, "a.dcs"), "x")
		time.Sleep(rest / 10) // never a pause of rest
		select {
		case <-changes:
			return
		default:
		}
		if time.Now().After(stop) {
			t.Fatal("not told while it is written to, want after", latest*rest)
		}
	}
}

func TestWatchFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	ctx, cancel := context.WithCancel(t.Context())
	changes, failed := make(chan struct{}, 100), make(chan string, 100)
	check(t, Watch(ctx, []string{file}, rest, func() { changes <- struct{}{} }, func(err error) { failed <- err.Error() }))
	if msg := <-failed; !strings.HasPrefix(msg, file+": changes here are not noticed") {
		t.Error(msg)
	}
	wantQuiet(t, changes, "a file where a directory should be")
	check(t, os.Remove(file))
	check(t, os.Mkdir(file, 0o755))
	wantChange(t, changes, "the directory is there")
	write(t, filepath.Join(file, "a"), "x")
	wantChange(t, changes, "a file in it")
	if len(failed) > 0 {
		t.Error("told again:", <-failed)
	}
	cancel()
	gone(t)
}
