package console

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"dcs/cmd/internal/metrics"
)

// counters are the metrics that the console shows, since the server's start. Failed and Silent count only requests that count in
// Requests: well-formed read requests within the limits.
type counters struct {
	Totals
	Learned int
	Hits    uint64
	Misses  uint64
	Workers []Worker
	Reasons []Reason // with a count, the most frequent first
	Answer  metrics.Buckets
	Render  metrics.Buckets
}

func countersOf(v *metrics.Values) counters {
	c := counters{
		Totals: Totals{
			Requests: v.Total(metrics.ReadRequests), Served: v.Total(metrics.Files),
			Failed:   v.Total(metrics.Requests, "error") - v.Total(metrics.Requests, "error", "write_request"),
			Silent:   v.Total(metrics.Requests, "dropped") - v.Total(metrics.Requests, "dropped", "late") - v.Total(metrics.Requests, "dropped", "rate_limited"),
			Repeated: v.Total(metrics.Requests, "repeated") + v.Total(metrics.Requests, "dropped", "late"),
			Finished: v.Total(metrics.TransfersEnded, "finished"), GaveUp: v.Total(metrics.TransfersEnded, "gave_up"),
			Resent: v.Total(metrics.Retransmissions), Drops: v.Total(metrics.ReceiveDrops),
		},
		Learned: int(v.Total(metrics.LearnedNames)), Hits: v.Total(metrics.LearnedHits), Misses: v.Total(metrics.LearnedMisses),
		Reasons: reasons(v), Answer: v.Histogram(metrics.Answer), Render: v.Histogram(metrics.RenderBatch),
	}
	for i := range v.Total(metrics.Workers) {
		worker := strconv.FormatUint(i, 10)
		c.Workers = append(c.Workers, Worker{
			Requests: v.Total(metrics.ReadRequests, worker), Received: v.Total(metrics.PacketsReceived, worker), Sent: v.Total(metrics.PacketsSent, worker),
			Active: v.Total(metrics.TransfersRunning, worker), Drops: v.Total(metrics.ReceiveDrops, worker), SendErrors: v.Total(metrics.SendErrors, worker),
		})
	}
	return c
}

// The reason of requests whose device is being looked up, in events and in metrics.
const (
	asking       = "asking"
	askingMetric = "asking_source"
)

// reasons returns the reasons for requests without a file, the most frequent first.
func reasons(v *metrics.Values) []Reason {
	by := v.By(metrics.Faults, "reason")
	var out []Reason
	for _, name := range slices.Sorted(maps.Keys(by)) {
		n := by[name]
		if name == askingMetric {
			name = asking
		}
		if n > 0 {
			out = append(out, Reason{name, n})
		}
	}
	slices.SortStableFunc(out, func(a, b Reason) int { return cmp.Compare(b.Count, a.Count) })
	return out
}
