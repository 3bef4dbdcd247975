package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dcs/bench/require"
	"dcs/bench/storm"
)

// TestStorm loads a server of ours over loopback.
func TestStorm(t *testing.T) {
	require.Long(t, "a storm")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("DOCSIS"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := serve(t, "--library", "../../testdata/library", "--timestamp=on", "--modem-address=on", "--secret-file", secret)
	to := "127.0.0.1:" + p.port
	got := dcs("", "storm", to, "--name", "basic.cm", "--modems", "500", "--count", "2000", "--secret-file", secret, "--json", "-", "--max-failed", "0")
	var res struct {
		Served int
		Keys   map[string]int
	}
	if err := json.Unmarshal([]byte(got.stdout), &res); err != nil || got.status != done || res.Served != 2000 || res.Keys[secret] != 2000 {
		t.Errorf("%+v, %v", got, err)
	}
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	few := []string{"storm", to, "--name", "basic.cm", "--modems", "10", "--count", "10", "--max-failed", "0"}
	for _, tt := range []struct {
		what   string
		args   []string
		status int
		out    string
	}{
		{"the structure alone", few, done, "served 10"},
		{"another secret", append(few, "--secret-file", other), failed, "under none of the secrets"},
		{"one of two secrets", append(few, "--secret-file", other, "--secret-file", secret), done, "signed with " + secret + ": 10 files"},
		{"a secret by prefix", append(few, "--secret-file", other, "--secret-file", "127.18.0.0/16="+secret), done, "served 10"},
		{"a secret of others", append(few, "--secret-file", "127.19.0.0/16="+secret), failed, "no secret for 127.18.0."},
		{"too slow", append(few, "--p999", "1ns"), failed, "MISSED: 99.9th percentile at most 1ns"},
		{"a name that is not there", append(few, "--name", "none", "--restarts", "0"), failed, "error 1 File not found: 10"},
		{"no modem's file", append(few, "--name", "motd"), failed, ""},
	} {
		if got := dcs("", tt.args...); got.status != tt.status || !strings.Contains(got.stdout, tt.out) {
			t.Errorf("%s: %+v", tt.what, got)
		}
	}
}

// TestStormScenarios plays each scenario small and fast, and writes its reports.
func TestStormScenarios(t *testing.T) {
	p := serve(t, "--library", "../../testdata/library")
	list := dcs("", "storm", "--list-scenarios")
	if list.status != done {
		t.Fatalf("%+v", list)
	}
	for line := range strings.Lines(list.stdout) {
		name, _, _ := strings.Cut(line, " ")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			js, page := filepath.Join(dir, "r.json"), filepath.Join(dir, "r.html")
			// Half the time of a machine that others keep busy must not fail a modem, nor what it takes.
			args := []string{
				"storm", "127.0.0.1:" + p.port, "--scenario", name, "--name", "basic.cm", "--scale", "0.01", "--speed", "40",
				"--p999", "1m", "--p99", "1m", "--restarts", "50", "--json", js, "--html", page,
			}
			if name == "database-down" {
				args = append(args, "--on", "database-down=echo down >>"+dir+"/events", "--on", "database-up=echo up >>"+dir+"/events")
			}
			if got := dcs("", args...); got.status != done || !strings.Contains(got.stdout, "kept: modems without the right file at most 0, measured 0") {
				t.Errorf("%+v", got)
			}
			var res struct {
				Scenario string
				Timeline []any
			}
			b, err := os.ReadFile(js)
			if err == nil {
				err = json.Unmarshal(b, &res)
			}
			if err != nil || res.Scenario == "" || len(res.Timeline) < 5 {
				t.Errorf("%s, %v", b, err)
			}
			if b, err := os.ReadFile(page); err != nil || !strings.Contains(string(b), res.Scenario) {
				t.Errorf("the page does not name its scenario: %v", err)
			}
			if b, _ := os.ReadFile(filepath.Join(dir, "events")); name == "database-down" && string(b) != "down\nup\n" {
				t.Errorf("events: %q", b)
			}
		})
	}
}

func TestStormMisuse(t *testing.T) {
	const to = "127.0.0.1:9"
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("title: x\ngroups:\n  - modems: many\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		status int
		stderr string
		args   []string
	}{
		{misuse, "want an address", []string{"localhost", "--count", "1"}},
		{misuse, "want an address", []string{"127.0.0.1:x", "--count", "1"}},
		{misuse, "missing argument: want HOST[:PORT]", nil},
		{misuse, "unknown scenario \"none\"; choose one of database-down, flood,", []string{to, "--scenario", "none"}},
		{misuse, "bad.yaml:3:13: a whole number", []string{to, "--scenario=" + bad}},
		{misuse, "--rate and --scenario exclude", []string{to, "--scenario", "flood", "--rate", "5"}},
		{misuse, "need --scenario", []string{to, "--count", "1", "--speed", "2"}},
		{misuse, "an event of the scenario", []string{to, "--scenario", "flood", "--on", "rotate=true"}},
		{misuse, "must be off, structure or full", []string{to, "--count", "1", "--check=some"}},
		{misuse, "give the secret", []string{to, "--count", "1", "--check"}},
		{failed, "i-own-this-network", []string{"192.0.2.1", "--count", "1"}},
		{failed, "endless load", []string{to, "--name", "x", "--check", "off"}},
	} {
		if got := dcs("", append([]string{"storm"}, tt.args...)...); got.status != tt.status || !strings.Contains(got.stderr, tt.stderr) {
			t.Errorf("%v: %+v", tt.args, got)
		}
	}
}

// What a terminal shows is drawn over, and what an event says stays.
func TestStormScreen(t *testing.T) {
	var b strings.Builder
	s := &stormScreen{w: &b, title: "power-cut"}
	s.show(storm.Progress{Elapsed: time.Second, Expected: 100, Served: 50, Waiting: 7, Retries: 3})
	s.event(storm.Event{At: 2 * time.Second, Note: "the database goes down"})
	s.show(storm.Progress{Elapsed: 3 * time.Second, Expected: 100, Served: 90, Failed: 2, Wrong: 1, Flood: 1000})
	s.show(storm.Progress{Elapsed: 4 * time.Second, Expected: 100, Served: 97})
	s.close()
	text := b.String()
	for _, want := range []string{
		"power-cut  1s  ▕" + strings.Repeat("█", 20) + strings.Repeat("░", 20) + "▏ of 100",
		"served 50  waiting 7  failed 0  retries 3", "2s: the database goes down\n", "failed 3", "flood 1000", "20 files/s",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in %q", want, text)
		}
	}
	// Three lines: cleared before the event, drawn over once, cleared at the end.
	if up := strings.Count(text, "\x1b[3F"); up != 3 {
		t.Errorf("%d times up in %q", up, text)
	}
}
