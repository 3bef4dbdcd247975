package store

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"dcs/bench/require"
	"dcs/render/attr"
	"dcs/render/attr/localdb"
	"dcs/render/device"
	"dcs/render/mapped"
)

// fake is a source that a test drives. What a test changes in it counts from the next call on.
type fake struct {
	name string

	mu      sync.Mutex
	names   []string
	devices []attr.Device
	openErr error
	loadErr error // returned when all devices were given
	reopen  bool  // Load says that the source has to be opened again
	hang    bool  // Load gives all devices and waits for the end of its context
	ask     map[question]attr.Device
	askErr  error
	gate    chan struct{} // Ask waits until it is closed; nil: it does not
	asks    atomic.Int64
	loads   atomic.Int64
	apply   chan []attr.Change // nil: the source does not follow
	fail    chan error         // ends Follow
}

func (f *fake) Name() string { return f.name }
func (f *fake) Close() error { return nil }

func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fake) Open(context.Context) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reopen = false
	return f.names, f.openErr
}

func (f *fake) Load(ctx context.Context, yield func(*attr.Device) error) error {
	f.loads.Add(1)
	f.mu.Lock()
	devices, err, hang, reopen := slices.Clone(f.devices), f.loadErr, f.hang, f.reopen
	f.mu.Unlock()
	if reopen {
		return attr.ErrColumns
	}
	for i := range devices {
		d := devices[i]
		if err := yield(&d); err != nil {
			return err
		}
	}
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

func (f *fake) Ask(_ context.Context, mac device.MAC, ip netip.Addr) (attr.Device, bool, error) {
	f.asks.Add(1)
	if f.gate != nil {
		<-f.gate
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	d, ok := f.ask[question{mac, ip}.key()]
	return d, ok, f.askErr
}

// plain has the methods of a Source alone, following those of a Follower, asking those of an Asker.
type (
	plain     struct{ attr.Source }
	following struct {
		attr.Source
		f *fake
	}
	asking struct {
		attr.Source
		*fake
	}
)

func (a asking) Name() string                               { return a.fake.Name() }
func (a asking) Open(ctx context.Context) ([]string, error) { return a.fake.Open(ctx) }
func (a asking) Load(ctx context.Context, yield func(*attr.Device) error) error {
	return a.fake.Load(ctx, yield)
}
func (a asking) Close() error { return nil }

func (f following) Follow(ctx context.Context, apply func([]attr.Change) error) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-f.f.fail:
			return err
		case c := <-f.f.apply:
			if err := apply(c); err != nil {
				return err
			}
		}
	}
}

func mac(n int) device.MAC {
	return device.MAC{2, 0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
}

func dev(n int, ip string, values ...string) attr.Device {
	d := attr.Device{MAC: mac(n), Values: values}
	if ip != "" {
		d.IP = netip.MustParseAddr(ip)
	}
	return d
}

func onlyIP(ip string, values ...string) attr.Device {
	return attr.Device{IP: netip.MustParseAddr(ip), Values: values}
}

func gone(d attr.Device) attr.Change { return attr.Change{Device: d, Gone: true} }

type events struct {
	mu   sync.Mutex
	list []Event
}

func (e *events) add(ev Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, ev)
}

// last returns the last few.
func (e *events) last() []Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.list[max(0, len(e.list)-10):])
}

func (e *events) has(kind EventKind, source string, err error) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.ContainsFunc(e.list, func(ev Event) bool {
		return ev.Kind == kind && ev.Source == source && (err == nil || errors.Is(ev.Err, err))
	})
}

func (e *events) count(kind EventKind, source string) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range e.list {
		if ev.Kind == kind && ev.Source == source {
			n++
		}
	}
	return n
}

// testConfig is a Config whose times are short.
func testConfig(dir string, sources ...attr.Source) (Config, *events) {
	ev := new(events)
	return Config{
		Dir: dir, Sources: sources, Now: time.Now, OnEvent: ev.add,
		RetryMin: 5 * time.Millisecond, RetryMax: 20 * time.Millisecond, Publish: time.Millisecond,
		Compact: time.Hour, AskAgain: time.Hour, Memory: 1 << 20,
	}, ev
}

func openStore(t *testing.T, cfg Config) *Store {
	t.Helper()
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
	return s
}

