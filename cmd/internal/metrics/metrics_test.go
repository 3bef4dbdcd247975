package metrics

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"dcs/bench/require"

	"github.com/prometheus/client_golang/prometheus"
)

// scrape returns what a handler answers, and in which format.
func scrape(t *testing.T, h http.Handler, accept string) (text, contentType string) {
	t.Helper()
	rec, req := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/metrics", nil)
	req.Header.Set("Accept", accept)
	h.ServeHTTP(rec, req)
	if rec.Code != http.StatusOK || rec.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("status %d, %v", rec.Code, rec.Header())
	}
	return rec.Body.String(), rec.Header().Get("Content-Type")
}

func values(v *Values) {
	v.Buckets(Answer, Buckets{Bounds: []float64{1e-6, 2048e-9, 3e-6, 10}, Counts: []uint64{1, 2, 3, 4, 5}, Sum: 60.5})
	v.Value(DeviceSnapshotAge, 0.25, "csv")
	v.Count(Requests, 1<<40, "quote\" back\\ line\nend", "")
	v.Count(Requests, 2, "\xff", "é")
	v.Flag(Ready, true)
}

// The text format is that of https://prometheus.io/docs/instrumenting/exposition_formats/.
func TestText(t *testing.T) {
	text, kind := scrape(t, Handler(slog.New(slog.DiscardHandler), values), "")
	if !strings.HasPrefix(kind, "text/plain; version=0.0.4") {
		t.Error(kind)
	}
	for _, want := range []string{
		"# HELP dcs_answer_seconds " + Answer.Help + "\n# TYPE dcs_answer_seconds histogram\n",
		"dcs_answer_seconds_bucket{le=\"2.048e-06\"} 3\n", "dcs_answer_seconds_bucket{le=\"4.096e-06\"} 6\n",
		"dcs_answer_seconds_bucket{le=\"8.589934592\"} 6\n", "dcs_answer_seconds_bucket{le=\"+Inf\"} 15\n",
		"dcs_answer_seconds_sum 60.5\ndcs_answer_seconds_count 15\n",
		"dcs_device_snapshot_age_seconds{source=\"csv\"} 0.25\n",
		`dcs_requests_total{reason="",result="quote\" back\\ line\nend"} 1.099511627776e+12` + "\n",
		"dcs_requests_total{reason=\"é\",result=\"\uFFFD\"} 2\n",
		"# TYPE dcs_ready gauge\ndcs_ready 1\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if strings.Contains(text, "dcs_workers") {
		t.Error("a metric without a value")
	}
	promtool(t, text)
}

func TestOpenMetrics(t *testing.T) {
	text, kind := scrape(t, Handler(slog.New(slog.DiscardHandler), values), "application/openmetrics-text; version=1.0.0")
	if !strings.HasPrefix(kind, "application/openmetrics-text") || !strings.Contains(text, "# TYPE dcs_requests counter\n") || !strings.HasSuffix(text, "# EOF\n") {
		t.Errorf("%s: %s", kind, text)
	}
}

