package csvfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"dcs/render/attr"
)

// A file that is written, replaced, removed and restored is loaded once for each change, after Debounce without changes.
func TestFollow(t *testing.T) {
	path := write(t, "mac,a\n0a0102030405,1\n")
	s := New(Config{Path: path, Debounce: 100 * time.Millisecond, Poll: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	load := func() (value string) {
		err := s.Load(ctx, func(d *attr.Device) error { value = d.Values[0]; return nil })
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	load()
	loads := make(chan struct{}, 10)
	done := make(chan error)
	go func() {
		done <- s.Follow(ctx, func(c []attr.Change) error {
			if c != nil {
				t.Error("changes from a source that can only be loaded")
			}
			load()
			loads <- struct{}{}
			return nil
		})
	}()
	wait := func(what string) {
		t.Helper()
		select {
		case <-loads:
		case <-time.After(30 * time.Second):
			t.Fatalf("not loaded: %s", what)
		}
	}
	if err := os.WriteFile(path, []byte("mac,a\n0a0102030405,22\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wait("written")
	if err := os.WriteFile(path+".new", []byte("mac,a\n0a0102030405,3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	wait("replaced")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 { // written slowly
		fmt.Fprintf(f, "%s", []string{"mac,a\n0a010203", "0405,4\n", "\n"}[min(i, 2)])
		time.Sleep(2 * time.Millisecond) // the pace of writing, far below Debounce
	}
	f.Close()
	wait("written again")
	if err := os.WriteFile(path, []byte("mac,a\n0a0102030405,last\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wait("the last change")
	if len(loads) != 0 {
		t.Error("loaded without a change")
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// follow follows a file without polling it. It returns a function that waits until the file is loaded with a value.
func follow(t *testing.T, path string) (wait func(value string)) {
	t.Helper()
	s := New(Config{Path: path, Debounce: 50 * time.Millisecond, Poll: time.Hour})
	values := make(chan string, 100)
	load := func() error {
		value := ""
		err := s.Load(t.Context(), func(d *attr.Device) error {
			value = d.Values[0]
			return nil
		})
		values <- value // now that the file is read: the test writes to it next
		return err
	}
	if err := load(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Follow(ctx, func([]attr.Change) error { return load() }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return func(value string) {
		t.Helper()
		for end := time.After(30 * time.Second); ; {
			select {
			case v := <-values:
				if v == value {
					return
				}
			case <-end:
				t.Fatalf("%s was not loaded", value)
			}
		}
	}
}

// put writes a file of one device with a value, making its directory.
func put(t *testing.T, path, value string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err = errors.Join(err, os.WriteFile(path, []byte("mac,a\n0a0102030405,"+value+"\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// A change is noticed although another file of the directory is written to all the time.
func TestFollowBesideBusyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "devices.csv")
	put(t, path, "one")
	stop := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				_ = os.WriteFile(path+".log", []byte{byte(i)}, 0o600)
			}
		}
	}()
	defer func() { close(stop); <-ended }()
	wait := follow(t, path)
	wait("one")
	put(t, path, "number two")
	wait("number two")
}

// Changes are noticed behind symbolic links: of the target file, and of the links themselves.
func TestFollowLinks(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	link := func(target, name string) {
		t.Helper()
		err := os.MkdirAll(filepath.Dir(at(name)), 0o700)
		err = errors.Join(err, os.Symlink(target, at(name)+".new"), os.Rename(at(name)+".new", at(name)))
		if err != nil {
			t.Fatal(err)
		}
	}
	put(t, at("data/v1/fleet.csv"), "one")
	link("v1", "data/now")
	link("../data/now/fleet.csv", "etc/devices.csv")
	wait := follow(t, at("etc/devices.csv"))
	wait("one")
	put(t, at("data/v1/fleet.csv"), "one edited")
	wait("one edited")
	put(t, at("data/v2/fleet.csv"), "two")
	link("v2", "data/now") // a directory on the way
	wait("two")
	put(t, at("data/v2/fleet.csv"), "two again")
	wait("two again")
	put(t, at("other/fleet.csv"), "three")
	link(at("other/fleet.csv"), "etc/devices.csv") // the file itself
	wait("three")
	put(t, at("other/fleet.csv"), "three again")
	wait("three again")
	put(t, at("etc/devices.csv.new"), "four")
	if err := os.Rename(at("etc/devices.csv.new"), at("etc/devices.csv")); err != nil { // no link any more
		t.Fatal(err)
	}
	wait("four")
}

// A cycle of symbolic links is an error.
func TestDirectories(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"a": "b", "b": "a", "up": "sub/..", "sub/file": "../up/real", "abs": dir + "/sub/file"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.Symlink(target, path)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := directories(dir + "/a"); !errors.Is(err, syscall.ELOOP) {
		t.Error(err)
	}
	for name, want := range map[string][]string{
		"none":     {dir},
		"no/where": {dir + "/no"},
		"abs":      {dir, dir + "/sub", dir, dir},
	} {
		if got, err := directories(filepath.Join(dir, name)); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
}