// bubble runs a test in a bubble of its own, whose clock moves on when everything in it waits.
func bubble(test func(*testing.T)) func(*testing.T) {
	return func(t *testing.T) { synctest.Test(t, test) }
}

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 30_000 {
		if ok() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

// get returns a device's attributes as name=value, sorted.
func get(s *Store, n int) string {
	v := s.View()
	r, ok := v.Lookup(mac(n), nil)
	return show(v, r, ok)
}

func getIP(s *Store, ip string) string {
	v := s.View()
	r, _, ok := v.LookupIP(netip.MustParseAddr(ip), nil)
	return show(v, r, ok)
}

func show(v *View, r attr.Record, ok bool) string {
	if !ok {
		return "none"
	}
	var list []string
	for i := range v.Schema().Len() {
		if text, ok := r.Get(i); ok {
			list = append(list, v.Schema().Name(i)+"="+text)
		}
	}
	slices.Sort(list) // the schema's order depends on which source answers first
	return strings.Join(list, " ")
}

func is(t *testing.T, s *Store, n int, want string) {
	t.Helper()
	eventually(t, fmt.Sprintf("device %d is %q, it is %q", n, want, get(s, n)), func() bool { return get(s, n) == want })
}

func isIP(t *testing.T, s *Store, ip, want string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s is %q, it is %q", ip, want, getIP(s, ip)), func() bool { return getIP(s, ip) == want })
}

func newFake(name string, names []string, devices ...attr.Device) *fake {
	return &fake{name: name, names: names, devices: devices, apply: make(chan []attr.Change), fail: make(chan error)}
}

func TestStoreServesAcrossRestarts(t *testing.T) { synctest.Test(t, testStoreServesAcrossRestarts) }

func testStoreServesAcrossRestarts(t *testing.T) {
	dir := t.TempDir()
	f := newFake("db", []string{"down", "up"}, dev(1, "10.0.0.1", "100", "10"), onlyIP("10.0.0.2", "200"))
	cfg, ev := testConfig(dir, plain{f})
	s := openStore(t, cfg)
	is(t, s, 1, "down=100 up=10")
	isIP(t, s, "10.0.0.1", "down=100 up=10")
	isIP(t, s, "10.0.0.2", "down=200")
	if _, m, _ := s.View().LookupIP(netip.MustParseAddr("10.0.0.1"), nil); m != mac(1) {
		t.Errorf("10.0.0.1 belongs to %v", m)
	}
	if _, err := Open(cfg); err == nil {
		t.Error("two stores in one directory")
	}
	eventually(t, "loaded", func() bool { return ev.has(Loaded, "db", nil) && s.State()[0].Up })
	if st := s.State()[0]; st.Devices != 2 || st.Loaded.IsZero() || st.Err != nil {
		t.Errorf("state %+v", st)
	}
	s.Close()

	f.set(func() { f.openErr = errors.New("the database is down") })
	cfg, ev = testConfig(dir, plain{f})
	s = openStore(t, cfg)
	if got := get(s, 1); got != "down=100 up=10" {
		t.Errorf("right after the start, without the database: %s", got)
	}
	eventually(t, "told that the source is down", func() bool { return ev.has(Failed, "db", f.openErr) })
	if st := s.State()[0]; st.Up || st.Err == nil || st.Loaded.IsZero() || st.Devices != 2 || !s.Settled() {
		t.Errorf("state %+v", st)
	}
	f.set(func() {
		f.openErr = nil
		f.devices = []attr.Device{dev(1, "", "101")}
	})
	is(t, s, 1, "down=101")
	isIP(t, s, "10.0.0.2", "none")
}

func TestStoreMergesInOrder(t *testing.T) { synctest.Test(t, testStoreMergesInOrder) }

func testStoreMergesInOrder(t *testing.T) {
	a := newFake("a", []string{"down", "isp"}, dev(1, "10.0.0.1", "1a", ""), dev(2, "", "2a", "x"), dev(4, "10.0.0.4", "", "four"))
	b := newFake("b", []string{"up", "down", "isp"}, dev(1, "10.9.9.9", "1u", "1b", "1isp"), dev(3, "10.0.0.3", "3u"), onlyIP("10.0.0.5", "5u"))
	c := newFake("c", []string{"city"}, onlyIP("10.0.0.1", "Rome"), onlyIP("10.0.0.5", "Oslo"), onlyIP("10.9.9.9", "Nowhere"), dev(2, "10.0.0.3", "Lima"))
	dir := t.TempDir()
	cfg, _ := testConfig(dir, plain{a}, plain{b}, plain{c})
	s := openStore(t, cfg)
	check := func() {
		t.Helper()
		is(t, s, 1, "city=Rome down=1a isp=1isp up=1u")
		is(t, s, 2, "city=Lima down=2a isp=x")
		is(t, s, 3, "up=3u")
		is(t, s, 4, "isp=four")
		isIP(t, s, "10.0.0.1", "city=Rome down=1a isp=1isp up=1u")
		isIP(t, s, "10.9.9.9", "city=Nowhere") // a says that the device has another address
		isIP(t, s, "10.0.0.3", "up=3u")        // b comes before c
		isIP(t, s, "10.0.0.4", "isp=four")
		isIP(t, s, "10.0.0.5", "city=Oslo up=5u")
		isIP(t, s, "10.0.0.6", "none")
	}
	eventually(t, "all is merged", s.Settled)
	check()
	x, ok := s.Explain(mac(1), netip.Addr{})
	from := map[string]string{}
	for i, src := range x.From {
		from[x.Schema.Name(i)] = src + ":" + x.Values[i]
	}
	want := map[string]string{"down": "a:1a", "isp": "b:1isp", "up": "b:1u", "city": "c:Rome"}
	if !ok || fmt.Sprint(from) != fmt.Sprint(want) || !slices.Equal(x.Known, []string{"a", "b", "c"}) || x.IP != netip.MustParseAddr("10.0.0.1") {
		t.Errorf("explained as %v (known to %v, %v), want %v", from, x.Known, x.IP, want)
	}
	if x, ok := s.Explain(device.MAC{}, netip.MustParseAddr("10.0.0.5")); !ok || !slices.Equal(x.Known, []string{"b", "c"}) {
		t.Errorf("10.0.0.5 is known to %v, %v", x.Known, ok)
	}
	if _, ok := s.Explain(mac(77), netip.Addr{}); ok {
		t.Error("a device that nobody knows was explained")
	}
	s.Close()

	for _, f := range []*fake{a, b, c} {
		f.set(func() { f.openErr = errors.New("down") })
	}
	schema := s.Schema()
	cfg, _ = testConfig(dir, plain{a}, plain{b}, plain{c})
	s = openStore(t, cfg)
	if !slices.Equal(s.Schema().Names(), schema.Names()) {
		t.Errorf("schema after a start %q, before %q", s.Schema().Names(), schema.Names())
	}
	check()
	s.Close()

	// Another order of sources has the files merged anew, without the sources.
	cfg, _ = testConfig(dir, plain{b}, plain{a})
	s = openStore(t, cfg)
	if got := get(s, 1); got != "down=1b isp=1isp up=1u" {
		t.Errorf("b before a: %s", got)
	}
}

func TestStoreFollows(t *testing.T) { synctest.Test(t, testStoreFollows) }

func testStoreFollows(t *testing.T) {
	f := newFake("db", []string{"down"}, dev(1, "10.0.0.1", "1"), dev(2, "10.0.0.2", "2"), onlyIP("10.0.0.3", "3"))
	cfg, ev := testConfig(t.TempDir(), following{plain{f}, f})
	s := openStore(t, cfg)
	is(t, s, 1, "down=1")
	old := s.View()
	f.apply <- []attr.Change{
		{Device: dev(1, "10.0.0.9", "11")},
		gone(dev(2, "")),
		{Device: dev(4, "10.0.0.3", "4")},
	}
	is(t, s, 1, "down=11")
	is(t, s, 2, "none")
	is(t, s, 4, "down=4")
	check := func() {
		t.Helper()
		isIP(t, s, "10.0.0.1", "none") // the device has another address
		isIP(t, s, "10.0.0.9", "down=11")
		isIP(t, s, "10.0.0.2", "none")
		isIP(t, s, "10.0.0.3", "down=4")
		for m, ip := range map[int]string{1: "10.0.0.9", 2: "", 4: "10.0.0.3"} {
			q := []attr.Query{{MAC: mac(m), Peek: true, Addr: netip.MustParseAddr("192.0.2.1")}} // an answer of before
			want, _ := netip.ParseAddr(ip)
			if s.View().LookupBatch(q); q[0].Addr != want || q[0].Found != (ip != "") {
				t.Errorf("device %d is at %v, want %q", m, q[0].Addr, ip)
			}
		}
	}
	check()
	if r, ok := old.Lookup(mac(1), nil); !ok || r[0] != "1" {
		t.Errorf("a view that is held has changed: %q", r)
	}

	// The changes go into the file, and stay when it is loaded by another store without the source.
	s.soon()
	eventually(t, "changes put into the file", func() bool { return ev.has(Merged, "db", nil) && s.View().over == nil })
	is(t, s, 1, "down=11")
	is(t, s, 2, "none")
	check()

	// A source that says only that something has changed is loaded.
	f.set(func() { f.devices = []attr.Device{dev(5, "", "5")} })
	f.apply <- nil
	is(t, s, 5, "down=5")
	is(t, s, 1, "none")

	// One that fails is opened and loaded again.
	f.set(func() { f.devices = append(f.devices, dev(6, "", "6")) })
	f.fail <- errors.New("connection reset")
	is(t, s, 6, "down=6")
	is(t, s, 5, "down=5")
	if !ev.has(Failed, "db", nil) {
		t.Error("nobody was told that the source had failed")
	}

	f.set(func() { f.devices = []attr.Device{dev(7, "", "7")} })
	if err := s.Reload("db", false); err != nil {
		t.Fatal(err)
	}
	is(t, s, 7, "down=7")
	if err := s.Reload("nobody", false); err == nil {
		t.Error("reloaded a source that is not there")
	}
}

// Changes of one source of several reach devices that the others know, by whatever address.
func TestStoreMergesChanges(t *testing.T) { synctest.Test(t, testStoreMergesChanges) }

func testStoreMergesChanges(t *testing.T) {
	a := newFake("a", []string{"down"}, dev(1, "10.0.0.1", "1"), dev(2, "", "2"))
	b := newFake("b", []string{"city"}, onlyIP("10.0.0.1", "Rome"), onlyIP("10.0.0.2", "Oslo"))
	cfg, _ := testConfig(t.TempDir(), following{plain{a}, a}, following{plain{b}, b})
	s := openStore(t, cfg)
	eventually(t, "all is merged", s.Settled)
	is(t, s, 1, "city=Rome down=1")
	b.apply <- []attr.Change{{Device: onlyIP("10.0.0.1", "Milan")}}
	is(t, s, 1, "city=Milan down=1")
	b.apply <- []attr.Change{gone(onlyIP("10.0.0.1"))}
	is(t, s, 1, "down=1")
	a.apply <- []attr.Change{{Device: dev(2, "10.0.0.2", "22")}}
	is(t, s, 2, "city=Oslo down=22")
	is(t, s, 1, "down=1")
	a.apply <- []attr.Change{{Device: dev(2, "10.0.0.1", "22")}} // takes it from 1
	is(t, s, 2, "down=22")
	isIP(t, s, "10.0.0.2", "city=Oslo")
	s.soon()
	eventually(t, "changes merged", func() bool { return s.View().over == nil })
	is(t, s, 2, "down=22")
	is(t, s, 1, "down=1")
	isIP(t, s, "10.0.0.2", "city=Oslo")
	isIP(t, s, "10.0.0.1", "down=22")
}

func TestStoreRefusesHalfAnswers(t *testing.T) { synctest.Test(t, testStoreRefusesHalfAnswers) }

func testStoreRefusesHalfAnswers(t *testing.T) {
	var fleet []attr.Device
	for i := range 200 {
		fleet = append(fleet, dev(i, "", fmt.Sprint(i)))
	}
	f := newFake("db", []string{"n"}, fleet...)
	cfg, ev := testConfig(t.TempDir(), plain{f})
	cfg.Stall = 50 * time.Millisecond
	s := openStore(t, cfg)
	is(t, s, 199, "n=199")

	cut := errors.New("connection lost")
	f.set(func() { f.devices, f.loadErr = fleet[:150], cut })
	_ = s.Reload("", false)
	eventually(t, "told of the error", func() bool { return ev.has(Failed, "db", cut) })
	f.set(func() { f.loadErr = nil })
	eventually(t, "told that it is held back", func() bool { return ev.has(Held, "db", attr.ErrHeld) })
	f.set(func() { f.devices, f.hang = fleet, true })
	eventually(t, "told that it hangs", func() bool { return ev.has(Failed, "db", ErrStalled) })
	bad := slices.Repeat([]attr.Device{{}}, 1001)
	f.set(func() { f.devices, f.hang = append(bad, fleet...), false })
	eventually(t, "told that rows are bad", func() bool { return ev.has(Failed, "db", attr.ErrRejected) })
	if got := get(s, 199); got != "n=199" {
		t.Errorf("after four half answers: %s", got)
	}
	if ev.count(Loaded, "db") != 1 {
		t.Error("a half answer was taken")
	}

	f.set(func() { f.devices = fleet[:150] })
	_ = s.Reload("db", true)
	is(t, s, 199, "none")
	is(t, s, 149, "n=149")
}

func TestStoreSchemaGrows(t *testing.T) { synctest.Test(t, testStoreSchemaGrows) }

func testStoreSchemaGrows(t *testing.T) {
	f := newFake("db", []string{"a", "b"}, dev(1, "", "A", "B"))
	cfg, ev := testConfig(t.TempDir(), plain{f})
	s := openStore(t, cfg)
	is(t, s, 1, "a=A b=B")
	old := s.Schema()
	f.set(func() {
		f.names = []string{"c", "b"} // a is gone, c is new, the order is another
		f.devices = []attr.Device{dev(1, "", "C", "B2")}
		f.loadErr = errors.New("columns have changed")
	})
	_ = s.Reload("", false)
	eventually(t, "it failed", func() bool { return ev.has(Failed, "db", f.loadErr) })
	f.set(func() { f.loadErr = nil })
	is(t, s, 1, "b=B2 c=C")
	if s.Schema() == old || !slices.Equal(s.Schema().Names(), []string{"a", "b", "c"}) || !ev.has(Grown, "db", nil) {
		t.Errorf("schema %q", s.Schema().Names())
	}
	r, _ := s.View().Lookup(mac(1), nil)
	if i, _ := old.Index("b"); r[i] != "B2" {
		t.Error("the old schema does not fit the new record")
	}
}

// A schema is partial until each source has told its attributes, now or before the start. That it is so no
// longer is told, even if they were all known.
func TestStorePartialSchema(t *testing.T) { synctest.Test(t, testStorePartialSchema) }

func testStorePartialSchema(t *testing.T) {
	a, b := newFake("a", []string{"x", "y"}, dev(1, "", "X", "Y")), newFake("b", []string{"y"}, dev(1, "", "Z"))
	b.openErr = errors.New("not there")
	dir := t.TempDir()
	cfg, ev := testConfig(dir, plain{a}, plain{b})
	s := openStore(t, cfg)
	is(t, s, 1, "x=X y=Y")
	if !s.Schema().Partial() {
		t.Error("the schema is whole while a source has told nothing")
	}
	told := ev.count(Grown, "b")
	b.set(func() { b.openErr = nil })
	eventually(t, "the schema is whole", func() bool { return !s.Schema().Partial() })
	eventually(t, "that is told", func() bool { return ev.count(Grown, "b") == told+1 })
	eventually(t, "all are loaded", s.Settled)
	s.Close()

	b.set(func() { b.openErr = errors.New("gone") })
	cfg, _ = testConfig(dir, plain{a}, plain{b})
	if s = openStore(t, cfg); s.Schema().Partial() {
		t.Error("the schema is partial, and the files have told all attributes")
	}
}

// A source whose attributes are others than when it was opened is opened again before anything of it is believed.
func TestStoreColumnsChange(t *testing.T) { synctest.Test(t, testStoreColumnsChange) }

func testStoreColumnsChange(t *testing.T) {
	f := newFake("db", []string{"a", "b"}, dev(1, "", "A", "B"))
	cfg, ev := testConfig(t.TempDir(), plain{f})
	cfg.RetryMin, cfg.RetryMax = time.Hour, time.Hour
	s := openStore(t, cfg)
	is(t, s, 1, "a=A b=B")
	f.set(func() {
		f.names, f.reopen = []string{"b", "a", "c"}, true
		f.devices = []attr.Device{dev(1, "", "B2", "A2", "C2")}
	})
	_ = s.Reload("", false)
	is(t, s, 1, "a=A2 b=B2 c=C2")
	if ev.has(Failed, "db", attr.ErrColumns) {
		t.Error("it was told as a failure")
	}

	// A file that is made anew with other columns, in another order.
	path := filepath.Join(t.TempDir(), "fleet.db")
	build := func(names []string, values ...string) {
		t.Helper()
		if _, err := Build(t.Context(), path, plain{newFake("x", names, dev(1, "", values...))}, localdb.Options{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	build([]string{"a", "b"}, "A", "B")
	src := NewFile(path, 0)
	load := func() (got []string, err error) {
		err = src.Load(t.Context(), func(d *attr.Device) error {
			for _, v := range d.Values {
				got = append(got, strings.Clone(v))
			}
			return nil
		})
		return got, err
	}
	if _, err := src.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := load(); err != nil || !slices.Equal(got, []string{"A", "B"}) {
		t.Fatalf("%q, %v", got, err)
	}
	build([]string{"b", "a"}, "B", "A")
	if got, err := load(); !errors.Is(err, attr.ErrColumns) || got != nil {
		t.Errorf("%q, %v; want ErrColumns and no device", got, err)
	}
	if names, err := src.Open(t.Context()); err != nil || !slices.Equal(names, []string{"b", "a"}) {
		t.Errorf("%q, %v", names, err)
	}
	if got, err := load(); err != nil || !slices.Equal(got, []string{"B", "A"}) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestStoreAsks(t *testing.T) { synctest.Test(t, testStoreAsks) }

func testStoreAsks(t *testing.T) {
	f := newFake("db", []string{"n"}, dev(1, "", "1"))
	f.ask = map[question]attr.Device{
		{mac: mac(2)}:                         dev(2, "10.0.0.2", "2"),
		{ip: netip.MustParseAddr("10.0.0.3")}: {Values: []string{"3"}},
		{mac: mac(4)}:                         dev(44, "", "4"), // another device: not to be believed
		{mac: mac(5)}:                         {Values: []string{"5"}},
	}
	cfg, _ := testConfig(t.TempDir(), asking{plain{f}, f})
	s := openStore(t, cfg)
	is(t, s, 1, "n=1")
	now := func() int64 { return time.Now().UnixNano() }
	none := netip.Addr{}

	if got := s.Miss(now(), mac(2), none); got != Asking {
		t.Errorf("first question: %v", got)
	}
	is(t, s, 2, "n=2")
	isIP(t, s, "10.0.0.2", "n=2")
	s.Miss(now(), device.MAC{}, netip.MustParseAddr("::ffff:10.0.0.3"))
	isIP(t, s, "10.0.0.3", "n=3")
	s.Miss(now(), mac(5), netip.MustParseAddr("10.0.0.55"))
	is(t, s, 5, "n=5")

	// A device that no source has is asked for once, then answered at once.
	before := f.asks.Load()
	eventually(t, "known not to be there", func() bool { return s.Miss(now(), mac(9), none) == Unknown })
	asked := f.asks.Load() - before
	for range 100 {
		s.Miss(now(), mac(9), none)
	}
	if f.asks.Load()-before != asked || asked > 2 {
		t.Errorf("asked %d times for a device that is not there", f.asks.Load()-before)
	}
	time.Sleep(2 * time.Hour)
	if got := s.Miss(now(), mac(9), none); got != Asking {
		t.Errorf("after two hours: %v", got)
	}

	s.Miss(now(), mac(4), none)
	eventually(t, "an answer about another device", func() bool { return errors.Is(s.State()[0].Err, errOther) })
	if get(s, 4) != "none" || get(s, 44) != "none" {
		t.Error("an answer about another device was believed")
	}
	// An error says nothing of the device.
	f.set(func() { f.askErr = errors.New("down") })
	for range 20 {
		if s.Miss(now(), mac(10), none) != Asking {
			t.Fatal("a device is unknown though the source is down")
		}
		time.Sleep(time.Millisecond)
	}
	f.set(func() { f.askErr = nil })
	if s.Miss(now(), device.MAC{}, none) != Unknown {
		t.Error("asked for nothing")
	}
}

// A source that can only be asked: what it told stays over a start, and is asked for again.
func TestStoreAskOnly(t *testing.T) { synctest.Test(t, testStoreAskOnly) }

func testStoreAskOnly(t *testing.T) {
	dir := t.TempDir()
	f := newFake("plugin", []string{"n"})
	f.loadErr = errors.ErrUnsupported
	f.ask = map[question]attr.Device{{mac: mac(1)}: {Values: []string{"1"}}}
	open := func() (*Store, *events) {
		cfg, ev := testConfig(dir, asking{plain{f}, f})
		cfg.AskFresh = time.Hour
		return openStore(t, cfg), ev
	}
	s, ev := open()
	eventually(t, "up", func() bool { return s.State()[0].Up })
	s.Miss(time.Now().UnixNano(), mac(1), netip.Addr{})
	is(t, s, 1, "n=1")
	s.soon()
	eventually(t, "in the file", func() bool { return ev.has(Merged, "plugin", nil) })
	f.set(func() { f.ask[question{mac: mac(1)}] = attr.Device{Values: []string{"one"}} })
	time.Sleep(61 * time.Minute)
	is(t, s, 1, "n=one")
	s.soon()
	eventually(t, "in the file", func() bool { return ev.count(Merged, "plugin") >= 2 })
	s.Close()

	s, _ = open()
	if got := get(s, 1); got != "n=one" {
		t.Errorf("after a start: %s", got)
	}
	eventually(t, "swept", func() bool { return s.State()[0].Up })
	// An error leaves what is known, an answer takes it away.
	f.set(func() { f.askErr = errors.New("down") })
	asks := f.asks.Load()
	time.Sleep(61 * time.Minute)
	eventually(t, "asked", func() bool { return f.asks.Load() > asks })
	if got := get(s, 1); got != "n=one" {
		t.Errorf("after an error: %s", got)
	}
	f.set(func() {
		f.askErr = nil
		clear(f.ask)
	})
	time.Sleep(10 * time.Millisecond) // the question that failed is put back
	time.Sleep(61 * time.Minute)
	is(t, s, 1, "none")
}

func TestStoreQueueIsBounded(t *testing.T) { synctest.Test(t, testStoreQueueIsBounded) }

func testStoreQueueIsBounded(t *testing.T) {
	f := newFake("db", []string{"n"})
	f.gate = make(chan struct{})
	cfg, _ := testConfig(t.TempDir(), asking{plain{f}, f})
	cfg.AskQueue = 1
	s := openStore(t, cfg)
	t.Cleanup(func() { close(f.gate) })
	eventually(t, "settled", s.Settled)
	for i := range 1000 {
		if s.Miss(time.Now().UnixNano(), mac(i), netip.Addr{}) != Asking {
			t.Error("a question that found no room was answered")
		}
	}
	eventually(t, "all but what waits is dropped", func() bool { return s.Questions().Dropped >= 1000-1-8 })
	if q := s.Questions(); q.Waiting > 1 {
		t.Errorf("%d questions wait, where one may", q.Waiting)
	}
}

func TestStoreDamagedFiles(t *testing.T) { synctest.Test(t, testStoreDamagedFiles) }

func testStoreDamagedFiles(t *testing.T) {
	a := newFake("a", []string{"n"}, dev(1, "", "1"))
	b := newFake("b", []string{"m"}, dev(1, "", "2"))
	dir := t.TempDir()
	cfg, ev := testConfig(dir, plain{a}, plain{b})
	s := openStore(t, cfg)
	eventually(t, "merged", func() bool { return len(get(s, 1)) == len("n=1 m=2") && ev.has(Merged, "", nil) })
	s.Close()
	files, err := filepath.Glob(filepath.Join(dir, "*.devices"))
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		for _, at := range []int64{0, 5000} { // in the header, in the rows
			whole, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			bad := slices.Clone(whole)
			bad[at] ^= 1
			os.Remove(name)
			if err := os.WriteFile(name, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			cfg, ev = testConfig(dir, plain{a}, plain{b})
			s = openStore(t, cfg)
			eventually(t, "told of damage", func() bool {
				return ev.has(Damaged, "", localdb.ErrDamaged) || ev.has(Damaged, "a", localdb.ErrDamaged) || ev.has(Damaged, "b", localdb.ErrDamaged)
			})
			eventually(t, "served all the same", func() bool { return len(get(s, 1)) == len("n=1 m=2") })
			s.Close()
		}
	}
}

// A full disk is a failure like any other: what was known serves on.
func TestStoreDiskFull(t *testing.T) { synctest.Test(t, testStoreDiskFull) }

func testStoreDiskFull(t *testing.T) {
	require.Root(t) // to mount a small file system
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	f := newFake("db", []string{"n"}, dev(1, "", "1"))
	cfg, ev := testConfig(dir, following{plain{f}, f})
	s := openStore(t, cfg)
	is(t, s, 1, "n=1")
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	f.set(func() { f.devices = []attr.Device{dev(1, "", "2")} })
	f.apply <- []attr.Change{{Device: dev(3, "", "3")}} // needs no disk
	is(t, s, 3, "n=3")
	s.soon()
	eventually(t, "no file for the changes", func() bool { return ev.has(NotMade, "", syscall.ENOSPC) })
	f.apply <- nil
	eventually(t, "no file for the load", func() bool { return ev.has(NotMade, "db", syscall.ENOSPC) })
	is(t, s, 1, "n=2") // nor does what differs from the file
	is(t, s, 3, "n=3")
	big := strings.Repeat("4", 20_000) // more than is left of the journal's last page
	f.apply <- []attr.Change{{Device: dev(4, "", big)}}
	is(t, s, 4, "n="+big)
	eventually(t, "told that changes are not durable", func() bool { return ev.has(NotDurable, "", syscall.ENOSPC) && s.Durable() != nil })
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	eventually(t, "durable again", func() bool { return ev.has(Durable, "", nil) && s.Durable() == nil })
	eventually(t, "loaded again", func() bool { return get(s, 3) == "none" })
	is(t, s, 1, "n=2")
}

// A change whose record does not fit, and more changes than there is room for.
func TestStoreBadChanges(t *testing.T) { synctest.Test(t, testStoreBadChanges) }

func testStoreBadChanges(t *testing.T) {
	f := newFake("db", []string{"n"}, dev(1, "", "1"))
	cfg, _ := testConfig(t.TempDir(), following{plain{f}, f})
	cfg.Overlay = 10
	s := openStore(t, cfg)
	is(t, s, 1, "n=1")
	f.apply <- []attr.Change{
		{Device: dev(2, "", "2", "too many")},
		{Device: attr.Device{Values: []string{"no key"}}},
		{Device: onlyIP("fe80::1%eth0", "zone")},
		{Device: dev(3, "", strings.Repeat("x", localdb.MaxValue+1))},
		{Device: dev(4, "", "4")},
	}
	is(t, s, 4, "n=4")
	if get(s, 2) != "none" || get(s, 3) != "none" || s.State()[0].Rejected.Rows != 4 {
		t.Errorf("state %+v", s.State()[0])
	}
	var all []attr.Device
	for i := range 500 {
		all = append(all, dev(i, "", fmt.Sprint("new", i)))
	}
	f.set(func() { f.devices = all })
	for i := 0; i < len(all); i += 20 {
		var c []attr.Change
		for _, d := range all[i : i+20] {
			c = append(c, attr.Change{Device: d})
		}
		f.apply <- c
	}
	for i := range all {
		is(t, s, i, fmt.Sprint("n=new", i))
	}
	eventually(t, "few changes lie over the file", func() bool {
		v := s.View()
		return v.over == nil || v.over.n <= 100
	})
}

func TestViewNoAllocs(t *testing.T) { synctest.Test(t, testViewNoAllocs) }

func testViewNoAllocs(t *testing.T) {
	f := newFake("db", []string{"a", "b"}, dev(1, "10.0.0.1", "1", "2"), dev(2, "", "1", "2"))
	cfg, _ := testConfig(t.TempDir(), following{plain{f}, f})
	s := openStore(t, cfg)
	is(t, s, 1, "a=1 b=2")
	f.apply <- []attr.Change{{Device: dev(3, "10.0.0.3", "3")}, gone(dev(2, ""))}
	is(t, s, 3, "a=3")
	dst := make(attr.Record, 0, 2)
	known, changed, none := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.3"), netip.MustParseAddr("10.0.0.7")
	var batch []attr.Query
	for i := range 5 {
		batch = append(batch, attr.Query{MAC: mac(i), Values: make(attr.Record, 0, 2)})
	}
	for _, ip := range []netip.Addr{known, changed, none} {
		batch = append(batch, attr.Query{IP: ip, Values: make(attr.Record, 0, 2)})
	}
	peek := []attr.Query{{MAC: mac(1), Peek: true}, {MAC: mac(3), Peek: true}, {IP: changed, Peek: true}, {IP: known, Peek: true}}
	for name, call := range map[string]func(){
		"peek":            func() { s.View().LookupBatch(peek) },
		"batch":           func() { s.View().LookupBatch(batch) },
		"in the file":     func() { s.View().Lookup(mac(1), dst) },
		"changed":         func() { s.View().Lookup(mac(3), dst) },
		"gone":            func() { s.View().Lookup(mac(2), dst) },
		"unknown":         func() { s.View().Lookup(mac(9), dst) },
		"address in file": func() { s.View().LookupIP(known, dst) },
		"changed address": func() { s.View().LookupIP(changed, dst) },
		"no address":      func() { s.View().LookupIP(none, dst) },
		"miss":            func() { s.Miss(1, mac(9), none) },
	} {
		if n := testing.AllocsPerRun(1000, call); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	s.View().LookupBatch(batch)
	for i := range batch {
		q := &batch[i]
		want := attr.Query{}
		if !q.MAC.IsZero() {
			want.Values, want.Found = s.View().Lookup(q.MAC, nil)
		} else {
			want.Values, want.Owner, want.Found = s.View().LookupIP(q.IP, nil)
		}
		if q.Found != want.Found || q.Owner != want.Owner || q.Found && !slices.Equal(q.Values, want.Values) {
			t.Errorf("batch: %+v, want %+v", *q, want)
		}
	}
	all := map[string]string{}
	if err := s.View().Each(func(d *attr.Device) error {
		all[fmt.Sprint(d.MAC[5], d.IP)] = strings.Join(d.Values, " ")
		return nil
	}); err != nil || len(all) != 2 || all["1 10.0.0.1"] != "1 2" || strings.TrimSpace(all["3 10.0.0.3"]) != "3" {
		t.Errorf("Each: %q, %v", all, err)
	}
	var v *View
	if v.LookupBatch(batch); batch[1].Found || len(batch[1].Values) > 0 {
		t.Error("the nil view knows a device in a batch")
	}
	if _, ok := v.Lookup(mac(1), dst); ok || v.Schema().Len() != 0 {
		t.Error("the nil view knows a device")
	}
	if _, _, ok := v.LookupIP(known, dst); ok {
		t.Error("the nil view knows an address")
	}
}

// Readers see whole records of one version or another while files and overlays are swapped.
func TestViewConcurrent(t *testing.T) {
	version := func(n int) (list []attr.Device) {
		for i := range 50 {
			list = append(list, dev(i, fmt.Sprintf("10.0.0.%d", i), fmt.Sprint(n), fmt.Sprint(n)))
		}
		return list
	}
	f := newFake("db", []string{"a", "b"}, version(0)...)
	cfg, _ := testConfig(t.TempDir(), following{plain{f}, f})
	s := openStore(t, cfg)
	is(t, s, 49, "a=0 b=0")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			dst := make(attr.Record, 0, 2)
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				v := s.View()
				r, ok := v.Lookup(mac(i%50), dst)
				if !ok || len(r) != 2 || r[0] != r[1] {
					t.Errorf("record %q, %v", r, ok)
					return
				}
				ip := netip.AddrFrom4([4]byte{10, 0, 0, byte(i % 50)})
				if r, m, ok := v.LookupIP(ip, dst); !ok || m != mac(i%50) || r[0] != r[1] {
					t.Errorf("record %q, %v", r, ok)
					return
				}
			}
		})
	}
	for n := 1; n <= 30; n++ {
		devices := version(n)
		switch n % 3 {
		case 0:
			f.set(func() { f.devices = devices })
			f.apply <- nil
		case 1:
			var c []attr.Change
			for _, d := range devices {
				c = append(c, attr.Change{Device: d})
			}
			f.apply <- c
		case 2:
			s.soon()
		}
		time.Sleep(5 * time.Millisecond)
	}
	close(stop)
	wg.Wait()
	is(t, s, 7, "a=30 b=30")
}

// A file of devices that is cut short in place while it is loaded is an error, and no crash.
func TestFileSourceCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "built")
	var fleet []attr.Device
	for i := range 100_000 {
		fleet = append(fleet, dev(i, "", fmt.Sprint(i)))
	}
	if _, err := Build(t.Context(), path, newFake("csv", []string{"n"}, fleet...), localdb.Options{}, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	src := NewFile(path, 0)
	if _, err := src.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := 0
	err := src.Load(t.Context(), func(*attr.Device) error {
		if n++; n == 10 {
			return os.Truncate(path, 4096)
		}
		return nil
	})
	if !errors.Is(err, mapped.ErrCut) || !strings.Contains(err.Error(), path) || n < 10 || n == len(fleet) {
		t.Errorf("%v after %d devices", err, n)
	}
	if _, err := src.Open(t.Context()); err == nil {
		t.Error("what is left is taken for a file of devices")
	}
}

func TestFileSource(t *testing.T) { synctest.Test(t, testFileSource) }

func testFileSource(t *testing.T) {
	path := filepath.Join(t.TempDir(), "built")
	f := newFake("csv", []string{"n"}, dev(1, "10.0.0.1", "1"), attr.Device{}, dev(1, "10.0.0.1", "one"))
	calls := 0
	built, err := Build(t.Context(), path, f, localdb.Options{}, func(int) { calls++ })
	if err != nil || built.Devices != 1 || built.Duplicates != 1 || built.Rejected.Rows != 1 || calls == 0 {
		t.Fatalf("%+v, %v", built, err)
	}
	cfg, ev := testConfig(t.TempDir(), NewFile(path, time.Millisecond))
	s := openStore(t, cfg)
	is(t, s, 1, "n=one")
	f.set(func() { f.devices = []attr.Device{dev(2, "", "2")} })
	if _, err := Build(t.Context(), path, f, localdb.Options{}, nil); err != nil {
		t.Fatal(err)
	}
	is(t, s, 2, "n=2")
	f.set(func() { f.loadErr = errors.New("half") })
	if _, err := Build(t.Context(), path, f, localdb.Options{}, nil); !errors.Is(err, f.loadErr) {
		t.Error(err)
	}
	is(t, s, 2, "n=2")
	// A damaged file leaves what was there.
	bad, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad[4100] ^= 1
	os.Remove(path)
	if err := os.WriteFile(path, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "told of damage", func() bool { return ev.has(Failed, "file "+path, localdb.ErrDamaged) })
	is(t, s, 2, "n=2")
}
