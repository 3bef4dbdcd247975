package metrics

import (
	"log/slog"
	"net/http"
	runtimemetrics "runtime/metrics"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Handler serves the metrics of sources, the Go runtime and the process in the formats of Prometheus. Invalid values are left out
// and logged.
func Handler(log *slog.Logger, sources ...Source) http.Handler {
	h := promhttp.HandlerFor(registry(sources...), promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelError), ErrorHandling: promhttp.ContinueOnError, EnableOpenMetrics: true,
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		h.ServeHTTP(w, r)
	})
}

func registry(sources ...Source) *prometheus.Registry {
	r := runtimeRegistry()
	r.MustRegister(&collector{sources: append(sources, goRuntime), descs: descs()})
	return r
}

// runtimeRegistry has the metrics that Prometheus client libraries expose for any program, for standard dashboards.
func runtimeRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

func descs() map[*Metric]*prometheus.Desc {
	out := make(map[*Metric]*prometheus.Desc, len(table))
	for _, m := range table {
		out[m] = prometheus.NewDesc(m.Name, m.Help, m.Labels, nil)
	}
	return out
}

// collector is a [prometheus.Collector] that reads sources at each scrape.
type collector struct {
	sources []Source
	descs   map[*Metric]*prometheus.Desc
	mu      sync.Mutex // one scrape at a time, as reading has a cost
}

// Describe implements [prometheus.Collector].
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		out <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(out chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := Read(c.sources...)
	if v.err != nil {
		out <- prometheus.NewInvalidMetric(prometheus.NewInvalidDesc(v.err), v.err)
	}
	for m, samples := range v.samples {
		for _, s := range samples {
			out <- c.metric(m, &s)
		}
	}
}

func (c *collector) metric(m *Metric, s *sample) prometheus.Metric {
	labels := make([]string, len(s.labels))
	for i, l := range s.labels {
		labels[i] = strings.ToValidUTF8(l, "\uFFFD")
	}
	desc := c.descs[m]
	var metric prometheus.Metric
	var err error
	switch m.Type {
	case Histogram:
		metric, err = prometheus.NewConstHistogram(desc, s.buckets.Count(), s.buckets.Sum, s.buckets.cumulative(), labels...)
	case Counter:
		metric, err = prometheus.NewConstMetric(desc, prometheus.CounterValue, s.value, labels...)
	default:
		metric, err = prometheus.NewConstMetric(desc, prometheus.GaugeValue, s.value, labels...)
	}
	if err != nil {
		return prometheus.NewInvalidMetric(desc, err)
	}
	return metric
}

// goRuntime reads our own metrics of the Go runtime.
func goRuntime(v *Values) {
	from := []*Metric{GCCycles, Heap, RuntimeMemory}
	samples := []runtimemetrics.Sample{
		{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"},
	}
	runtimemetrics.Read(samples)
	for i, m := range from {
		if samples[i].Value.Kind() == runtimemetrics.KindUint64 {
			v.Count(m, samples[i].Value.Uint64())
		}
	}
}
