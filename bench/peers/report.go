package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"dcs/bench/rig"
)

// report returns the tables as Markdown, with what they were measured on.
func report(list []*contestant, opt options) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Files a second, closed loop\n\n")
	fmt.Fprintf(&b, "Server on CPU %d, load on CPU %d, wire %s (veth between network namespaces), static file of %d bytes.\n", serverCPU, loadCPU, opt.wire(), opt.size)
	fmt.Fprintf(&b, "Medians of %d interleaved rounds of %s, also of the ratios; the range is that of the rounds. Files served in the drain do not count.\n", opt.rounds, opt.length)
	fmt.Fprintf(&b, "*%s*: the load's CPU had no time left, and the rate says nothing about the server or its limit.\n\n", bound)
	peer := bestPeer(list)
	fmt.Fprintf(&b, "| server | window | files/s | range | of the limit | × best peer | p50 µs | p99 µs | alone p50 µs | server CPU | µs of it a file | load busy | retries | failed |\n")
	fmt.Fprintf(&b, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, c := range list {
		rates := c.rates()
		rate := rig.Median(rates)
		of := func(f func(sample) float64) float64 { return rig.Median(each(c.rounds, f)) }
		sum := func(f func(sample) float64) (n float64) {
			for _, v := range each(c.rounds, f) {
				n += v
			}
			return n
		}
		ratio := "–"
		if peer != nil {
			ratio = fmt.Sprintf("%.2f", c.ratio(peer))
		}
		fmt.Fprintf(&b, "| %s | %d | %.0f | %.0f–%.0f | %s | %s | %.0f | %.0f | %.1f | %.0f %% | %.2f | %.0f %% | %.0f | %.0f |\n",
			c.name, c.window, rate, slices.Min(rates), slices.Max(rates), ofLimit(c.rounds, limitOf(list, c).rounds), ratio,
			of(func(s sample) float64 { return s.Latency.P50 }), of(func(s sample) float64 { return s.Latency.P99 }),
			rig.Median(each(c.alone, func(s sample) float64 { return s.Latency.P50 })),
			100*of(func(s sample) float64 { return s.ServerBusy }), of(func(s sample) float64 { return s.PerFile }),
			100*of(func(s sample) float64 { return s.LoadBusy }),
			sum(func(s sample) float64 { return float64(s.Retries) }),
			sum(func(s sample) float64 { return float64(s.Failed + s.Unfinished) }))
	}
	b.WriteString("\n")
	b.WriteString(openLoop(list))
	b.WriteString(versus(list))
	disturbed, all := 0, 0
	for _, c := range list {
		for _, s := range c.rounds {
			if all++; s.others > 0.1 {
				disturbed++
			}
		}
	}
	if disturbed > 0 {
		fmt.Fprintf(&b, "**%d of %d rounds began while another process kept a CPU busy: their figures are unreliable.**\n\n", disturbed, all)
	}
	for _, c := range list {
		fmt.Fprintf(&b, "- %s: %s\n", c.name, c.version)
	}
	b.WriteString(rig.Facts(rig.Command()))
	return b.String()
}

// openLoop returns the table of the open loops.
func openLoop(list []*contestant) string {
	var b strings.Builder
	for i, rate := range openRates {
		for _, c := range list {
			if len(c.open) == 0 {
				continue
			}
			if b.Len() == 0 {
				b.WriteString("## Open loop\n\n| server | offered/s | files/s | of the limit | p50 µs | × the limit's | p99 µs | worst × the limit's | server CPU | µs of it a file | load busy | retries | failed |\n")
				b.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
			}
			to := limitOf(list, c)
			var rounds, limits []sample
			var slower, tail []float64
			for r := range c.open {
				s, l := c.open[r][i], to.open[r][i]
				rounds, limits = append(rounds, s), append(limits, l)
				slower = append(slower, s.Latency.P50/l.Latency.P50)
				tail = append(tail, s.Latency.P99/l.Latency.P99)
			}
			times, worst := bound, bound
			if !bounded(rounds, limits) {
				times, worst = fmt.Sprintf("%.2f", rig.Median(slower)), fmt.Sprintf("%.2f", slices.Max(tail))
			}
			of := func(f func(sample) float64) float64 { return rig.Median(each(rounds, f)) }
			fmt.Fprintf(&b, "| %s | %.0f | %.0f | %s | %.0f | %s | %.0f | %s | %.0f %% | %.2f | %.0f %% | %.0f | %.0f |\n", c.name, rate,
				of(func(s sample) float64 { return s.Rate }), ofLimit(rounds, limits),
				of(func(s sample) float64 { return s.Latency.P50 }), times,
				of(func(s sample) float64 { return s.Latency.P99 }), worst,
				100*of(func(s sample) float64 { return s.ServerBusy }), of(func(s sample) float64 { return s.PerFile }),
				100*of(func(s sample) float64 { return s.LoadBusy }),
				of(func(s sample) float64 { return float64(s.Retries) }), of(func(s sample) float64 { return float64(s.Failed + s.Unfinished) }))
		}
	}
	if b.Len() > 0 {
		b.WriteString("\n")
	}
	return b.String()
}

