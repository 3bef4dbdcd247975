package top

import (
	"strings"
	"testing"
	"time"

	"dcs/cmd/internal/adminapi"
	"dcs/cmd/internal/metrics"
)

func TestFrame(t *testing.T) {
	begun := time.Unix(1_800_000_000, 0)
	before := &adminapi.Top{Time: begun, State: "serving", Requests: map[string]uint64{"file": 1000}, Workers: []adminapi.TopWorker{{Received: 100}}}
	before.Answer = metrics.Buckets{Bounds: []float64{0.001, 0.002}, Counts: make([]uint64, 3)}
	now := &adminapi.Top{
		Time: begun.Add(2 * time.Second), Started: begun, State: "draining", Version: "v1", Transport: "xdp", Mode: "native", Interface: "eth0", Why: "as\x1b[2Jconfigured",
		Requests: map[string]uint64{"file": 25000, "error": 1}, Workers: []adminapi.TopWorker{{Received: 300, Drops: 4}, {}}, XDP: map[string]uint64{"drop_acl": 7, "pass_other": 0},
		Sources:  []adminapi.TopSource{{Name: "csv", Devices: 10_000_000, Loading: -1, Loaded: begun, Up: true}, {Name: "ldap", Error: "refused"}, {Name: "sql", Up: true, Loading: -1, Held: "held back: x"}},
		Failures: []adminapi.TopFault{{Name: "evil\x1b]0;\u202e\nname", Client: "10.0.0.1", Reason: "unknown_name", Error: "x"}},
	}
	now.Answer = metrics.Buckets{Bounds: []float64{0.001, 0.002}, Counts: []uint64{0, 10, 0}}
	var all strings.Builder
	bad := 0
	for _, l := range frame(before, now) {
		all.WriteString(l.text + "\n")
		if l.bad {
			bad++
		}
	}
	text := all.String()
	for _, want := range []string{
		"dcs v1, draining for 2s", "xdp, XDP native on eth0: as?[2Jconfigured", "  file            12.0k           25,000", "  0                 100",
		"10,000,000         2s  up", "DOWN: refused", "HELD BACK: x", "evil?]0;??name", "drop_acl             3.50                7",
		"  answer          1.5ms      1.9ms     1.99ms        2ms",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.ContainsAny(text, "\x1b\r") || strings.Contains(text, "pass_other") {
		t.Error("what should not be seen")
	}
	if bad != 6 { // draining, errors, a worker's drops, XDP drops, two sources
		t.Errorf("%d bad lines", bad)
	}
	if t.Failed() {
		t.Log("\n" + text)
	}
	// The first look has no rates.
	if first := frame(now, now); len(first) == 0 || strings.Contains(first[5].text, "NaN") {
		t.Error("the first look")
	}
}
