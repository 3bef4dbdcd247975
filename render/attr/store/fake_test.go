package store

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dcs/render/attr"
	"dcs/render/device"
)

// fake is a source that a test controls. Changes of its fields take effect with the next call.
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

func (a asking) Name() string { return a.fake.Name() }

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

// last returns the last ten events.
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

// testConfig returns a Config with short intervals.
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

// runBubble runs a test in parallel with others, in a bubble of its own: its clock advances when all goroutines in it are blocked.
func runBubble(t *testing.T, test func(*testing.T)) {
	t.Parallel()
	synctest.Test(t, test)
}

// bubble returns a test that runs in a bubble.
func bubble(test func(*testing.T)) func(*testing.T) {
	return func(t *testing.T) { runBubble(t, test) }
}

// eventually polls until ok returns true, for 30 s.
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

func (f *fake) index(s *Store) int {
	return slices.IndexFunc(s.srcs, func(src *source) bool { return src.Name() == f.name })
}
