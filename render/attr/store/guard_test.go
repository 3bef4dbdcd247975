package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dcs/bench/require"
	"dcs/render/attr"
	"dcs/render/attr/localdb"
)

// herd returns n devices with two attributes each.
func herd(n int) (list []attr.Device) {
	for i := range n {
		list = append(list, dev(i, "", fmt.Sprint(i), "x"))
	}
	return list
}

func TestGuardLimit(t *testing.T) {
	for _, tc := range []struct {
		shrink       float64
		was, devices int
		want         int
	}{
		{0.2, 10_000_000, 10_000_000, 2_000_000},
		{0.2, 200, 200, 40},
		{0.2, 100, 100, 20},
		{0.2, 104, 104, 20},
		{0.2, 99, 99, 98}, // as it likes, but not all
		{0.2, 2, 2, 1},
		{0.2, 1, 1, 1},
		{0.2, 0, 0, 0},
		{0.2, 30, 150, 29}, // a fifth of the devices
		{0.2, 29, 150, 29}, // fewer had it
		{0.2, 99, 10_000, 99},
		{0.2, 100, 10_000, 20},
		{0.29, 100, 100, 29}, // which is less in binary
		{1, 10_000, 10_000, 10_000},
	} {
		c := Config{Shrink: tc.shrink}
		if got := c.limit(tc.was, tc.devices); got != tc.want {
			t.Errorf("of %d, of %d devices, %d may go, want %d", tc.was, tc.devices, got, tc.want)
		}
	}
}

func (s *Store) heldBackOf(i int) string {
	if err := s.State()[i].HeldBack; err != nil {
		return err.Error()
	}
	return ""
}

// Losses count for a day, across restarts, and no longer.
func TestGuardDay(t *testing.T) {
	require.Long(t, "a day of changes")
	runBubble(t, testGuardDay)
}

func testGuardDay(t *testing.T) {
	dir := t.TempDir()
	f := newFake("db", []string{"a", "b"}, herd(200)...)
	var back atomic.Int64 // how far the clock was set back
	open := func() *Store {
		cfg, _ := testConfig(dir, plain{f})
		cfg.Now = func() time.Time { return time.Now().Add(-time.Duration(back.Load())) }
		cfg.RetryMax = time.Hour
		return openStore(t, cfg)
	}
	s := open()
	is(t, s, 199, "a=199 b=x")
	step := func(n int, held string) {
		t.Helper()
		loads := f.loads.Load()
		f.set(func() { f.devices = herd(n) })
		_ = s.Reload("", false)
		eventually(t, "loaded", func() bool { return f.loads.Load() > loads && s.State()[0].Loading < 0 && s.State()[0].Up })
		eventually(t, fmt.Sprintf("%q is held back, it is %q", held, s.heldBackOf(0)), func() bool { return s.heldBackOf(0) == held })
		want := "none"
		if held != "" {
			n++ // the one that is kept
			want = fmt.Sprintf("a=%d b=x", n-1)
		}
		is(t, s, max(n-1, 0), map[bool]string{true: want, false: fmt.Sprintf("a=%d b=x", n-1)}[held != ""])
	}
	step(170, "")
	s.Close()
	s = open()
	is(t, s, 169, "a=169 b=x")
	step(150, "held back: 50 of 200 devices would be lost")
	time.Sleep(25 * time.Hour)
	step(140, "")
	time.Sleep(25 * time.Hour)
	step(115, "")
	step(110, "held back: 30 of 140 devices would be lost")
	step(120, "") // what is missing is back
	// A clock that was ahead does not lengthen the day.
	back.Store(int64(1000 * time.Hour))
	step(110, "held back: 30 of 140 devices would be lost")
	time.Sleep(25 * time.Hour)
	step(100, "")
}

// A file written before the guard existed has no counts: they are made before the first load.
func TestGuardOldFile(t *testing.T) { runBubble(t, testGuardOldFile) }

