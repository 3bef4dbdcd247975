package console

import (
	"testing"
	"time"

	"dcs/cmd/internal/metrics"
)

func TestHistory(t *testing.T) {
	var h history
	at := func(n uint64) counters {
		return counters{
			Totals: Totals{Requests: 10 * n, Served: 8 * n, Failed: 2 * n},
			Answer: metrics.Buckets{Bounds: []float64{1e-3, 2e-3, 3e-3}, Counts: []uint64{0, 100 * n, n, 0}},
		}
	}
	for i := range 400 {
		h.add(start.Add(time.Duration(i)*time.Second), at(uint64(i)))
	}
	var s State
	c := at(400)
	h.now(start.Add(400*time.Second), &c, &s)
	if len(s.History) != historySeconds || s.History[0].Requests != 10 || s.Rates.Requests != 10 || s.Rates.Served != 8 || s.Rates.Failed != 2 {
		t.Errorf("%d seconds, %+v", len(s.History), s.Rates)
	}
	// 100 of 101 lie between 1 and 2 ms.
	if q := s.Latency.Answer; q.P50 < 1.5e-3 || q.P50 > 1.51e-3 || q.P99 < 1.99e-3 || q.P99 > 2e-3 || s.Latency.Render != (Quantiles{}) {
		t.Errorf("%+v", s.Latency)
	}
	// Counters that begin anew give no negative rates.
	h.add(start.Add(401*time.Second), counters{})
	if last := h.seconds[len(h.seconds)-1]; last.Requests != 0 {
		t.Errorf("%+v", last)
	}
}
