package metrics

import (
	"fmt"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// Runtime returns the metrics of the Go runtime and of the process, which the client library defines.
func Runtime() ([]*Metric, error) {
	families, err := runtimeRegistry().Gather()
	if err != nil {
		return nil, err
	}
	types := map[dto.MetricType]Type{dto.MetricType_COUNTER: Counter, dto.MetricType_GAUGE: Gauge, dto.MetricType_SUMMARY: "summary", dto.MetricType_HISTOGRAM: Histogram}
	var out []*Metric
	for _, f := range families {
		m := &Metric{Name: f.GetName(), Type: types[f.GetType()], Help: f.GetHelp()}
		for _, l := range f.GetMetric()[0].GetLabel() {
			m.Labels = append(m.Labels, l.GetName())
		}
		out = append(out, m)
	}
	return out, nil
}

// Document returns the manual's page about the metrics.
func Document() (string, error) {
	runtime, err := Runtime()
	if err != nil {
		return "", err
	}
	var s strings.Builder
	s.WriteString(`# Metrics

The server exposes these at /metrics, in the formats of Prometheus: on the admin address (if it
requires a token, give it to Prometheus with authorization.credentials_file), and on the address
of the key "metrics", if it is set. /healthz answers 200 while the process runs, /readyz while
requests are served: 503 during start and shutdown, and while no interface has an address of
listen.

Times are in seconds, sizes in bytes. A metric of a part that is not in use, such as the XDP
program, is left out. grafana/dcs.json is a dashboard, alerts.yaml has alerts.

`)
	writeTable(&s, Table())
	s.WriteString(`
## Go runtime and process

The client library of Prometheus adds these, so that standard dashboards work.

`)
	writeTable(&s, runtime)
	return s.String(), nil
}

func writeTable(s *strings.Builder, table []*Metric) {
	s.WriteString("| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, m := range table {
		fmt.Fprintf(s, "| `%s` | %s | %s | %s |\n", m.Name, m.Type, strings.Join(m.Labels, ", "), strings.ReplaceAll(m.Help, "|", `\|`))
	}
}