// The client library finds no fault with the table: names, help, types.
func TestTable(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	every := func(v *Values) {
		for _, m := range Table() {
			labels := make([]string, len(m.Labels))
			if m.Type == Histogram {
				v.Buckets(m, Buckets{Counts: []uint64{1}}, labels...)
			} else {
				v.Value(m, 1, labels...)
			}
		}
	}
	if err := r.Register(&collector{sources: []Source{every}, descs: descs()}); err != nil {
		t.Fatal(err)
	}
	if families, err := r.Gather(); err != nil || len(families) != len(Table()) {
		t.Errorf("%d metrics of %d, %v", len(families), len(Table()), err)
	}
	h := Handler(slog.New(slog.DiscardHandler), func(v *Values) {
		every(v)
		delete(v.samples, GCCycles)
		delete(v.samples, Heap)
		delete(v.samples, RuntimeMemory)
	})
	text, _ := scrape(t, h, "")
	for _, m := range Table() {
		if !strings.Contains(text, fmt.Sprintf("# HELP %s %s\n# TYPE %s %s\n", m.Name, strings.ReplaceAll(m.Help, `\`, `\\`), m.Name, m.Type)) {
			t.Errorf("%s is missing", m.Name)
		}
	}
	promtool(t, text)
}

// A mistake of a source costs its metric, not the others.
func TestMistakes(t *testing.T) {
	for _, tt := range []struct {
		name string
		f    Source
	}{
		{"labels", func(v *Values) { v.Count(Requests, 1, "a") }},
		{"value of a histogram", func(v *Values) { v.Count(Answer, 1) }},
		{"buckets of a gauge", func(v *Values) { v.Buckets(Ready, Buckets{Counts: []uint64{1}}) }},
		{"counts", func(v *Values) { v.Buckets(Answer, Buckets{Bounds: []float64{1}, Counts: []uint64{1}}) }},
		{"twice", func(v *Values) { v.Count(Faults, 1, "a"); v.Count(Faults, 1, "a") }},
	} {
		var log strings.Builder
		text, _ := scrape(t, Handler(slog.New(slog.NewTextHandler(&log, nil)), tt.f, func(v *Values) { v.Count(Workers, 7) }), "")
		if !strings.Contains(text, "dcs_workers 7\n") || !strings.Contains(log.String(), "level=ERROR") {
			t.Errorf("%s: %s\n%s", tt.name, log.String(), text)
		}
	}
}

func TestRead(t *testing.T) {
	v := Read(values, func(v *Values) {
		v.Count(Retransmissions, 3, "timeout")
		v.Count(Retransmissions, 4, "window")
		v.Count(Requests, 5, "error", "not_found")
		v.Count(Requests, 6, "error", "denied")
	})
	if v.Err() != nil {
		t.Fatal(v.Err())
	}
	if n := v.Total(Retransmissions); n != 7 {
		t.Errorf("%d retransmissions", n)
	}
	if n := v.Total(Requests, "error"); n != 11 {
		t.Errorf("%d errors", n)
	}
	if n := v.Total(Requests, "error", "denied"); n != 6 {
		t.Errorf("%d denied", n)
	}
	if by := v.By(Requests, "reason"); by["denied"] != 6 || by["é"] != 2 || len(by) != 4 {
		t.Errorf("%v", by)
	}
	if v.Total(Workers) != 0 || v.Histogram(RequestWait).Count() != 0 || len(v.By(Workers, "x")) != 0 {
		t.Error("of what has no value")
	}
	if n := v.Histogram(Answer).Count(); n != 15 {
		t.Errorf("%d answers", n)
	}
}

func TestBuckets(t *testing.T) {
	bounds := []float64{1, 2, 4}
	b := Buckets{Bounds: bounds, Counts: []uint64{10, 10, 20, 0}}
	for q, want := range map[float64]float64{0: 0, 0.125: 0.5, 0.25: 1, 0.5: 2, 0.75: 3, 1: 4} {
		if got := b.Quantile(q); got != want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if got := (Buckets{}).Quantile(0.5); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	if got := (Buckets{Bounds: bounds, Counts: []uint64{0, 0, 0, 1}}).Quantile(0.5); got != 4 {
		t.Errorf("beyond the bounds: %v", got)
	}
	before := Buckets{Bounds: bounds, Counts: []uint64{10, 0, 20, 0}}
	if d := b.Since(before); d.Count() != 10 || d.Quantile(0.5) != 1.5 {
		t.Errorf("since: %v", d)
	}
	for _, other := range []Buckets{{}, {Bounds: bounds, Counts: []uint64{11, 0, 0, 0}}} {
		if d := b.Since(other); d.Count() != 40 {
			t.Errorf("since %v: %v", other, d)
		}
	}
}

// Standard dashboards find what they show.
func TestRuntime(t *testing.T) {
	text, _ := scrape(t, Handler(slog.New(slog.DiscardHandler)), "")
	value := func(name string) float64 {
		m := regexp.MustCompile(`(?m)^` + name + `(?:{.*})? (.*)$`).FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("no %s in\n%s", name, text)
		}
		v, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Error(err)
		}
		return v
	}
	for _, name := range []string{
		"process_cpu_seconds_total", "process_virtual_memory_bytes", "process_open_fds", "process_max_fds", "go_info", "go_goroutines", "go_threads",
		"go_memstats_heap_inuse_bytes", "go_gc_duration_seconds_count", "go_gc_cycles_total", "go_memory_heap_bytes", "go_memory_total_bytes",
	} {
		value(name)
	}
	if v := value("process_resident_memory_bytes"); v < 1<<20 || v > 1<<32 {
		t.Errorf("resident memory %v", v)
	}
	if age := float64(time.Now().Unix()) - value("process_start_time_seconds"); age < -3 || age > 3600 {
		t.Errorf("started %v s ago", age)
	}
}

func TestDocument(t *testing.T) {
	text, err := Document()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| `dcs_requests_total` | counter | result, reason | ", "| `go_goroutines` | gauge |  | ", "| `go_gc_duration_seconds` | summary |  | ", "| `go_info` | gauge | version | "} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
}

// promtool has text checked by promtool check metrics. Without it the test ends here, visibly.
func promtool(t *testing.T, text string) {
	t.Helper()
	require.Program(t, "promtool")
	cmd := exec.Command("promtool", "check", "metrics")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}
