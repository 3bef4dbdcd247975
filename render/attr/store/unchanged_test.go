package store

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"dcs/bench/require"
	"dcs/render/attr"
	"dcs/render/attr/localdb"
)

// versioned is a fake whose devices are identified by a version.
type versioned struct {
	*fake
	attr.Marks
	version atomic.Pointer[string]
}

func newVersioned(name, version string, devices ...attr.Device) *versioned {
	v := &versioned{fake: newFake(name, []string{"n"}, devices...)}
	v.version.Store(&version)
	return v
}

func (v *versioned) Version(time.Time) string { return *v.version.Load() }

func (v *versioned) Unchanged(_ context.Context, version string) bool {
	return version == *v.version.Load()
}

// A source that says that it has not changed is not loaded at a start, and nothing is merged.
func TestUnchangedIsNotLoaded(t *testing.T) {
	day := 24 * time.Hour
	for name, tc := range map[string]struct {
		between func(t *testing.T, a *versioned, dir string)
		now     time.Duration // of the clock, after the first start
		names   []string
		loads   int64 // at the second start
		want    string
	}{
		"unchanged":     {want: "n=1"},
		"after a month": {now: 30 * day, want: "n=1"},
		"changed": {between: func(_ *testing.T, a *versioned, _ string) {
			two := "2"
			a.version.Store(&two)
			a.devices = []attr.Device{dev(1, "", "2")}
		}, loads: 1, want: "n=2"},
		"unknown": {between: func(_ *testing.T, a *versioned, _ string) {
			none := ""
			a.version.Store(&none)
		}, loads: 1, want: "n=1"},
		"other attributes": {names: []string{"m"}, loads: 1, want: "m=1"},
		"a damaged file": {between: func(t *testing.T, _ *versioned, dir string) {
			alter(t, filepath.Join(dir, fileName("a")), 5000)
		}, loads: 1, want: "n=1"},
		"no file": {between: func(t *testing.T, _ *versioned, dir string) {
			if err := os.Remove(filepath.Join(dir, fileName("a"))); err != nil {
				t.Fatal(err)
			}
		}, loads: 1, want: "n=1"},
		"half a file": {between: func(t *testing.T, _ *versioned, dir string) {
			if err := os.Truncate(filepath.Join(dir, fileName("a")), 6000); err != nil {
				t.Fatal(err)
			}
		}, loads: 1, want: "n=1"},
		"loaded when the clock was ahead": {now: -day, loads: 1, want: "n=1"},
	} {
		t.Run(name, bubble(func(t *testing.T) {
			a, b := newVersioned("a", "1", dev(1, "", "1")), newVersioned("b", "1", dev(2, "", "2"))
			dir := t.TempDir()
			cfg, _ := testConfig(dir, a, b)
			s := openStore(t, cfg)
			<-s.Settled()
			is(t, s, 1, "n=1")
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			a.loads.Store(0)
			b.loads.Store(0)
			if tc.between != nil {
				tc.between(t, a, dir)
			}
			if tc.names != nil {
				a.names = tc.names
			}
			cfg, ev := testConfig(dir, a, b)
			cfg.Now = func() time.Time { return time.Now().Add(tc.now) }
			s = openStore(t, cfg)
			<-s.Settled()
			is(t, s, 1, tc.want)
			is(t, s, 2, "n=2")
			eventually(t, "loaded as often as needed", func() bool { return a.loads.Load() == tc.loads })
			if unchanged := ev.has(Unchanged, "a", nil); tc.loads == 0 && (!unchanged || ev.has(Merged, "", nil)) {
				t.Errorf("unchanged: %v; %v", unchanged, ev.last())
			}
			if tc.now >= 0 && b.loads.Load() != 0 {
				t.Error("the other source was loaded")
			}

			// A request is answered in the same way, unless it is forced.
			before := a.loads.Load()
			if err := s.Reload("a", true); err != nil {
				t.Fatal(err)
			}
			eventually(t, "loaded by force", func() bool { return a.loads.Load() == before+1 })
		}))
	}
}

