package storm

import (
	"fmt"
	"time"
)

// Limits are bounds for the result. A negative MaxFailed and zeros in other fields mean no limit.
type Limits struct {
	MaxFailed      int // modems without the right file: failed, wrong or unfinished
	P50, P99, P999 time.Duration
	Last           time.Duration // from the first request to the last file
	MinRate        float64       // files per second
}

// NoLimits has no limits.
func NoLimits() Limits { return Limits{MaxFailed: -1} }

// Verdict is the result for one limit.
type Verdict struct {
	What     string `json:"what"`
	Limit    string `json:"limit"`
	Measured string `json:"measured"`
	OK       bool   `json:"ok"`
}

// String returns the verdict as a sentence.
func (v Verdict) String() string {
	word := "kept"
	if !v.OK {
		word = "MISSED"
	}
	return fmt.Sprintf("%s: %s %s, measured %s", word, v.What, v.Limit, v.Measured)
}

// Judge compares the result with the limits, stores the verdicts in it and reports whether all limits were met.
func (l Limits) Judge(r *Result) bool {
	r.Verdicts = nil
	add := func(what, limit, measured string, ok bool) {
		r.Verdicts = append(r.Verdicts, Verdict{what, limit, measured, ok})
	}
	if l.MaxFailed >= 0 {
		bad := r.Failed + r.Wrong + r.Unfinished
		add("modems without the right file", fmt.Sprintf("at most %d", l.MaxFailed), fmt.Sprint(bad), bad <= l.MaxFailed)
	}
	for _, q := range []struct {
		what  string
		limit time.Duration
		us    float64
	}{
		{"50th percentile", l.P50, r.Latency.P50},
		{"99th percentile", l.P99, r.Latency.P99},
		{"99.9th percentile", l.P999, r.Latency.P999},
		{"time to the last modem", l.Last, r.LastServed * 1e6},
	} {
		if q.limit > 0 {
			// Without a single file there is no percentile.
			add(q.what, fmt.Sprintf("at most %v", q.limit), micros(q.us).String(), r.Served > 0 && time.Duration(q.us*1e3) <= q.limit)
		}
	}
	if l.MinRate > 0 {
		add("files per second", fmt.Sprintf("at least %.0f", l.MinRate), fmt.Sprintf("%.0f", r.Rate), r.Rate >= l.MinRate)
	}
	for _, v := range r.Verdicts {
		if !v.OK {
			return false
		}
	}
	return true
}
