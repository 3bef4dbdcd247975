package fastpath

import (
	"testing"

	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
)

// A request has the rendering time of its batch, and its own time from arrival to answer.
func TestLatencies(t *testing.T) {
	const ms = 1_000_000
	now := int64(1e18)
	clock := func() (int64, int64) { now += ms; return now, now }
	w := newWorker(Config{}, &fakeTransport{discard: true}, files{"static": make([]byte, 400)}, clock)
	old, young := toServer(modem(1), rrq("static", tftp.Options{})), toServer(modem(2), rrq("nobody", tftp.Options{}))
	begun := now
	old.Time, young.Time = begun-10*ms, begun+5*ms // the kernel's clock may be ahead
	w.handle(begun, begun, []packet.Packet{old, young, toServer(modem(3), rrq("static", tftp.Options{}))})
	// The clock was read before and after rendering, and after sending.
	s := w.Stats()
	for _, tt := range []struct {
		name   string
		h      Histogram
		n, sum uint64
	}{
		{"wait", s.Wait, 2, 10 * ms},
		{"render", s.Render, 3, 3 * ms},
		{"answer", s.Answer, 3, 13*ms + 3*ms + 3*ms},
	} {
		if n := tt.h.Count(); n != tt.n || tt.h.Sum != tt.sum {
			t.Errorf("%s: %d requests, %d ns in all; want %d, %d", tt.name, n, tt.h.Sum, tt.n, tt.sum)
		}
	}
	// What is published later has all that was counted before.
	begun = now
	w.handle(begun, begun, []packet.Packet{toServer(modem(4), rrq("static", tftp.Options{}))})
	w.handle(now, now, nil)
	if s := w.Stats(); s.Answer.Count() != 4 || s.Render.Count() != 4 || s.Wait.Count() != 2 {
		t.Errorf("then %d answers, %d rendered, %d waits", s.Answer.Count(), s.Render.Count(), s.Wait.Count())
	}
}

func TestQuantile(t *testing.T) {
	var h Histogram
	if got := h.Quantile(0.5); got != 0 {
		t.Errorf("of nothing: %d", got)
	}
	h.N[bucket(1<<20)] = 90
	h.N[bucket(1<<24)] = 10
	for _, tt := range []struct {
		q        float64
		from, to int64
	}{
		{0, 1 << 20, 1<<20 + 1<<18},
		{0.5, 1<<20 + 1<<17, 1<<20 + 1<<18},
		{0.9, 1 << 20, 1<<20 + 1<<18},
		{0.95, 1<<24 + 1<<21, 1<<24 + 1<<21},
		{1, 1<<24 + 1<<22, 1<<24 + 1<<22},
	} {
		if got := h.Quantile(tt.q); got < tt.from || got > tt.to {
			t.Errorf("quantile %v: %d, want %d to %d", tt.q, got, tt.from, tt.to)
		}
	}
}