func testGuardOldFile(t *testing.T) {
	dir := t.TempDir()
	b, err := localdb.Create(filepath.Join(dir, fileName("db")), []string{"a", "b"}, localdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range herd(50) {
		if err := b.Add(&d); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Commit([]byte(`{"source":"db","loaded":"2026-11-24T00:00:00Z","stamp":1}`)); err != nil {
		t.Fatal(err)
	}
	f := newFake("db", []string{"a"}, herd(50)...)
	for i := range f.devices {
		f.devices[i].Values = f.devices[i].Values[:1]
	}
	cfg, _ := testConfig(dir, plain{f})
	s := openStore(t, cfg)
	eventually(t, "held back", func() bool { return s.heldBackOf(0) == "held back: attribute b would lose 50 of 50 values" })
	is(t, s, 49, "a=49 b=x")
}

// A source that has lost a column still serves it after its changes are written to its file, and after a restart.
func TestGuardKeepsColumn(t *testing.T) { runBubble(t, testGuardKeepsColumn) }

func testGuardKeepsColumn(t *testing.T) {
	dir := t.TempDir()
	f := newFake("db", []string{"a", "b"}, herd(200)...)
	g := newFake("more", []string{"c"}, dev(1, "", "c"))
	open := func() (*Store, *events) {
		cfg, ev := testConfig(dir, following{plain{f}, f}, plain{g})
		cfg.RetryMax = time.Hour
		return openStore(t, cfg), ev
	}
	s, ev := open()
	is(t, s, 1, "a=1 b=x c=c")
	f.set(func() {
		f.names, f.reopen = []string{"a"}, true
		for i := range f.devices {
			f.devices[i] = dev(i, "", f.devices[i].Values[0])
		}
	})
	_ = s.Reload("db", false)
	eventually(t, "held back", func() bool { return s.heldBackOf(0) == "held back: attribute b would lose 200 of 200 values" })
	f.apply <- []attr.Change{{Device: dev(1, "", "one")}, {Device: dev(300, "", "new")}}
	is(t, s, 1, "a=one b=x c=c")
	is(t, s, 300, "a=new")
	merged := ev.count(Merged, "db")
	s.requestRebuild()
	eventually(t, "the changes are in the file", func() bool { return ev.count(Merged, "db") > merged && s.View().over == nil })
	is(t, s, 1, "a=one b=x c=c")
	is(t, s, 199, "a=199 b=x")
	s.Close()
	s, _ = open()
	if got := get(s, 199); got != "a=199 b=x" {
		t.Errorf("after a start: %s", got)
	}
	eventually(t, "held back again", func() bool { return strings.HasPrefix(s.heldBackOf(0), "held back: attribute b would lose 200") })
	_ = s.Reload("db", true)
	is(t, s, 199, "a=199")
}

// Replaced devices are no loss, nor are values that come and go.
func TestGuardBalance(t *testing.T) { runBubble(t, testGuardBalance) }

func testGuardBalance(t *testing.T) {
	f := newFake("db", []string{"a", "b"}, herd(200)...)
	cfg, _ := testConfig(t.TempDir(), following{plain{f}, f})
	s := openStore(t, cfg)
	is(t, s, 199, "a=199 b=x")
	var swap []attr.Change
	for i := range 200 {
		swap = append(swap, gone(dev(i, "")), attr.Change{Device: dev(1000+i, "", fmt.Sprint(i), "x")})
	}
	f.apply <- swap
	is(t, s, 199, "none")
	is(t, s, 1199, "a=199 b=x")
	for range 3 { // a fifth each day would be 40
		for i := range 30 {
			f.apply <- []attr.Change{{Device: dev(1000+i, "", fmt.Sprint(i))}}
		}
		for i := range 30 {
			f.apply <- []attr.Change{{Device: dev(1000+i, "", fmt.Sprint(i), "x")}}
		}
	}
	if held := s.heldBackOf(0); held != "" {
		t.Error(held)
	}
	// Changes that exceed the limit at once are held back together, and reported once.
	var lost []attr.Change
	for i := range 100 {
		lost = append(lost, gone(dev(1000+i, "")))
	}
	f.apply <- append(lost, attr.Change{Device: dev(2000, "", "new")})
	is(t, s, 2000, "a=new")
	want := "held back: 100 changes, which would take the losses of a day above 40 of 200 devices"
	if got := s.heldBackOf(0); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	is(t, s, 1000, "a=0 b=x")
}

// The counts match what is served after random changes, after rebuilds and after a crash.
func TestGuardCounts(t *testing.T) { runBubble(t, testGuardCounts) }

func testGuardCounts(t *testing.T) {
	f := newFake("db", []string{"a", "b"}, herd(20)...)
	f.devices = append(f.devices, onlyIP("10.0.0.1", "1"), onlyIP("10.0.0.2", "", "2"))
	cfg, ev := testConfig(t.TempDir(), following{plain{f}, f})
	cfg.Shrink = 1
	s := openStore(t, cfg)
	is(t, s, 19, "a=19 b=x")
	r := rand.New(rand.NewPCG(1, 2))
	value := func() string { return []string{"", "", "v"}[r.IntN(3)] }
	for step := range 400 {
		var list []attr.Change
		for range 1 + r.IntN(3) {
			ip := ""
			if r.IntN(2) == 0 {
				ip = fmt.Sprintf("10.0.0.%d", r.IntN(5))
			}
			c := attr.Change{Device: dev(r.IntN(25), ip, value(), value()), Gone: r.IntN(3) == 0}
			if ip != "" && r.IntN(2) == 0 {
				c.Device = onlyIP(ip, value(), value())
			}
			list = append(list, c)
		}
		f.apply <- list
		if step%100 == 50 {
			merged := ev.count(Merged, "db")
			s.requestRebuild()
			eventually(t, "merged", func() bool { return ev.count(Merged, "db") > merged })
		}
		f.apply <- []attr.Change{} // the list before it is applied
		what := fmt.Sprintf("after step %d", step)
		was := sameCounts(t, what, s, 0)
		if step%20 != 19 {
			continue
		}
		c, _ := afterCrash(t, s, plain{down("db")})
		if got := sameCounts(t, what+" and a crash", c, 0); got.devices != was.devices || !slices.Equal(got.values, was.values) {
			t.Fatalf("%s and a crash %+v are counted, it was %+v", what, got, was)
		}
		c.Close()
	}
}

// A source that is held back is loaded again, at growing intervals.
func TestGuardBackoff(t *testing.T) { runBubble(t, testGuardBackoff) }

func testGuardBackoff(t *testing.T) {
	f := newFake("db", []string{"a", "b"}, herd(200)...)
	cfg, ev := testConfig(t.TempDir(), plain{f})
	cfg.RetryMax = 40 * time.Millisecond
	s := openStore(t, cfg)
	is(t, s, 199, "a=199 b=x")
	f.set(func() { f.devices = herd(10) })
	loads := f.loads.Load()
	_ = s.Reload("", false)
	eventually(t, "loaded again", func() bool { return f.loads.Load() >= loads+3 })
	if n := ev.count(HeldBack, "db"); n < 1 || int64(n) > f.loads.Load() {
		t.Errorf("told %d times of %d loads", n, f.loads.Load())
	}
	eventually(t, "it waits for four times as long as at first", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.srcs[0].guard.wait >= 4*cfg.RetryMax
	})
	f.set(func() { f.devices = herd(190) })
	is(t, s, 195, "none")
	eventually(t, "nothing is held back", func() bool { return s.heldBackOf(0) == "" })
}

// A source that holds its own load back is held back, and learns when the load is accepted by force.
func TestGuardMarker(t *testing.T) { runBubble(t, testGuardMarker) }

func testGuardMarker(t *testing.T) {
	f := &marked{fake: newFake("db", []string{"a", "b"}, herd(20)...)}
	dir := t.TempDir()
	open := func() *Store {
		cfg, _ := testConfig(dir, f)
		cfg.RetryMax = time.Hour
		return openStore(t, cfg)
	}
	s := open()
	is(t, s, 19, "a=19 b=x")
	s.Close()
	f.set(func() { f.mark, f.half, f.devices = "", true, herd(19) })
	s = open()
	eventually(t, "held back", func() bool { return s.heldBackOf(0) == "held back: half" })
	is(t, s, 19, "a=19 b=x")
	_ = s.Reload("", true)
	is(t, s, 19, "none")
	eventually(t, "the mark of what is served", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.mark == "mark" && s.heldBackOf(0) == ""
	})
}

