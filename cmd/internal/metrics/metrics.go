// Package metrics declares the server's metrics, reads them, and exposes them to Prometheus.
//
// A [Source] writes the values of some metrics into [Values] whenever they are read: for a scrape, the admin page or dcs top.
// Nothing is counted here.
package metrics

import (
	"errors"
	"fmt"
	"slices"
)

// A Type is a metric's type.
type Type string

// Types of metrics.
const (
	Counter   Type = "counter"
	Gauge     Type = "gauge"
	Histogram Type = "histogram"
)

// A Metric is one quantity. Its name contains the unit, in base units (seconds, bytes).
type Metric struct {
	Name   string
	Type   Type
	Labels []string // in the order in which their values are given
	Help   string   // one line
}

// A Source writes the current values of some metrics.
type Source func(*Values)

// Values are the values of metrics at one moment.
type Values struct {
	samples map[*Metric][]sample
	err     error
}

// sample is the value of a metric for one set of label values.
type sample struct {
	labels  []string
	value   float64
	buckets Buckets // of a histogram
}

// Read reads the values of all sources.
func Read(sources ...Source) *Values {
	v := &Values{samples: map[*Metric][]sample{}}
	for _, s := range sources {
		s(v)
	}
	return v
}

// Err returns the errors of sources: values with the wrong number of labels or of another type.
func (v *Values) Err() error { return v.err }

// Value sets a counter or gauge, for these values of its labels.
func (v *Values) Value(m *Metric, x float64, labels ...string) {
	v.add(m, m.Type != Histogram, sample{labels: labels, value: x})
}

// Count sets a counter or gauge to an integer.
func (v *Values) Count(m *Metric, n uint64, labels ...string) { v.Value(m, float64(n), labels...) }

// Flag sets a gauge to 1 or 0.
func (v *Values) Flag(m *Metric, on bool, labels ...string) {
	x := 0.0
	if on {
		x = 1
	}
	v.Value(m, x, labels...)
}

// Buckets sets a histogram.
func (v *Values) Buckets(m *Metric, b Buckets, labels ...string) {
	v.add(m, m.Type == Histogram && len(b.Counts) == len(b.Bounds)+1, sample{labels: labels, buckets: b})
}

func (v *Values) add(m *Metric, fits bool, s sample) {
	if !fits || len(s.labels) != len(m.Labels) {
		v.err = errors.Join(v.err, fmt.Errorf("%s: a %s with labels %q; got %q", m.Name, m.Type, m.Labels, s.labels))
		return
	}
	v.samples[m] = append(v.samples[m], s)
}

// Sum returns the sum of a metric over all samples whose first labels have these values.
func (v *Values) Sum(m *Metric, labels ...string) float64 {
	sum := 0.0
	for _, s := range v.samples[m] {
		if slices.Equal(s.labels[:min(len(labels), len(s.labels))], labels) {
			sum += s.value
		}
	}
	return sum
}

// Total is [Values.Sum] of a metric whose values are integers.
func (v *Values) Total(m *Metric, labels ...string) uint64 { return uint64(v.Sum(m, labels...)) }

// By returns the sums of a metric by the values of one of its labels.
func (v *Values) By(m *Metric, label string) map[string]uint64 {
	sums := map[string]uint64{}
	if at := slices.Index(m.Labels, label); at >= 0 {
		for _, s := range v.samples[m] {
			sums[s.labels[at]] += uint64(s.value)
		}
	}
	return sums
}

// Histogram returns the buckets of a histogram without labels; empty if it has no value.
func (v *Values) Histogram(m *Metric) Buckets {
	if s := v.samples[m]; len(s) > 0 {
		return s[0].buckets
	}
	return Buckets{}
}