// alter inverts a bit of a file.
func alter(t *testing.T, path string, at int) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[at] ^= 1
	if err := os.Remove(path); err != nil { // it cannot be written to
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Changes over the file of an unchanged source do not outlast a load: the source does not have them.
func TestUnchangedWithChanges(t *testing.T) { runBubble(t, testUnchangedWithChanges) }

func testUnchangedWithChanges(t *testing.T) {
	a := newVersioned("a", "1", dev(1, "", "1"))
	dir := t.TempDir()
	for _, compact := range []bool{false, true} {
		cfg, ev := testConfig(dir, a)
		s := openStore(t, cfg)
		<-s.Settled()
		is(t, s, 1, "n=1")
		if err := s.apply(s.srcs[0], []attr.Change{{Device: dev(1, "", "2")}}); err != nil {
			t.Fatal(err)
		}
		is(t, s, 1, "n=2")
		if compact {
			s.requestRebuild()
			eventually(t, "the change is in the file", func() bool { return ev.has(Merged, "a", nil) })
		}
		dir = copyDir(t, dir) // as after a crash
		cfg, _ = testConfig(dir, a)
		before := a.loads.Load()
		s = openStore(t, cfg)
		<-s.Settled()
		if is(t, s, 1, "n=1"); a.loads.Load() != before+1 {
			t.Errorf("loaded %d times", a.loads.Load()-before)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Settled does not wait for sources that are down.
func TestSettled(t *testing.T) { runBubble(t, testSettled) }

func testSettled(t *testing.T) {
	a := newFake("a", []string{"n"}, dev(1, "", "1"))
	a.hang = true
	cfg, _ := testConfig(t.TempDir(), plain{a}, plain{down("b")})
	cfg.OpenWait = time.Nanosecond
	s := openStore(t, cfg)
	select {
	case <-s.Settled():
		t.Fatal("settled while a source is loaded")
	case <-time.After(time.Minute):
	}
	a.set(func() { a.hang, a.loadErr = false, os.ErrClosed })
	<-s.Settled()
}

const flips = 50 // devices of flippedStore's file

// flip replaces the file at path by one whose devices all have a value.
func flip(path string, value int) error {
	b, err := localdb.Create(path, []string{"n"}, localdb.Options{Memory: 1 << 16})
	if err != nil {
		return err
	}
	defer b.Abort()
	for i := range flips {
		d := dev(i, "", strconv.Itoa(value))
		if err := b.Add(&d); err != nil {
			return err
		}
	}
	_, err = b.Commit(nil)
	return err
}

// flippedStore runs a Store whose source is a file, and prints each value that its devices have, until it is killed.
func flippedStore(dir, file string) error {
	s, err := Open(Config{Dir: dir, Sources: []attr.Source{NewFile(file, time.Millisecond)}, Now: time.Now})
	if err != nil {
		return err
	}
	was := ""
	for range time.Tick(100 * time.Microsecond) {
		value := whole(s.View())
		if value != was {
			fmt.Println("served", value)
			was = value
		}
	}
	return nil
}

// whole returns the value that all devices have, or a list if they differ.
func whole(v *View) string {
	var all []string
	for i := range flips {
		r, _ := v.Lookup(mac(i), nil)
		value, _ := r.Get(0)
		all = append(all, strings.Clone(value))
	}
	return strings.Join(slices.Compact(all), ",")
}

// A process that is killed at any moment, while its source is replaced: the next one serves one state of the source, none older than
// what was served, and the source's own as soon as it can be read.
func TestEndedUnchanged(t *testing.T) {
	require.Long(t, "processes that are killed")
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "file")
	value := 1
	if err := flip(file, value); err != nil {
		t.Fatal(err)
	}
	unchanged := 0
	for round := range rounds(12, 100) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "DCS_TEST_CRASH="+dir, "DCS_TEST_CRASH_FILE="+file)
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		var last atomic.Int64
		read := make(chan struct{})
		go func() {
			defer close(read)
			in := bufio.NewScanner(out)
			for in.Scan() {
				if v, ok := strings.CutPrefix(in.Text(), "served "); ok && v != "" {
					n, err := strconv.Atoi(v)
					if err != nil {
						t.Errorf("round %d: a mixture: %s", round, v)
					}
					last.Store(int64(n))
				}
			}
			_, _ = io.Copy(io.Discard, out)
		}()
		eventually(t, "it serves", func() bool { return last.Load() > 0 })
		for range round % 4 { // in every fourth round the source stays as it is
			value++
			if err := flip(file, value); err != nil {
				t.Fatal(err)
			}
			time.Sleep(rand.N(10 * time.Millisecond)) // so that it ends at any point of its work
		}
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait()

		cfg, _ := testConfig(dir, plain{down("file " + file)})
		cfg.OpenWait = time.Nanosecond
		s := openStore(t, cfg)
		got, err := strconv.Atoi(whole(s.View()))
		if s.Close(); err != nil || got < int(last.Load()) || got > value {
			t.Fatalf("round %d: %s is served after %d, of %d: %v", round, whole(s.View()), last.Load(), value, err)
		}
		cfg, ev := testConfig(dir, NewFile(file, time.Millisecond))
		s = openStore(t, cfg)
		<-s.Settled()
		if got := whole(s.View()); got != strconv.Itoa(value) {
			t.Fatalf("round %d: %s is served of %d", round, got, value)
		}
		if ev.has(Unchanged, "", nil) || ev.count(Unchanged, "file "+file) > 0 {
			unchanged++
		}
		s.Close()
	}
	if unchanged == 0 {
		t.Error("never unchanged")
	}
}
