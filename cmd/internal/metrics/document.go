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

// Document returns the manual's page on metrics.
func Document() (string, error) {
	runtime, err := Runtime()
	if err != nil {
		return "", err
	}
	var s strings.Builder
	s.WriteString(`# Metrics

Every metric of the server, with its type, labels and meaning.

The server exposes these at /metrics in the formats of Prometheus: on the admin address, and on an address of its own if the key
[metrics](reference.md#metrics) sets one. Where the admin address asks for a token, Prometheus has to send it
(authorization.credentials_file). /healthz answers 200 while the process lives. /readyz answers 200 while requests are taken, and 503
during the start, while no interface has an address of listen, and during shutdown.

Times are in seconds, sizes in bytes. A metric of a part that is not in use, such as XDP, is absent.
[The dashboard](../packaging/grafana/dcs.json) and [the alerts](../packaging/alerts.yaml) are in /usr/share/doc/dcs.

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
