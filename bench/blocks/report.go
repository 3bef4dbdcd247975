package main

import (
	"fmt"
	"slices"
	"strings"

	"dcs/bench/rig"
)

// tally holds the rounds by load and server.
type tally map[string]map[string][]sample

func (t tally) add(l load, s *server, m sample) {
	if t[l.name] == nil {
		t[l.name] = map[string][]sample{}
	}
	t[l.name][s.name] = append(t[l.name][s.name], m)
}

func figures(rounds []sample, of func(sample) float64) []float64 {
	v := make([]float64, len(rounds))
	for i, r := range rounds {
		v[i] = of(r)
	}
	return v
}

// against returns the median of the ratios to the peer's figures, round by round, and their range.
func against(mine, theirs []sample, of func(sample) float64) string {
	a, b := figures(mine, of), figures(theirs, of)
	for i := range a {
		a[i] /= b[i]
	}
	return fmt.Sprintf("%.2f (%.2f to %.2f)", rig.Median(a), slices.Min(a), slices.Max(a))
}

func (t tally) report(loads []load, list []*server) string {
	var b strings.Builder
	b.WriteString("# Files of more than one block\n\n" +
		"One CPU serves, and pays for its own receive path (threaded NAPI). *× dnsmasq*: files a second, median of the rounds' ratios, and their range. dnsmasq is asked for windows too, but does not know them.\n" +
		"*µs a block*: CPU time of the server and of the thread that receives for it. Where the load is busy all the time it is the bound of the rate.\n\n" +
		"| load | server | files/s | MB/s | × dnsmasq | µs a block | × its CPU | load busy |\n|---|---|--:|--:|--:|--:|--:|--:|\n")
	rate := func(m sample) float64 { return m.rate }
	mbs := func(m sample) float64 { return m.mbs }
	cpu := func(m sample) float64 { return m.perBlock }
	busy := func(m sample) float64 { return m.load }
	for _, l := range loads {
		by := t[l.name]
		for _, s := range list {
			r, p := by[s.name], by[peer]
			fmt.Fprintf(&b, "| %s | %s | %.0f | %.1f | %s | %.2f | %s | %.0f %% |\n", l.what, s.name,
				rig.Median(figures(r, rate)), rig.Median(figures(r, mbs)), against(r, p, rate),
				rig.Median(figures(r, cpu)), against(r, p, cpu), 100*rig.Median(figures(r, busy)))
		}
	}
	b.WriteByte('\n')
	return b.String()
}
