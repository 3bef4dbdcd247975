package top

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dcs/cmd/internal/adminapi"
	"dcs/cmd/internal/metrics"
	"dcs/cmd/internal/progress"
	"dcs/cmd/internal/terminal"
)

// line is a line of a frame. A bad one needs the operator's attention.
type line struct {
	text string
	bad  bool
}

// results are the results of requests in the order in which they are shown.
var results = [...]string{"file", "repeated", "error", "malformed", "dropped"}

// frame describes the server at now, with rates since before.
func frame(before, now *adminapi.Top) []line {
	var out []line
	add := func(bad bool, format string, args ...any) {
		out = append(out, line{terminal.Clean(fmt.Sprintf(format, args...)), bad})
	}
	seconds := now.Time.Sub(before.Time).Seconds()
	rate := func(a, b uint64) string {
		if seconds <= 0 || b < a { // the first frame, or the server was restarted
			return "0"
		}
		return progress.Rate(float64(b-a) / seconds)
	}

	add(now.State != "serving", "dcs %s, %s for %s, at %s", now.Version, now.State, now.Time.Sub(now.Started).Round(time.Second), strings.Join(now.Listen, " "))
	transport := now.Transport
	if now.Mode != "off" && now.Mode != "" {
		transport += ", XDP " + now.Mode + " on " + now.Interface
	}
	add(false, "transport  %s: %s", transport, now.Why)
	add(now.LoadErrors > 0, "library    %s templates, %s static files, loaded %s ago, %d errors; learned %s kinds of names, %s hits/s, %s misses/s; secrets of generation %d",
		progress.Count(int64(now.Templates)), progress.Count(int64(now.Static)), age(now.Time, now.Loaded), now.LoadErrors,
		progress.Count(int64(now.Learned)), rate(before.LearnedHits, now.LearnedHits), rate(before.LearnedMisses, now.LearnedMisses), now.Secret)
	add(false, "")

	add(false, "%-12s %10s %16s", "requests", "per second", "total")
	for _, result := range results {
		n := now.Requests[result]
		add(result != "file" && result != "repeated" && n > before.Requests[result], "  %-10s %10s %16s", result, rate(before.Requests[result], n), progress.Count(int64(n)))
	}
	running := uint64(0)
	for _, w := range now.Workers {
		running += w.Running
	}
	add(false, "transfers  %s running, %s finished/s, %s given up/s, %s sent again/s", progress.Count(int64(running)),
		rate(before.Finished, now.Finished), rate(before.GaveUp, now.GaveUp), rate(before.Retransmissions, now.Retransmissions))
	add(false, "")

	add(false, "%-12s %10s %10s %10s %10s", "latency", "p50", "p90", "p99", "p99.9")
	for _, h := range []struct {
		name      string
		from, now metrics.Buckets
	}{{"wait", before.Wait, now.Wait}, {"render", before.Render, now.Render}, {"answer", before.Answer, now.Answer}} {
		d := h.now.Since(h.from)
		q := func(q float64) string {
			if d.Count() == 0 {
				return "-"
			}
			return short(time.Duration(d.Quantile(q) * float64(time.Second)))
		}
		add(false, "  %-10s %10s %10s %10s %10s", h.name, q(0.5), q(0.9), q(0.99), q(0.999))
	}
	add(false, "")

	add(false, "%-12s %10s %10s %10s %10s", "workers", "received/s", "sent/s", "running", "drops/s")
	for i, w := range now.Workers {
		var b adminapi.TopWorker
		if i < len(before.Workers) {
			b = before.Workers[i]
		}
		add(w.Drops > b.Drops && seconds > 0, "  %-10d %10s %10s %10s %10s", i, rate(b.Received, w.Received), rate(b.Sent, w.Sent), progress.Count(int64(w.Running)), rate(b.Drops, w.Drops))
	}
	if len(now.XDP) > 0 {
		add(false, "")
		add(false, "%-16s %10s %16s", "XDP verdicts", "packets/s", "total")
		for _, v := range slices.Sorted(maps.Keys(now.XDP)) {
			if n := now.XDP[v]; n > 0 {
				add(strings.HasPrefix(v, "drop") && n > before.XDP[v], "  %-14s %10s %16s", v, rate(before.XDP[v], n), progress.Count(int64(n)))
			}
		}
	}
	if len(now.Sources) > 0 {
		add(false, "")
		add(false, "%-24s %12s %10s  %s", "sources", "devices", "age", "state")
		for _, s := range now.Sources {
			state := "up"
			switch {
			case !s.Up:
				state = "DOWN: " + s.Error
			case s.Loading >= 0:
				state = "loading, " + progress.Count(int64(s.Loading)) + " so far"
			case s.Held != "":
				state = "HELD BACK" + strings.TrimPrefix(s.Held, "held back")
			}
			add(!s.Up || s.Held != "", "  %-22s %12s %10s  %s", s.Name, progress.Count(int64(s.Devices)), age(now.Time, s.Loaded), state)
		}
	}
	if len(now.Failures) > 0 {
		add(false, "")
		add(false, "last failures")
		for _, f := range now.Failures[:min(len(now.Failures), 10)] {
			add(false, "  %s  %-15s %-20s %s: %s", f.Time.Local().Format(time.TimeOnly), f.Client, f.Name, f.Reason, f.Error)
		}
	}
	return out
}

// short formats a duration with three digits.
func short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(100 * time.Nanosecond).String()
}

func age(now, then time.Time) string {
	if then.IsZero() {
		return "never"
	}
	return max(now.Sub(then), 0).Round(time.Second).String()
}
