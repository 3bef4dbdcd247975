package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"dcs/bench/netlab"
	"dcs/bench/require"
	"dcs/bench/storm"
)

// TestSoak is the soak in short, at a rate that a busy machine bears: what it holds memory and latency against is wide.
func TestSoak(t *testing.T) {
	require.Long(t, "a soak")
	netlab.ForTest(t, netlab.Config{}) // decides whether to skip
	opt := options{
		dcs: os.Getenv("DCS_BINARY"), length: 20 * time.Second, parts: 10, rate: 2000,
		grow: 0.5, growMin: 16, slower: 1000, slowest: 10 * time.Second,
	}
	var b strings.Builder
	if err := opt.run(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); strings.Count(text, " MiB |") != 10 || !strings.Contains(text, "40000 served") || !strings.Contains(text, "kernel") && !strings.Contains(text, "Linux") {
		t.Errorf("%s", text)
	}
}

func TestVerdict(t *testing.T) {
	opt := options{grow: 0.02, growMin: 4, slower: 1.5, slowest: 5 * time.Millisecond}
	rows := func(rss func(i int) int64, p999 func(i int) float64) (rows []row) {
		for i := range 10 {
			rows = append(rows, row{storm.Sample{At: float64(60 * (i + 1)), P999: p999(i)}, rss(i)})
		}
		return rows
	}
	flat := func(int) int64 { return 100 << 20 }
	calm := func(int) float64 { return 8000 }
	for _, tt := range []struct {
		what string
		rows []row
		want string
	}{
		{"flat", rows(flat, calm), ""},
		{"filling in the first part", rows(func(i int) int64 { return int64(50+50*min(i, 1)) << 20 }, calm), ""},
		{"a leak", rows(func(i int) int64 { return int64(100+i) << 20 }, calm), "memory grew by 8.00 MiB"},
		{"a leak too small to tell", rows(func(i int) int64 { return 100<<20 + int64(i)*400<<10 }, calm), ""},
		{"one spike", rows(flat, func(i int) float64 { return 8000 + 90000*float64(i/9) }), ""},
		{"ever slower", rows(flat, func(i int) float64 { return 8000 + 1500*float64(i) }), "p99.9 went from 11000 to 20000"},
		{"slower, and still fast", rows(flat, func(i int) float64 { return 100 + 100*float64(i) }), ""},
	} {
		var b strings.Builder
		err := write(&b, tt.rows, opt)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.what, err, tt.want)
		}
		if (err != nil) != strings.Contains(b.String(), "MISSED") {
			t.Errorf("%s: %v\n%s", tt.what, err, &b)
		}
	}
}
