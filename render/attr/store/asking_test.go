package store

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"dcs/render/attr"
	"dcs/render/device"
)

func TestStoreAsks(t *testing.T) { runBubble(t, testStoreAsks) }

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

	// A device that no source has is looked up once, then known to be unknown.
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
	eventually(t, "an answer about another device", func() bool { return errors.Is(s.State()[0].Err, errWrongDevice) })
	if get(s, 4) != "none" || get(s, 44) != "none" {
		t.Error("an answer about another device was believed")
	}
	// An error does not make a device unknown.
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

// The devices of a source without a list survive a restart, and are looked up again.
func TestStoreAskOnly(t *testing.T) { runBubble(t, testStoreAskOnly) }

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
	s.requestRebuild()
	eventually(t, "in the file", func() bool { return ev.has(Merged, "plugin", nil) })
	f.set(func() { f.ask[question{mac: mac(1)}] = attr.Device{Values: []string{"one"}} })
	time.Sleep(61 * time.Minute)
	is(t, s, 1, "n=one")
	s.requestRebuild()
	eventually(t, "in the file", func() bool { return ev.count(Merged, "plugin") >= 2 })
	s.Close()

	s, _ = open()
	if got := get(s, 1); got != "n=one" {
		t.Errorf("after a start: %s", got)
	}
	eventually(t, "swept", func() bool { return s.State()[0].Up })
	// An error leaves a known device in service; an answer removes it.
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
	synctest.Wait() // the look-up that failed is scheduled again
	time.Sleep(61 * time.Minute)
	is(t, s, 1, "none")
}

// A device is refreshed again after its refresh was due while another look-up of it was running, which then failed.
func TestRefreshBesideAsk(t *testing.T) { runBubble(t, testRefreshBesideAsk) }

func testRefreshBesideAsk(t *testing.T) {
	f := newFake("plugin", []string{"n"})
	f.loadErr, f.gate = errors.ErrUnsupported, make(chan struct{})
	f.ask = map[question]attr.Device{{mac: mac(1)}: {Values: []string{"1"}}}
	cfg, _ := testConfig(t.TempDir(), asking{plain{f}, f})
	cfg.AskFresh, cfg.Publish = time.Hour, 2*time.Hour // longer: a look-up does not find in the View what another one has found
	s := openStore(t, cfg)
	eventually(t, "up", func() bool { return s.State()[0].Up })
	miss := func() {
		s.Miss(time.Now().UnixNano(), mac(1), netip.Addr{})
		synctest.Wait()
	}
	miss()
	f.gate <- struct{}{} // found: to be refreshed in an hour
	time.Sleep(59 * time.Minute)
	miss()
	if n := f.asks.Load(); n != 2 {
		t.Fatalf("%d look-ups, want a second one", n)
	}
	time.Sleep(2 * time.Minute)
	f.set(func() { f.askErr = errors.New("down") })
	f.gate <- struct{}{}
	synctest.Wait()
	f.set(func() {
		f.askErr = nil
		clear(f.ask)
	})
	close(f.gate)
	time.Sleep(3 * time.Hour)
	if got := get(s, 1); got != "none" {
		t.Errorf("a device that its source has lost is served: %s; %d look-ups", got, f.asks.Load())
	}
}

func TestStoreQueueIsBounded(t *testing.T) { runBubble(t, testStoreQueueIsBounded) }

func testStoreQueueIsBounded(t *testing.T) {
	f := newFake("db", []string{"n"})
	f.gate = make(chan struct{})
	cfg, _ := testConfig(t.TempDir(), asking{plain{f}, f})
	cfg.AskQueue = 1
	s := openStore(t, cfg)
	t.Cleanup(func() { close(f.gate) })
	eventually(t, "settled", s.AllLoaded)
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
