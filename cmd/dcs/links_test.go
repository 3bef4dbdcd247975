package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A static file that cannot be served stops itself alone, at the start and at each reload, whatever the operator or another
// has put in its place.
func TestServeStaticRefusedAlone(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	at := func(name string) string { return filepath.Join(root, name) }
	for _, dir := range []string{"static/.real", "out"} {
		if err := os.MkdirAll(at(dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, at("out/secret"), "secret")
	write(t, at("static/good"), "good")
	write(t, at("static/.real/deep"), "deep")
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, at(name)); err != nil {
			t.Fatal(err)
		}
	}
	link("../out/secret", "static/bad")
	link("../out", "static/dir")
	link(".real", "static/in")
	p := serve(t, "--static", at("static"))
	refused := func(names ...string) {
		t.Helper()
		for _, name := range names {
			if got := p.fetch(name); got.status == done || !strings.Contains(got.stderr, "ERROR 0") || strings.Contains(got.stdout, "secret") {
				t.Errorf("%s: %+v", name, got)
			}
		}
		for name, want := range map[string]string{"good": "good", "in/deep": "deep"} {
			if got := p.fetch(name); got.status != done || got.stdout != want {
				t.Errorf("%s: %+v", name, got)
			}
		}
	}
	p.await(at("static/bad") + ": cannot be read: the symbolic link leads out")
	p.await(at("static/dir") + ": cannot be read: the symbolic link leads out")
	refused("bad", "dir/secret")

	if err := syscall.Mkfifo(at("static/pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	link("nowhere", "static/dangling")
	p.reload()
	p.await(at("static/pipe") + ": cannot be read: this is a named pipe")
	p.await(at("static/dangling") + ": cannot be read: the symbolic link leads to nothing")
	refused("bad", "dir/secret", "pipe", "dangling")

	// A change in a directory that only a link leads to is noticed without a signal.
	if err := writeFile(at("static/.real/new"), []byte("new")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new file is served", func() bool { return p.fetch("in/new").stdout == "new" })
}
