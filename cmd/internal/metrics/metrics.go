// Package metrics writes what the server counts in the text format of Prometheus.
package metrics

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A Type is a metric's type.
type Type string

// The types.
const (
	Counter   Type = "counter"
	Gauge     Type = "gauge"
	Histogram Type = "histogram"
)

// A Metric is what the server tells of one quantity. Its name says the unit, in base units (seconds, bytes).
type Metric struct {
	Name   string
	Type   Type
	Labels []string // in the order in which their values are given
	Help   string   // one line
}

// A Set is a number of metrics and who collects them.
type Set struct {
	metrics []Metric
	index   map[string]int

	mu         sync.Mutex
	collectors []func(*Writer)
	scraping   sync.Mutex // one at a time: what is read costs something
}

// NewSet returns a set of the metrics of a table. They are written in its order.
func NewSet(table []Metric) *Set {
	s := &Set{metrics: table, index: make(map[string]int, len(table))}
	for i, m := range table {
		s.index[m.Name] = i
	}
	return s
}

// Collect has f called at each scrape.
func (s *Set) Collect(f func(*Writer)) {
	s.mu.Lock()
	s.collectors = append(s.collectors, f)
	s.mu.Unlock()
}

// Text returns all metrics that have a value now. The error joins values for metrics that are not in the table, or with
// labels that are not theirs: mistakes of a collector.
func (s *Set) Text() ([]byte, error) {
	s.scraping.Lock()
	defer s.scraping.Unlock()
	s.mu.Lock()
	collectors := slices.Clone(s.collectors)
	s.mu.Unlock()
	w := &Writer{set: s, samples: make([][]byte, len(s.metrics))}
	for _, f := range collectors {
		f(w)
	}
	var out bytes.Buffer
	for i, m := range s.metrics {
		if len(w.samples[i]) > 0 {
			fmt.Fprintf(&out, "# HELP %s %s\n# TYPE %s %s\n", m.Name, escapeHelp(m.Help), m.Name, m.Type)
			out.Write(w.samples[i])
		}
	}
	return out.Bytes(), errors.Join(w.errs...)
}

// ServeHTTP implements [http.Handler].
func (s *Set) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	text, err := s.Text()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(text)
}

// A Writer takes the values of one scrape.
type Writer struct {
	set     *Set
	samples [][]byte // by metric
	errs    []error
}

// Value gives a counter or a gauge its value, for these values of its labels.
func (w *Writer) Value(name string, v float64, labels ...string) {
	i := w.find(name, labels, Counter, Gauge)
	if i < 0 {
		return
	}
	b := append(w.samples[i], name...)
	b = appendLabels(b, w.set.metrics[i].Labels, labels)
	w.samples[i] = appendNumber(b, v)
}

// Count gives a counter or a gauge a whole number.
func (w *Writer) Count(name string, v uint64, labels ...string) { w.Value(name, float64(v), labels...) }

// Flag gives a gauge 1 or 0.
func (w *Writer) Flag(name string, on bool, labels ...string) {
	v := 0.0
	if on {
		v = 1
	}
	w.Value(name, v, labels...)
}

// Buckets gives a histogram its values: counts[i] is how many were at most bounds[i]
// and more than the bound before; one more count is for those above all bounds.
func (w *Writer) Buckets(name string, bounds []float64, counts []uint64, sum float64, labels ...string) {
	i := w.find(name, labels, Histogram)
	if i < 0 {
		return
	}
	m := &w.set.metrics[i]
	if len(counts) != len(bounds)+1 {
		w.errs = append(w.errs, fmt.Errorf("%s: %d bounds and %d counts", name, len(bounds), len(counts)))
		return
	}
	b := w.samples[i]
	total := uint64(0)
	names := append(slices.Clone(m.Labels), "le")
	values := append(slices.Clone(labels), "")
	for j, n := range counts {
		total += n
		values[len(values)-1] = "+Inf"
		if j < len(bounds) {
			values[len(values)-1] = strconv.FormatFloat(bounds[j], 'g', -1, 64)
		}
		b = append(append(b, name...), "_bucket"...)
		b = appendNumber(appendLabels(b, names, values), float64(total))
	}
	b = append(append(b, name...), "_sum"...)
	b = appendNumber(appendLabels(b, m.Labels, labels), sum)
	b = append(append(b, name...), "_count"...)
	w.samples[i] = appendNumber(appendLabels(b, m.Labels, labels), float64(total))
}

func (w *Writer) find(name string, labels []string, types ...Type) int {
	i, ok := w.set.index[name]
	if !ok {
		w.errs = append(w.errs, fmt.Errorf("%s is not in the table of metrics", name))
		return -1
	}
	m := &w.set.metrics[i]
	if !slices.Contains(types, m.Type) || len(labels) != len(m.Labels) {
		w.errs = append(w.errs, fmt.Errorf("%s is a %s with the labels %q, and was given %q", name, m.Type, m.Labels, labels))
		return -1
	}
	return i
}

func appendLabels(b []byte, names, values []string) []byte {
	for i, name := range names {
		sep := byte(',')
		if i == 0 {
			sep = '{'
		}
		b = append(append(append(b, sep), name...), '=', '"')
		b = append(append(b, escapeLabel(values[i])...), '"')
	}
	if len(names) > 0 {
		b = append(b, '}')
	}
	return append(b, ' ')
}

func appendNumber(b []byte, v float64) []byte {
	switch {
	case v == math.Trunc(v) && math.Abs(v) < 1<<53:
		b = strconv.AppendInt(b, int64(v), 10)
	case math.IsInf(v, 1):
		b = append(b, "+Inf"...)
	default:
		b = strconv.AppendFloat(b, v, 'g', -1, 64)
	}
	return append(b, '\n')
}

func escapeLabel(s string) string {
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(strings.ToValidUTF8(s, "\uFFFD"))
}

func escapeHelp(s string) string { return strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(s) }

// Document returns what an operator is told of the metrics.
func Document() string {
	var s strings.Builder
	s.WriteString(`# Metrics

Every metric of the server, with its type, labels and meaning.

The server exposes these at /metrics in the Prometheus text format: on the admin address, and on an address of its own if the key
[metrics](reference.md#metrics) sets one. Where the admin address asks for a token, Prometheus has to send it
(authorization.credentials_file). /healthz answers 200 while the process lives. /readyz answers 200 while requests are taken, and 503
during the start, while no interface has an address of listen, and during shutdown.

Times are in seconds, sizes in bytes. A metric of a part that is not in use, such as XDP, is absent.
[The dashboard](../packaging/grafana/dcs.json) and [the alerts](../packaging/alerts.yaml) are in /usr/share/doc/dcs.

`)
	s.WriteString("| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, m := range Table() {
		fmt.Fprintf(&s, "| `%s` | %s | %s | %s |\n", m.Name, m.Type, strings.Join(m.Labels, ", "), strings.ReplaceAll(m.Help, "|", `\|`))
	}
	return s.String()
}