// versus compares dcs with an earlier binary: the rounds' ratios, and the range of the middle half of them.
func versus(list []*contestant) string {
	var b strings.Builder
	for _, c := range list {
		kind, ok := strings.CutPrefix(c.name, ours)
		i := slices.IndexFunc(list, func(o *contestant) bool { return o.name == before+kind })
		if !ok || i < 0 {
			continue
		}
		if b.Len() == 0 {
			b.WriteString("## Against before\n\n| server | files/s | half of the rounds | µs of its CPU a file | half of the rounds |\n|---|--:|--:|--:|--:|\n")
		}
		fmt.Fprintf(&b, "| %s |", c.name)
		for _, f := range []func(sample) float64{func(s sample) float64 { return s.Rate }, func(s sample) float64 { return s.PerFile }} {
			v := each(c.rounds, f)
			for r, s := range list[i].rounds {
				v[r] /= f(s)
			}
			slices.Sort(v)
			fmt.Fprintf(&b, " %.3f | %.3f–%.3f |", rig.Median(v), v[len(v)/4], v[len(v)-1-len(v)/4])
		}
		b.WriteString("\n")
	}
	if b.Len() > 0 {
		b.WriteString("\n")
	}
	return b.String()
}

// bound stands in place of a ratio that the load bounds.
const bound = "bound by the load"

// bounded reports whether the load bounds either side in half of the rounds.
func bounded(rounds, limit []sample) bool {
	n := 0
	for i, s := range rounds {
		if s.Bound() || limit[i].Bound() {
			n++
		}
	}
	return 2*n >= len(rounds)
}

// ofLimit returns the median and the range of the rounds' ratios of rates to the limit's, unless they are bounded.
func ofLimit(rounds, limit []sample) string {
	if bounded(rounds, limit) {
		return bound
	}
	var v []float64
	for i, s := range rounds {
		v = append(v, s.Rate/limit[i].Rate)
	}
	return fmt.Sprintf("%.3f (%.3f–%.3f)", rig.Median(v), slices.Min(v), slices.Max(v))
}

// limitOf returns the limit over the same transport as c.
func limitOf(list []*contestant, c *contestant) *contestant {
	if c.xdp {
		for _, l := range list {
			if l.name == limitXDP {
				return l
			}
		}
	}
	return list[0]
}

// bestPeer returns the fastest contestant that is not ours, or nil.
func bestPeer(list []*contestant) *contestant {
	var best *contestant
	for _, c := range list {
		own := strings.HasPrefix(c.name, "limit") || strings.HasPrefix(c.name, ours) || strings.HasPrefix(c.name, before)
		if !own && (best == nil || rig.Median(c.rates()) > rig.Median(best.rates())) {
			best = c
		}
	}
	return best
}

// ratio returns the median of the rounds' ratios: a disturbance of a round affects both sides.
func (c *contestant) ratio(to *contestant) float64 {
	var v []float64
	for i, s := range c.rounds {
		v = append(v, s.Rate/to.rounds[i].Rate)
	}
	return rig.Median(v)
}

func (c *contestant) rates() []float64 {
	return each(c.rounds, func(s sample) float64 { return s.Rate })
}

func each(rounds []sample, f func(sample) float64) []float64 {
	var v []float64
	for _, s := range rounds {
		v = append(v, f(s))
	}
	return v
}

func line(b []byte) string {
	first, _, _ := bytes.Cut(b, []byte("\n"))
	return string(bytes.TrimSpace(first))
}

func unixNow() int64 { return time.Now().Unix() }