type marked struct {
	*fake
	mark string
	half bool
}

func (m *marked) SetMark(mark string) { m.set(func() { m.mark = mark }) }
func (m *marked) Mark() string        { return "mark" }
func (m *marked) Load(ctx context.Context, yield func(*attr.Device) error) error {
	m.mu.Lock()
	half := m.half && m.mark == "mark"
	m.mu.Unlock()
	if half {
		return fmt.Errorf("%w: half", attr.ErrHeldBack)
	}
	return m.fake.Load(ctx, yield)
}

// dcs check reports what the server would hold back.
func TestGuardSaved(t *testing.T) { runBubble(t, testGuardSaved) }

func testGuardSaved(t *testing.T) {
	dir := t.TempDir()
	f := newFake("db", []string{"a", "b"}, herd(200)...)
	cfg, _ := testConfig(dir, plain{f})
	s := openStore(t, cfg)
	is(t, s, 199, "a=199 b=x")
	s.Close()
	saved, err := OpenSaved(dir, cfg.Sources)
	if err != nil {
		t.Fatal(err)
	}
	for want, devices := range map[string][]attr.Device{
		"": herd(160),
		"held back: 41 of 200 devices would be lost": herd(159),
	} {
		f.devices = devices
		built, err := Build(t.Context(), filepath.Join(t.TempDir(), "built"), f, localdb.Options{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = saved.CheckLosses(f, &built, time.Now())
		if got := fmt.Sprint(err); got != want && (want != "" || err != nil) || err != nil && !errors.Is(err, attr.ErrHeldBack) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// A forced load starts a new day, even if changes are admitted while its file is being written.
func TestForceBesideChanges(t *testing.T) {
	f := newFake("db", []string{"n", "m"}, herd(200)...)
	cfg, ev := testConfig(t.TempDir(), plain{f})
	var s *Store
	var forced atomic.Bool
	var changes sync.WaitGroup
	cfg.Now = func() time.Time {
		// The clock is read under the lock when a new day starts: whoever waits for the lock gets it next.
		if forced.Load() && !s.mu.TryLock() {
			changes.Go(func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				_, _ = s.admit(s.srcs[0], nil)
			})
			runtime.Gosched()
		} else if forced.Load() {
			s.mu.Unlock()
		}
		return time.Now()
	}
	s = openStore(t, cfg)
	eventually(t, "the herd is served", func() bool { return s.State()[0].Devices == 200 })
	f.set(func() { f.devices = herd(1) })
	forced.Store(true)
	if err := s.Reload("", true); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the loss is accepted", func() bool { return s.State()[0].Devices == 1 })
	eventually(t, "it is reported", func() bool { return ev.count(Loaded, "db") == 2 })
	forced.Store(false)
	changes.Wait()
	_ = s.Reload("", false)
	eventually(t, "it is loaded once more", func() bool { return f.loads.Load() >= 3 && (ev.count(Loaded, "db") >= 3 || s.heldBackOf(0) != "") })
	if text := s.heldBackOf(0); text != "" {
		t.Errorf("after the loss was accepted: %s", text)
	}
}

// A forced request always wins over one without force, in any order.
func TestRequest(t *testing.T) {
	for _, order := range [][]bool{{false, true}, {true, false}, {true, true, false}, {false, false, true}} {
		src := &source{reload: make(chan bool, 1)}
		for _, force := range order {
			src.request(force)
		}
		if force := <-src.reload; !force || len(src.reload) != 0 {
			t.Errorf("%v: force %v, and %d more", order, force, len(src.reload))
		}
	}
}
