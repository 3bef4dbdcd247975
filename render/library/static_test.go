package library

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcs/render/ber/mib"
)

func mustFile(t *testing.T, s *Snapshot, name string) []byte {
	t.Helper()
	l := find(s, name)
	sk, fault := s.Skeleton(l, nil, false)
	if fault != nil {
		t.Fatal(fault)
	}
	return renderedBy(t, s, l, sk, nil)
}

func TestStatic(t *testing.T) {
	big := strings.Repeat("firmware", 20000)
	one := tree(t, map[string]string{"fw/a.bin": big, "b": "small", "c": ""})
	two := tree(t, map[string]string{"b": "hidden by the first", "d": "other"})
	if err := os.Symlink(filepath.Join(two, "d"), filepath.Join(one, "link")); err != nil {
		t.Fatal(err)
	}
	cfg := Config{Static: []string{one, two}}
	s, err := Load(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"fw/a.bin": big, "b": "small", "c": "", "d": "other", "link": "other"} {
		if l := find(s, name); l == nil || string(l.File.Data) != want {
			t.Errorf("%s is wrong", name)
		}
	}
	for _, name := range []string{"fw", "../" + filepath.Base(two) + "/d", "fw/../b", "/b"} {
		if find(s, name) != nil {
			t.Errorf("%q is found", name)
		}
	}
	if err := os.WriteFile(filepath.Join(one, "b"), []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	next, err := Load(cfg, s)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(find(next, "b").File.Data); got != "changed" {
		t.Errorf("b is %q after it was changed", got)
	}
	if find(next, "fw/a.bin").File != find(s, "fw/a.bin").File {
		t.Error("a file that did not change was mapped again")
	}
	if string(find(s, "b").File.Data) != "small" {
		t.Error("the former snapshot has changed")
	}
}

// What is no regular file is an error, whoever refers to it, and is not waited for.
func TestNoRegularFile(t *testing.T) {
	dir := tree(t, map[string]string{
		"good.dcs":   `Main { MaxCPE 1; }`,
		"text.dcs":   `Text "motd" from "pipe";`,
		"binary.dcs": `Binary "fw.bin" from "pipe";`,
		"dir.dcs":    `Text "dir" from "sub";`,
		"sub/b.dcs":  `Block b { MaxCPE 2; }`,
	})
	for _, name := range []string{"pipe", "pipe.dcs", "pipe.cfg", "sub/pipe.txt"} {
		if err := syscall.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"link.dcs": "pipe", "device.dcs": os.DevNull, "fine.dcs": "good.dcs"} {
		check(t, os.Symlink(target, filepath.Join(dir, link)))
	}
	s, err := within(t, func() (*Snapshot, error) { return Load(Config{Dirs: []string{dir}, MIB: mib.Default()}, nil) })
	if s == nil || find(s, "good.cm") == nil || find(s, "fine.cm") == nil {
		t.Errorf("the good ones are not served: %v", err)
	}
	for _, want := range []string{
		"pipe.dcs:1:1: this is a named pipe, and only a regular file is read", "pipe.cfg:1:1: this is a named pipe", "sub/pipe.txt:1:1: this is",
		"link.dcs:1:1: this is a named pipe", "device.dcs:1:1: this is a device", "text.dcs:1:18: ", "binary.dcs:1:22: ", "/pipe: this is a named pipe", "/sub: this is a directory",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got\n%v", want, err)
		}
	}

	// A source alone, with one beside it that it does not need and one that it includes.
	for src, want := range map[string]string{`Main { include b; }`: "no Block has this name", `Main { include "pipe.cfg"; }`: "pipe.cfg:1:1: this is a named pipe"} {
		_, err := within(t, func() (*Snapshot, error) {
			return LoadFile(Config{MIB: mib.Default()}, filepath.Join(dir, "alone.dcs"), []byte(src))
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want an error with %q, got %v", src, want, err)
		}
	}
}

// within fails the test when load does not end.
func within(t *testing.T, load func() (*Snapshot, error)) (*Snapshot, error) {
	t.Helper()
	type result struct {
		snap *Snapshot
		err  error
	}
	done := make(chan result, 1)
	go func() {
		s, err := load()
		done <- result{s, err}
	}()
	select {
	case r := <-done:
		return r.snap, r.err
	case <-time.After(30 * time.Second):
		t.Fatal("the library is still being loaded")
	}
	return nil, nil
}
