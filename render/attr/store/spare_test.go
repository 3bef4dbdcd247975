package store

import (
	"context"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"dcs/render/attr"
	"dcs/render/device"
)

// spied is a source that notes how much runs in spare time when it is loaded, and when it is asked.
type spied struct {
	asking
	running      atomic.Int64 // calls of Config.Spare
	loads, asked []int64
}

func (s *spied) Load(ctx context.Context, yield func(*attr.Device) error) error {
	s.loads = append(s.loads, s.running.Load())
	return s.asking.Load(ctx, yield)
}

func (s *spied) Ask(ctx context.Context, mac device.MAC, ip netip.Addr) (attr.Device, bool, error) {
	s.asked = append(s.asked, s.running.Load())
	return s.asking.Ask(ctx, mac, ip)
}

// Whatever takes long runs in spare time, however it comes about; a question, for whose answer a modem waits, never does.
func TestSpare(t *testing.T) { runBubble(t, testSpare) }

func testSpare(t *testing.T) {
	dir := t.TempDir()
	f := newFake("a", []string{"n"}, dev(1, "10.0.0.1", "1"))
	src := &spied{asking: asking{plain{f}, f}}
	calls := atomic.Int64{}
	cfg, _ := testConfig(dir, src)
	cfg.Spare = func(f func()) {
		calls.Add(1)
		src.running.Add(1)
		defer src.running.Add(-1)
		f()
	}
	s := openStore(t, cfg)
	eventually(t, "the source is loaded", s.AllLoaded)
	for _, force := range []bool{false, true} {
		before := f.loads.Load()
		if err := s.Reload("", force); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the source is loaded again", func() bool { return f.loads.Load() > before && src.running.Load() == 0 })
	}
	if n := calls.Load(); n < int64(len(src.loads))+1 {
		t.Errorf("%d calls for %d loads, and a merge after the forced one", n, len(src.loads))
	}
	for i, n := range src.loads {
		if n == 0 {
			t.Errorf("load %d is not in spare time", i)
		}
	}
	s.Miss(time.Now().UnixNano(), mac(2), netip.Addr{})
	eventually(t, "a device is asked for", func() bool { return f.asks.Load() > 0 && s.Questions().Asking == 0 })
	for _, n := range src.asked {
		if n > 0 {
			t.Error("a question is asked in spare time")
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	calls.Store(0)
	openStore(t, cfg)
	eventually(t, "a load and the file that is verified are in spare time", func() bool { return calls.Load() >= 2 })
}
