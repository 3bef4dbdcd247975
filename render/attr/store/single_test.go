package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"dcs/render/attr"
)

// A merge of one file is that file: no other is written, for any number of sources.
func TestSingleFileServesAsItIs(t *testing.T) { runBubble(t, testSingleFileServesAsItIs) }

func testSingleFileServesAsItIs(t *testing.T) {
	a := newFake("a", []string{"n"}, dev(1, "10.0.0.1", "1"))
	b := newFake("b", []string{"m"})
	dir := t.TempDir()
	merged := func() bool {
		_, err := os.Stat(filepath.Join(dir, mergedName))
		return err == nil
	}
	cfg, _ := testConfig(dir, plain{a})
	s := openStore(t, cfg)
	eventually(t, "the first is loaded", s.AllLoaded)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	cfg, ev := testConfig(dir, plain{a}, following{plain{b}, b})
	s = openStore(t, cfg)
	eventually(t, "all is loaded", s.AllLoaded)
	is(t, s, 1, "n=1")
	if ev.has(Merged, "", nil) || merged() {
		t.Error("one file was merged")
	}
	b.apply <- []attr.Change{{Device: onlyIP("10.0.0.1", "2")}}
	is(t, s, 1, "m=2 n=1")

	// After a crash the change is in the overlay.
	cfg, _ = testConfig(copyDir(t, dir), plain{down("a")}, plain{down("b")})
	cfg.OpenWait = time.Nanosecond
	c := openStore(t, cfg)
	if got := get(c, 1); got != "m=2 n=1" {
		t.Errorf("after a crash: %s", got)
	}

	// A second file makes it a merge of two.
	s.requestRebuild()
	eventually(t, "two files are merged", merged)
	is(t, s, 1, "m=2 n=1")

	b.apply <- nil // without its only device
	if err := s.Reload("b", true); err != nil {
		t.Fatal(err)
	}
	is(t, s, 1, "n=1")
	eventually(t, "the merged file is gone", func() bool { return !merged() })
}

// A file that lacks an attribute within the schema is merged into one with all attributes, until a restart finds that no source has it.
func TestSingleFileOfFewerAttributes(t *testing.T) { runBubble(t, testSingleFileOfFewerAttributes) }

func testSingleFileOfFewerAttributes(t *testing.T) {
	f := newFake("a", []string{"x", "y", "z"}, dev(1, "", "1", "2", "3"))
	dir := t.TempDir()
	cfg, ev := testConfig(dir, plain{f})
	s := openStore(t, cfg)
	is(t, s, 1, "x=1 y=2 z=3")
	f.set(func() {
		f.names, f.devices, f.reopen = []string{"x", "z"}, []attr.Device{dev(1, "", "1", "3")}, true
	})
	if err := s.Reload("a", false); err != nil {
		t.Fatal(err)
	}
	is(t, s, 1, "x=1 z=3")
	eventually(t, "merged", func() bool { return ev.has(Merged, "", nil) })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	cfg, _ = testConfig(dir, plain{down("a")})
	cfg.OpenWait = time.Nanosecond
	s = openStore(t, cfg)
	if got := get(s, 1); got != "x=1 z=3" || s.Schema().Len() != 2 {
		t.Errorf("after a start: %s of %v", got, s.Schema().Names())
	}
	if _, err := os.Stat(filepath.Join(dir, mergedName)); err == nil {
		t.Error("the merged file is still there")
	}
}

// A change that is in the merged file and not in its source's file is not lost when that file alone is served: neither then nor
// after a crash at any moment.
func TestSingleFileHasPendingChanges(t *testing.T) { runBubble(t, testSingleFileHasPendingChanges) }

func testSingleFileHasPendingChanges(t *testing.T) {
	a := newFake("a", []string{"n"}, dev(1, "", "old"), dev(2, "", "old"))
	b := newFake("b", []string{"n"}, dev(3, "", "3"))
	cfg, ev := testConfig(t.TempDir(), following{plain{a}, a}, plain{b})
	s := openStore(t, cfg)
	merges := func() int { return ev.count(Merged, "") }
	check := func(when string) {
		t.Helper()
		if got := get(s, 1); got != "n=new" {
			t.Errorf("%s: %s", when, got)
		}
		cfg, _ := testConfig(copyDir(t, cfg.Dir), plain{down("a")}, plain{down("b")})
		cfg.OpenWait = time.Nanosecond
		if got := get(openStore(t, cfg), 1); got != "n=new" {
			t.Errorf("%s, after a crash: %s", when, got)
		}
	}
	eventually(t, "two files are merged", func() bool { return s.AllLoaded() && merges() > 0 })
	a.apply <- []attr.Change{{Device: dev(1, "", "new")}}
	is(t, s, 1, "n=new")
	check("journaled")

	loaded, merged := ev.count(Loaded, "b"), merges()
	if err := s.Reload("b", false); err != nil {
		t.Fatal(err)
	}
	eventually(t, "b is loaded, and merged with the change", func() bool { return ev.count(Loaded, "b") > loaded && merges() > merged })
	if st := s.State(); s.filedSeq() == s.seq {
		t.Fatalf("the change is in the file of its source: %+v", st)
	}
	check("merged")

	loaded = ev.count(Loaded, "b")
	b.set(func() { b.devices = nil })
	if err := s.Reload("b", false); err != nil { // the guard lets a single device go; force would have files built
		t.Fatal(err)
	}
	eventually(t, "b is loaded without devices", func() bool { return ev.count(Loaded, "b") > loaded })
	check("the only file with devices lacks the change")

	s.requestRebuild()
	eventually(t, "the change is in the file", func() bool { return ev.has(Merged, "a", nil) })
	eventually(t, "that file serves alone", func() bool {
		_, err := os.Stat(filepath.Join(cfg.Dir, mergedName))
		return errors.Is(err, fs.ErrNotExist)
	})
	check("filed")
}
