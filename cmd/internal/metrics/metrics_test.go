package metrics

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

func table() []Metric {
	return []Metric{
		{"x_total", Counter, []string{"a", "b"}, `Help with \ in it.`},
		{"y", Gauge, nil, "A gauge."},
		{"z_seconds", Histogram, []string{"k"}, "A histogram."},
		{"silent", Gauge, nil, "Has no value."},
	}
}

// The format is that of https://prometheus.io/docs/instrumenting/exposition_formats/.
func TestText(t *testing.T) {
	s := NewSet(table())
	s.Collect(func(w *Writer) {
		w.Buckets("z_seconds", []float64{0.001, 1}, []uint64{1, 2, 3}, 7.5, "v")
		w.Value("y", 0.25)
	})
	s.Collect(func(w *Writer) {
		w.Count("x_total", 1<<40, "quote\" back\\ line\nend", "")
		w.Count("x_total", 2, "\xff", "é")
	})
	want := `# HELP x_total Help with \\ in it.
# TYPE x_total counter
x_total{a="quote\" back\\ line\nend",b=""} 1099511627776
x_total{a="` + "\uFFFD" + `",b="é"} 2
# HELP y A gauge.
# TYPE y gauge
y 0.25
# HELP z_seconds A histogram.
# TYPE z_seconds histogram
z_seconds_bucket{k="v",le="0.001"} 1
z_seconds_bucket{k="v",le="1"} 3
z_seconds_bucket{k="v",le="+Inf"} 6
z_seconds_sum{k="v"} 7.5
z_seconds_count{k="v"} 6
`
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if got := rec.Body.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if ct := rec.Header().Get("Content-Type"); !strings.HasPrefix(ct, "text/plain; version=0.0.4") {
		t.Error(ct)
	}
}

func TestMistakes(t *testing.T) {
	for _, tt := range []struct {
		name string
		f    func(*Writer)
	}{
		{"not in the table", func(w *Writer) { w.Count("nobody", 1) }},
		{"labels", func(w *Writer) { w.Count("x_total", 1, "a") }},
		{"type", func(w *Writer) { w.Count("z_seconds", 1, "k") }},
		{"buckets of a gauge", func(w *Writer) { w.Buckets("y", nil, []uint64{1}, 1) }},
		{"counts", func(w *Writer) { w.Buckets("z_seconds", []float64{1}, []uint64{1}, 1, "k") }},
	} {
		s := NewSet(table())
		s.Collect(tt.f)
		if _, err := s.Text(); err == nil {
			t.Errorf("%s: no error", tt.name)
		}
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		if rec.Code != http.StatusInternalServerError {
			t.Errorf("%s: status %d", tt.name, rec.Code)
		}
	}
}

func TestProcess(t *testing.T) {
	s := NewSet(Process())
	s.Collect(CollectProcess)
	text, err := s.Text()
	if err != nil {
		t.Fatal(err)
	}
	value := func(name string) float64 {
		m := regexp.MustCompile(`(?m)^` + name + `(?:{.*})? (.*)$`).FindSubmatch(text)
		if m == nil {
			t.Fatalf("no %s in\n%s", name, text)
		}
		v, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			t.Error(err)
		}
		return v
	}
	for _, m := range Process() {
		value(m.Name)
	}
	if v := value("process_resident_memory_bytes"); v < 1<<20 || v > 1<<32 {
		t.Errorf("resident memory %v", v)
	}
	if age := float64(time.Now().Unix()) - value("process_start_time_seconds"); age < -3 || age > 3600 {
		t.Errorf("begun %v s ago", age)
	}
	promtool(t, text)
}

// promtool has text checked by promtool check metrics. Without it the test ends here, visibly.
func promtool(t *testing.T, text []byte) {
	t.Helper()
	if _, err := exec.LookPath("promtool"); err != nil {
		if os.Getenv("DCS_REQUIRE_PROMTOOL") == "1" {
			t.Fatal("promtool is missing: make deps")
		}
		t.Skip("promtool is missing: make deps installs it")
	}
	cmd := exec.Command("promtool", "check", "metrics")
	cmd.Stdin = strings.NewReader(string(text))
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}
