package console

import (
	"sync"
	"time"

	"dcs/cmd/internal/metrics"
)

const (
	historySeconds = 300
	rateSeconds    = 10
)

// history records the counters, one sample per second.
type history struct {
	mu      sync.Mutex
	last    []sample // of the last rateSeconds, the newest last
	seconds []Rates  // the newest last
}

type sample struct {
	at time.Time
	counters
}

func (h *history) add(at time.Time, c counters) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := sample{at, c}
	if n := len(h.last); n > 0 {
		h.seconds = append(h.seconds, rates(&h.last[n-1], &s))
		if over := len(h.seconds) - historySeconds; over > 0 {
			h.seconds = append(h.seconds[:0], h.seconds[over:]...)
		}
	}
	h.last = append(h.last, s)
	if over := len(h.last) - rateSeconds - 1; over > 0 {
		h.last = append(h.last[:0], h.last[over:]...)
	}
}

// now sets the rates and latencies of a state.
func (h *history) now(at time.Time, c *counters, s *State) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.History = append([]Rates{}, h.seconds...)
	if len(h.last) == 0 {
		return
	}
	cur := sample{at, *c}
	before := &h.last[0]
	s.Rates = rates(before, &cur)
	s.Latency = Latencies{quantiles(before.Answer, c.Answer), quantiles(before.Render, c.Render)}
}

func rates(a, b *sample) Rates {
	secs := b.at.Sub(a.at).Seconds()
	if secs <= 0 {
		return Rates{}
	}
	per := func(x, y uint64) float64 { return float64(y-min(x, y)) / secs }
	return Rates{
		Requests: per(a.Requests, b.Requests), Served: per(a.Served, b.Served), Failed: per(a.Failed, b.Failed), Silent: per(a.Silent, b.Silent),
		GaveUp: per(a.GaveUp, b.GaveUp), Resent: per(a.Resent, b.Resent), Drops: per(a.Drops, b.Drops),
	}
}

// quantiles returns the quantiles of what was counted between two samples.
func quantiles(before, now metrics.Buckets) Quantiles {
	d := now.Since(before)
	return Quantiles{d.Quantile(.5), d.Quantile(.9), d.Quantile(.99)}
}
