package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMarkdown(t *testing.T) {
	rows := markdown("# x\n\n| server | of the limit |\n|---|--:|\n| limit | 1.000 |\n| dcs, rendered | 0.778 |\n\ntext\n" +
		"| server | offered/s | p50 |\n|---|--:|\n| dcs, rendered | 150000 | 7 |\n")
	if len(rows) != 3 || find(rows, "dcs, rendered", "150000")["p50"] != "7" || find(rows, "dcs", "") != nil {
		t.Errorf("%v", rows)
	}
	r, err := ratio("x", find(rows, "dcs, rendered", ""), "of the limit", "≥", 0.85)
	if err != nil || r.OK || r.Measured != "0.778" || r.Target != "≥ 0.85" {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := ratio("x", nil, "of the limit", "≥", 1); err == nil {
		t.Error("a figure that is not there is taken")
	}
}

func TestOf(t *testing.T) {
	for _, tt := range []struct {
		sign  string
		bound float64
		want  Row
	}{
		{"≥", 0.9, Row{What: "x", Target: "≥ 0.9 ns", Measured: "0.95 (0.8–1.25) ns", OK: true}},
		{"≥", 0.96, Row{What: "x", Target: "≥ 0.96 ns", Measured: "0.95 (0.8–1.25) ns"}},
		{"≤", 0.95, Row{What: "x", Target: "≤ 0.95 ns", Measured: "0.95 (0.8–1.25) ns", OK: true}},
		{"≤", 0.9, Row{What: "x", Target: "≤ 0.9 ns", Measured: "0.95 (0.8–1.25) ns"}},
	} {
		if got := of("x", tt.sign, tt.bound, " ns", 1.25, 0.8, 0.95); got != tt.want {
			t.Errorf("%+v, want %+v", got, tt.want)
		}
	}
}

func TestTable(t *testing.T) {
	text := table([]Row{
		{What: "a", Target: "≥ 1", Measured: "2", OK: true},
		{What: "b", Target: "≥ 1", Measured: "0.5", Note: "why"},
		{What: "c", Measured: "NOT MEASURED", Note: "no root"},
	}, 1, 3, time.Minute)
	for _, want := range []string{"| a | ≥ 1 | 2 | kept |", "| b | ≥ 1 | 0.5 | **MISSED** |", "| c |  | NOT MEASURED | – |", "- b: why", "- c: no root", "1 of 3 pieces"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}

// What a piece measured before an error is kept, and a row says that there is more.
func TestRest(t *testing.T) {
	self := filepath.Join(t.TempDir(), "self")
	script := "#!/bin/sh\necho '[{\"what\": \"a\", \"measured\": \"1\"}]'\necho broken >&2\nexit 1\n"
	if err := os.WriteFile(self, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	rows := call(t.Context(), self, piece{about: "b", bound: time.Minute}, &options{})
	if len(rows) != 2 || rows[0].What != "a" || rows[1].What != "b: the rest" || rows[1].Measured != notMeasured || !strings.Contains(rows[1].Note, "broken") {
		t.Errorf("%+v", rows)
	}
}

// From 97 % on the load is the bound of a rate.
func TestLoadBound(t *testing.T) {
	rows := markdown("| load | server | load busy |\n|---|---|--:|\n| 3 KB | dcs | 97 % |\n| 3 KB | dnsmasq | 96 % |\n")
	if !loadBound(rows, "3 KB", "dcs") || loadBound(rows, "3 KB", "dnsmasq") || loadBound(rows, "20 KB", "dcs") {
		t.Errorf("%v", rows)
	}
}

func TestMetric(t *testing.T) {
	const out = "BenchmarkLookup/serials/mac-cold-2     \t  300000\t       676.7 ns/op\t       213.5 median-ns\nBenchmarkStoreRestart-2   \t       5\t   2146787 ns/op\n"
	for _, tt := range []struct {
		bench, unit string
		want        float64
	}{{"Lookup/serials/mac-cold", "median-ns", 213.5}, {"Lookup/serials/mac-cold", "ns/op", 676.7}, {"StoreRestart", "ns/op", 2146787}} {
		if v, err := metric(out, tt.bench, tt.unit); err != nil || v != tt.want {
			t.Errorf("%s: %v, %v", tt.bench, v, err)
		}
	}
	if _, err := metric(out, "Lookup", "ns/op"); err == nil {
		t.Error("half a name is taken")
	}
}

func TestEssence(t *testing.T) {
	const out = "=== RUN   TestNoAllocs\n--- PASS: TestNoAllocs (0.01s)\nPASS\nok  \tdcs/x\t0.1s\n# dcs/y\ny.go:3:4: wrong\nFAIL\tdcs/y [build failed]\nFAIL\n"
	if got := essence(out); got != "# dcs/y; y.go:3:4: wrong; FAIL\tdcs/y [build failed]" {
		t.Errorf("%q", got)
	}
}

func TestIntoReadme(t *testing.T) {
	file := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(file, []byte("before\n"+beginMark+"old\n"+endMark+"after\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := intoReadme(file, []Row{{What: headlines[1], Target: "1", Measured: "2", OK: true}, {What: "b", Measured: "3"}}); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, want := range []string{"before\n" + beginMark + "\n| what |", "| " + headlines[1] + " | 1 | 2 | kept |\n", "- machine: ", "\n" + endMark + "after\n"} {
		if strings.Count(text, want) != 1 {
			t.Errorf("%q is not there once in\n%s", want, text)
		}
	}
	if strings.Contains(text, "| b |") || strings.Contains(text, "old") || strings.Contains(text, "command") {
		t.Errorf("%s", text)
	}
	if err := os.WriteFile(file, []byte("no marks"), 0o644); err != nil || intoReadme(file, nil) == nil {
		t.Error("a file without marks is written")
	}
}
