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

// A file that is changed, replaced, removed and put back is loaded anew, once for each time it has settled.
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
	told := make(chan struct{}, 10)
	done := make(chan error)
	go func() {
		done <- s.Follow(ctx, func(c []attr.Change) error {
			if c != nil {
				t.Error("changes of a source that cannot tell them")
			}
			load()
			told <- struct{}{}
			return nil
		})
	}()
	wait := func(what string) {
		t.Helper()
		select {
		case <-told:
		case <-time.After(30 * time.Second):
			t.Fatalf("not told: %s", what)
		}
	}
	time.Sleep(50 * time.Millisecond)
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
	time.Sleep(60 * time.Millisecond)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 { // written bit by bit
		fmt.Fprintf(f, "%s", []string{"mac,a\n0a010203", "0405,4\n", "\n"}[min(i, 2)])
		time.Sleep(2 * time.Millisecond)
	}
	f.Close()
	wait("written anew")
	time.Sleep(300 * time.Millisecond)
	if len(told) != 0 {
		t.Error("told of a change that there was not")
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// follow follows a file that is not polled. What it returns waits until the file was loaded with a value.
func follow(t *testing.T, path string) (wait func(value string)) {
	t.Helper()
	s := New(Config{Path: path, Debounce: 50 * time.Millisecond, Poll: time.Hour})
	values := make(chan string, 100)
	load := func() error {
		return s.Load(t.Context(), func(d *attr.Device) error {
			values <- d.Values[0]
			return nil
		})
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
					time.Sleep(100 * time.Millisecond) // what is watched is so by now
					return
				}
			case <-end:
				t.Fatalf("not told of %s", value)
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

// A neighbour that is written to all the time does not keep a change from being noticed.
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

// A change is noticed behind links: in the file that one leads to, and of where one leads.
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

// A link that leads in a circle is an error, and no loop.
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
