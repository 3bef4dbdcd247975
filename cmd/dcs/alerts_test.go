package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"dcs/cmd/internal/metrics"
)

// known are the names under which Prometheus has the table's metrics, with their labels.
func known(t *testing.T) map[string][]string {
	t.Helper()
	m := map[string][]string{"up": nil}
	runtime, err := metrics.Runtime()
	if err != nil {
		t.Fatal(err)
	}
	for _, metric := range append(metrics.Table(), runtime...) {
		names := []string{metric.Name}
		if metric.Type == metrics.Histogram {
			names = []string{metric.Name + "_bucket", metric.Name + "_sum", metric.Name + "_count"}
		}
		for _, n := range names {
			m[n] = append([]string{"job", "instance", "le"}, metric.Labels...)
		}
	}
	return m
}

var (
	selector = regexp.MustCompile(`\b(up|(?:dcs|process|go)_[a-z_]+)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)`)
)

// checkNames looks up each metric and label of an expression. used gets the metrics.
func checkNames(t *testing.T, where, expr string, used map[string]bool) {
	t.Helper()
	names := known(t)
	found := selector.FindAllStringSubmatch(expr, -1)
	if len(found) == 0 {
		t.Errorf("%s: no metric in %s", where, expr)
	}
	for _, f := range found {
		labels, there := names[f[1]]
		if !there {
			t.Errorf("%s: there is no metric %s", where, f[1])
		}
		used[f[1]] = true
		for _, l := range matcher.FindAllStringSubmatch(f[2], -1) {
			if f[1] != "up" && !slices.Contains(labels, l[1]) {
				t.Errorf("%s: %s has no label %s", where, f[1], l[1])
			}
		}
	}
}

type rule struct {
	Alert  string `yaml:"alert,omitempty"`
	Record string `yaml:"record,omitempty"`
	Expr   string `yaml:"expr"`
}

type rules struct {
	Groups []struct {
		Name  string `yaml:"name"`
		Rules []rule `yaml:"rules"`
	} `yaml:"groups"`
}

func TestAlerts(t *testing.T) {
	text, err := os.ReadFile("packaging/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file rules
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			checkNames(t, r.Alert, r.Expr, map[string]bool{})
			n++
		}
	}
	if n < 10 {
		t.Errorf("%d alerts", n)
	}
	promtool(t, "", "check", "rules", "packaging/alerts.yaml")
}

func TestDashboard(t *testing.T) {
	text, err := os.ReadFile("packaging/grafana/dcs.json")
	if err != nil {
		t.Fatal(err)
	}
	type place struct{ X, Y, W, H int }
	var board struct {
		Panels []struct {
			ID      int
			Title   string
			Type    string
			GridPos place
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	ids := map[int]bool{}
	var exprs strings.Builder
	exprs.WriteString("groups:\n- name: dashboard\n  rules:\n")
	for i, p := range board.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the number %d", p.ID)
		}
		ids[p.ID] = true
		for _, o := range board.Panels[:i] {
			a, b := p.GridPos, o.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("%s lies over %s", p.Title, o.Title)
			}
		}
		for j, target := range p.Targets {
			checkNames(t, p.Title, target.Expr, used)
			expr := strings.NewReplacer("$__rate_interval", "5m", "$job", ".*", "$instance", ".*").Replace(target.Expr)
			fmt.Fprintf(&exprs, "  - record: panel_%d_%d\n    expr: %q\n", p.ID, j, expr)
		}
	}
	for name := range known(t) {
		base := strings.TrimSuffix(strings.TrimSuffix(name, "_sum"), "_count")
		if strings.HasPrefix(name, "dcs_") && !used[name] && !used[base+"_bucket"] && !slices.Contains(unshown, name) {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	write(t, file, exprs.String())
	promtool(t, "", "check", "rules", file)
}

// unshown are metrics that the dashboard has another form of, or that are for alerts.
var unshown = []string{
	"dcs_workers", "dcs_library_loaded_timestamp_seconds", "dcs_device_snapshot_timestamp_seconds", "dcs_device_source_loading",
	"dcs_packets_sent_total", "dcs_xdp_lost_total", "dcs_xdp_fallbacks_total", "dcs_listen_address_up", "dcs_device_snapshot_ahead_seconds", "dcs_device_snapshot_damaged", "dcs_device_changes_durable",
	"dcs_admin_refused_total", "dcs_read_requests_total",
	"dcs_device_questions_waiting", "dcs_device_questions_wait_seconds_total",
	"dcs_capture_running", "dcs_capture_packets_total",
}

func TestMetricsDocument(t *testing.T) {
	text, err := os.ReadFile("doc/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	if want, err := metrics.Document(); err != nil || string(text) != want {
		t.Error(err, "doc/metrics.md is not what the table makes: make generate")
	}
}
