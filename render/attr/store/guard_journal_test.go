package store

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"dcs/render/attr"
	"dcs/render/device"
)

// counted returns the guard's counts of a source, and those of a walk over all its devices.
func counted(t *testing.T, s *Store, i int) (got, want tally) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fleet[i].each(func(d *attr.Device) error {
		want.add(d.Values, 1)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	got = s.srcs[i].guard.now.clone()
	got.grow(len(s.names))
	want.grow(len(s.names))
	return got, want
}

func sameCounts(t *testing.T, what string, s *Store, i int) tally {
	t.Helper()
	got, want := counted(t, s, i)
	if got.devices != want.devices || !slices.Equal(got.values, want.values) {
		t.Fatalf("%s: %+v are counted, and there are %+v", what, got, want)
	}
	return got
}

// afterCrash opens a copy of the directory as a crash of the Store would leave it now.
func afterCrash(t *testing.T, s *Store, sources ...attr.Source) (*Store, *events) {
	t.Helper()
	s.flush()
	cfg, ev := testConfig(copyDir(t, s.cfg.Dir), sources...)
	cfg.OpenWait, cfg.RetryMax = time.Nanosecond, time.Hour
	return openStore(t, cfg), ev
}

// journaled returns the journal's last record of each device.
func journaled(t *testing.T, dir string) map[device.MAC]record {
	t.Helper()
	c, err := openJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	list := make(map[device.MAC]record)
	for _, r := range c.records {
		if r.flags&(recordTouch|recordMark) == 0 {
			list[r.mac] = r
		}
	}
	return list
}

// The journal has the changes that were admitted, as they were applied, and none that is held back.
func TestGuardJournalsWhatItAdmits(t *testing.T) {
	t.Parallel()
	for _, sources := range []int{1, 2} {
		t.Run(fmt.Sprint(sources), bubble(func(t *testing.T) {
			f := newFake("db", []string{"a", "b"}, herd(200)...)
			list, away := []attr.Source{following{plain{f}, f}}, []attr.Source{plain{down("db")}}
			for len(list) < sources {
				list, away = append(list, plain{newFake("more", []string{"c"}, dev(1000, "", "c"))}), append(away, plain{down("more")})
			}
			dir := t.TempDir()
			cfg, _ := testConfig(dir, list...)
			cfg.RetryMax = time.Hour
			s := openStore(t, cfg)
			is(t, s, 199, "a=199 b=x")
			changes := []attr.Change{{Device: dev(1, "", "one")}, {Device: dev(2, "", "2", "y")}, {Device: dev(300, "", "new")}}
			for i := 50; i < 100; i++ {
				changes = append(changes, gone(dev(i, "")))
			}
			for i := 100; i < 200; i++ { // a value each
				changes = append(changes, attr.Change{Device: dev(i, "", fmt.Sprint("c", i))})
			}
			f.apply <- changes
			is(t, s, 300, "a=new")
			eventually(t, "held back", func() bool { return s.State()[0].ChangesHeldBack == 151 })
			s.flush()
			records := journaled(t, dir)
			for i := range 200 {
				r, ok := records[mac(i)]
				switch {
				case i == 1 || i >= 100: // with the value that it would have lost
					if !ok || !slices.Contains(r.values, "x") {
						t.Errorf("device %d: %+v", i, r)
					}
				case ok != (i == 2):
					t.Errorf("device %d is in the journal: %v", i, ok)
				}
			}
			check := func(what string, s *Store) {
				t.Helper()
				for n, want := range map[int]string{
					0: "a=0 b=x", 1: "a=one b=x", 2: "a=2 b=y", 50: "a=50 b=x", 99: "a=99 b=x", 100: "a=c100 b=x", 300: "a=new",
				} {
					if got := get(s, n); got != want {
						t.Errorf("%s: device %d is %q, want %q", what, n, got, want)
					}
				}
				sameCounts(t, what, s, 0)
				if held := s.heldBackOf(0); held != "" && what != "running" && what != "after Close" { // its source is away
					t.Errorf("%s: %s", what, held)
				}
			}
			check("running", s)
			c, _ := afterCrash(t, s, away...)
			check("after a crash", c)
			c.Close()
			cfg, _ = testConfig(c.cfg.Dir, away...)
			cfg.OpenWait = time.Nanosecond
			check("after another start", openStore(t, cfg))
			if s.Close(); t.Failed() {
				return
			}
			// The losses of the day still count after the source's next load.
			f.set(func() { f.devices = herd(150) })
			cfg, _ = testConfig(dir, list...)
			cfg.RetryMax = time.Hour
			s = openStore(t, cfg)
			check("after Close", s)
			eventually(t, "the load is held back", func() bool {
				return strings.HasPrefix(s.heldBackOf(0), "held back: 51 of 201 devices would be lost")
			})
		}))
	}
}

// A load that is held back removes nothing from the journal, and later changes are journaled.
func TestGuardHeldLoadKeepsJournal(t *testing.T) {
	t.Parallel()
	for _, sources := range []int{1, 2} {
		for _, compacted := range []bool{false, true} {
			t.Run(fmt.Sprint(sources, compacted), bubble(func(t *testing.T) {
				f := newFake("db", []string{"a", "b"}, herd(200)...)
				list, away := []attr.Source{following{plain{f}, f}}, []attr.Source{plain{down("db")}}
				for len(list) < sources {
					list, away = append(list, plain{newFake("more", []string{"c"}, dev(1000, "", "c"))}), append(away, plain{down("more")})
				}
				cfg, ev := testConfig(t.TempDir(), list...)
				cfg.RetryMax = time.Hour
				s := openStore(t, cfg)
				is(t, s, 199, "a=199 b=x")
				f.apply <- []attr.Change{{Device: dev(1, "", "one", "x")}, gone(dev(2, "")), {Device: dev(300, "", "new", "x")}}
				is(t, s, 300, "a=new b=x")
				f.set(func() { f.devices = herd(10) })
				_ = s.Reload("db", false)
				eventually(t, "the load is held back", func() bool { return s.heldBackOf(0) == "held back: 190 of 200 devices would be lost" })
				f.apply <- []attr.Change{{Device: dev(3, "", "three", "x")}, gone(dev(4, ""))}
				is(t, s, 3, "a=three b=x")
				if compacted {
					merged := ev.count(Merged, "db")
					s.requestRebuild()
					eventually(t, "the changes are in the file", func() bool { return ev.count(Merged, "db") > merged })
				}
				f.apply <- []attr.Change{{Device: dev(5, "", "five", "x")}}
				is(t, s, 5, "a=five b=x")
				c, _ := afterCrash(t, s, away...)
				for n, want := range map[int]string{
					1: "a=one b=x", 2: "none", 3: "a=three b=x", 4: "a=4 b=x", 5: "a=five b=x", 199: "a=199 b=x", 300: "a=new b=x",
				} {
					if got := get(c, n); got != want || get(s, n) != want {
						t.Errorf("device %d is %q, it was %q, want %q", n, got, get(s, n), want)
					}
				}
				was := sameCounts(t, "running", s, 0)
				if got := sameCounts(t, "after a crash", c, 0); got.devices != was.devices || !slices.Equal(got.values, was.values) {
					t.Errorf("%+v are counted, it was %+v", got, was)
				}
			}))
		}
	}
}

// A forced load after a crash accepts what was held back before the crash, permanently.
func TestGuardForceAfterCrash(t *testing.T) { runBubble(t, testGuardForceAfterCrash) }

func testGuardForceAfterCrash(t *testing.T) {
	f := newFake("db", []string{"a", "b"}, herd(200)...)
	source := following{plain{f}, f}
	cfg, _ := testConfig(t.TempDir(), source)
	cfg.RetryMax = time.Hour
	s := openStore(t, cfg)
	is(t, s, 199, "a=199 b=x")
	f.apply <- []attr.Change{{Device: dev(150, "", "late", "x")}}
	is(t, s, 150, "a=late b=x")
	f.set(func() { f.devices = herd(20) })
	_ = s.Reload("", false)
	eventually(t, "held back", func() bool { return s.heldBackOf(0) != "" })
	s.flush()
	dir := copyDir(t, cfg.Dir)
	s.Close() // it and the next share the source
	cfg, _ = testConfig(dir, source)
	cfg.RetryMax = time.Hour
	c := openStore(t, cfg)
	eventually(t, "held back again", func() bool { return c.heldBackOf(0) == "held back: 180 of 200 devices would be lost" })
	is(t, c, 150, "a=late b=x")
	_ = c.Reload("", true)
	is(t, c, 150, "none")
	eventually(t, "nothing is held back", func() bool { return c.heldBackOf(0) == "" })
	sameCounts(t, "forced", c, 0)
	f.apply <- []attr.Change{gone(dev(19, ""))}
	is(t, c, 19, "none")
	d, _ := afterCrash(t, c, plain{down("db")})
	if get(d, 150) != "none" || get(d, 19) != "none" || get(d, 18) != "a=18 b=x" {
		t.Errorf("%s, %s, %s", get(d, 150), get(d, 19), get(d, 18))
	}
	if got := sameCounts(t, "after another crash", d, 0); got.devices != 19 || d.srcs[0].guard.peak.devices != 20 {
		t.Errorf("%+v, and the most was %+v", got, d.srcs[0].guard.peak)
	}
}

// Devices of an unlisted source that a forced load removes stay removed after a crash, and no longer count as losses.
func TestGuardForceUnlisted(t *testing.T) { runBubble(t, testGuardForceUnlisted) }

func testGuardForceUnlisted(t *testing.T) {
	f := newFake("p", []string{"a", "b"})
	f.loadErr = errors.ErrUnsupported
	f.ask = map[question]attr.Device{}
	for _, d := range herd(50) {
		f.ask[question{mac: d.MAC}] = d
	}
	cfg, ev := testConfig(t.TempDir(), asking{plain{f}, f})
	cfg.AskFresh, cfg.AskAgain, cfg.RetryMax = time.Minute, time.Millisecond, time.Hour
	s := openStore(t, cfg)
	for i := range 50 {
		eventually(t, "found", func() bool {
			s.Miss(time.Now().UnixNano(), mac(i), netip.Addr{})
			return get(s, i) != "none"
		})
	}
	s.requestRebuild()
	eventually(t, "they are in the file", func() bool { return ev.count(Merged, "p") > 0 })
	f.set(func() { clear(f.ask) })
	time.Sleep(2 * time.Minute)
	eventually(t, "held back", func() bool { return s.State()[0].ChangesHeldBack > 0 && f.asks.Load() >= 100 })
	s.flush()
	kept := 0
	records := journaled(t, cfg.Dir)
	for i := range 50 {
		_, isGone := records[mac(i)]
		if has := get(s, i) != "none"; has {
			kept++
			if isGone && records[mac(i)].flags&recordGone != 0 {
				t.Errorf("device %d is served, and not by the journal", i)
			}
		}
	}
	if kept == 0 {
		t.Fatal("all are lost")
	}
	_ = s.Reload("", true)
	for i := range 50 {
		is(t, s, i, "none")
	}
	eventually(t, "nothing is held back", func() bool { return s.heldBackOf(0) == "" })
	eventually(t, "the file says so", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.srcs[0].stats.Devices == 0
	})
	c, _ := afterCrash(t, s, plain{down("p")})
	for i := range 50 {
		if got := get(c, i); got != "none" {
			t.Errorf("after a crash device %d is %s", i, got)
		}
	}
	if got := sameCounts(t, "after a crash", c, 0); got.devices != 0 || c.srcs[0].guard.peak.devices != 0 {
		t.Errorf("%+v, and the most was %+v", got, c.srcs[0].guard.peak)
	}
}

