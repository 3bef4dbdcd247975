package storm

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Sample is one interval of the timeline.
type Sample struct {
	At      float64 `json:"t_s"` // its end, seconds after the start
	Offered int     `json:"offered"`
	Served  int     `json:"served"`
	Failed  int     `json:"failed"` // given up, or with a wrong file
	Retries int     `json:"retries"`
	Flood   int     `json:"flood"`
	Waiting int     `json:"waiting"` // at its end
	// Latency of the files served in it, microseconds. In a joined interval, the larger of the two.
	P50  float64 `json:"p50_us"`
	P99  float64 `json:"p99_us"`
	P999 float64 `json:"p99.9_us"`
}

const (
	firstInterval = 100 * time.Millisecond
	maxSamples    = 512
)

// timeline collects samples. Unless the interval was set, it doubles when there are too many of them.
type timeline struct {
	samples  []Sample
	before   Sample // totals at the end of the last sample
	recent   *hdrhistogram.Histogram
	interval int64 // ns
	due      int64 // ns; end of the current sample
	fixed    bool
}

func newTimeline(interval time.Duration) timeline {
	t := timeline{
		samples: make([]Sample, 0, maxSamples), recent: hdrhistogram.New(1000, int64(time.Hour), 2),
		interval: int64(interval), fixed: interval > 0,
	}
	if !t.fixed {
		t.interval = int64(firstInterval)
	}
	t.due = t.interval
	return t
}

// sample ends the current interval.
func (t *timeline) sample(now int64, e *engine) {
	r := e.res
	total := Sample{Offered: r.Offered, Served: r.Served, Failed: r.Failed + r.Wrong, Retries: r.Retries, Flood: r.Flood}
	s := Sample{
		At: seconds(now), Offered: total.Offered - t.before.Offered, Served: total.Served - t.before.Served,
		Failed: total.Failed - t.before.Failed, Retries: total.Retries - t.before.Retries, Flood: total.Flood - t.before.Flood,
		Waiting: e.under,
	}
	if t.recent.TotalCount() > 0 {
		q := func(p float64) float64 { return float64(t.recent.ValueAtPercentile(p)) / 1e3 }
		s.P50, s.P99, s.P999 = q(50), q(99), q(99.9)
		t.recent.Reset()
	}
	t.before = total
	if len(t.samples) == maxSamples && !t.fixed {
		t.halve()
	}
	if !t.fixed || len(t.samples) < 100*maxSamples {
		t.samples = append(t.samples, s)
	}
	t.due = (now/t.interval + 1) * t.interval
}

func (t *timeline) halve() {
	for i := range len(t.samples) / 2 {
		a, b := t.samples[2*i], t.samples[2*i+1]
		b.Offered += a.Offered
		b.Served += a.Served
		b.Failed += a.Failed
		b.Retries += a.Retries
		b.Flood += a.Flood
		b.P50, b.P99, b.P999 = max(a.P50, b.P50), max(a.P99, b.P99), max(a.P999, b.P999)
		t.samples[i] = b
	}
	t.samples = t.samples[:len(t.samples)/2]
	t.interval *= 2
}

// close ends the last interval.
func (t *timeline) close(now int64, e *engine) {
	if len(t.samples) == 0 || seconds(now) > t.samples[len(t.samples)-1].At {
		t.sample(now, e)
	}
}