// Without a file, the losses of a load are held back as usual, and a retry neither adds to them nor leaves stale ones.
func TestGuardUnwritten(t *testing.T) { runBubble(t, testGuardUnwritten) }

func testGuardUnwritten(t *testing.T) {
	f := newFake("db", []string{"a", "b"}, herd(3000)...)
	dir := t.TempDir() + "/state"
	cfg, ev := testConfig(dir, following{plain{f}, f})
	cfg.Overlay = 10_000
	s := openStore(t, cfg)
	is(t, s, 2999, "a=2999 b=x")
	eventually(t, "loaded", func() bool { return s.State()[0].Up })
	without := herd(3000)
	for i := range without {
		without[i].Values = without[i].Values[:1]
	}
	without[1] = dev(1, "", "one")
	f.set(func() { f.devices = append(slices.Clone(without), dev(5000, "", "new")) })
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	_ = s.Reload("", false)
	is(t, s, 5000, "a=new")
	is(t, s, 1, "a=one b=x")
	for _, n := range []int{0, 2, 999, 1000, 2999} {
		if got, want := get(s, n), fmt.Sprintf("a=%d b=x", n); got != want {
			t.Errorf("device %d is %q, want %q", n, got, want)
		}
	}
	loads := f.loads.Load()
	eventually(t, "tried again", func() bool { return f.loads.Load() > loads+2 })
	eventually(t, "held back", func() bool { return s.State()[0].ChangesHeldBack == 3000 })
	if n := s.State()[0].ChangesHeldBack; n > 3000 {
		t.Errorf("%d are held back", n)
	}
	sameCounts(t, "held back", s, 0)
	if !ev.has(BuildFailed, "db", os.ErrNotExist) || !ev.has(HeldBack, "db", nil) {
		t.Errorf("told %v", ev.list)
	}

	// Nothing is held back once the devices are back.
	f.set(func() { f.devices = herd(3000) })
	_ = s.Reload("", false)
	is(t, s, 1, "a=1 b=x")
	eventually(t, "nothing is held back", func() bool { return s.heldBackOf(0) == "" })

	f.set(func() { f.devices = without })
	_ = s.Reload("", true)
	is(t, s, 2999, "a=2999")
	is(t, s, 0, "a=0")
	eventually(t, "nothing is held back", func() bool { return s.heldBackOf(0) == "" })
	sameCounts(t, "forced", s, 0)
	made := ev.count(Loaded, "db")
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a file is made", func() bool { return ev.count(Loaded, "db") > made && s.State()[0].Err == nil })
	is(t, s, 2999, "a=2999")
	sameCounts(t, "in the file", s, 0)
}

// A source that holds its own load back is held back also if no file can be written.
func TestGuardUnwrittenMarker(t *testing.T) { runBubble(t, testGuardUnwrittenMarker) }

func testGuardUnwrittenMarker(t *testing.T) {
	f := &marked{fake: newFake("db", []string{"a", "b"}, herd(20)...)}
	dir := t.TempDir() + "/state"
	cfg, _ := testConfig(dir, f)
	cfg.RetryMax = time.Hour
	s := openStore(t, cfg)
	is(t, s, 19, "a=19 b=x")
	eventually(t, "loaded", func() bool { return s.State()[0].Up })
	f.set(func() { f.half, f.devices = true, herd(19) })
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	_ = s.Reload("", false)
	eventually(t, "held back", func() bool {
		st := s.State()[0]
		return s.heldBackOf(0) == "held back: half" && st.Up && errors.Is(st.Err, os.ErrNotExist)
	})
	is(t, s, 19, "a=19 b=x")
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	_ = s.Reload("", true)
	is(t, s, 19, "none")
	eventually(t, "nothing is held back", func() bool { return s.heldBackOf(0) == "" && s.State()[0].Err == nil })
}
