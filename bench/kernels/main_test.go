package main

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"dcs/bench/require"
)

// Every device has its expectations, and none is left of a device that is gone.
func TestExpected(t *testing.T) {
	names := map[string]bool{}
	for _, d := range devices() {
		names[d.name] = true
		if len(expected[d.name]) != len(transports) {
			t.Errorf("%s: %d expectations of %d transports", d.name, len(expected[d.name]), len(transports))
		}
	}
	for name := range expected {
		if !names[name] {
			t.Errorf("%s is expected, and is no device", name)
		}
	}
}

func TestReport(t *testing.T) {
	m := &machine{
		kernel: &kernel{version: "6.1.5-1", release: "6.1.0-5-amd64"},
		cells: []cell{
			{Device: "veth", Transport: "socket", Outcome: bySockets},
			{Device: "veth", Transport: "xdp", Outcome: refused, Detail: "a | b"},
			{Device: "veth", Transport: "auto", Outcome: byXDP},
			{Device: "dummy", Transport: "socket", Outcome: byXDP},
			{Device: "bond active-backup", Transport: pulled, Outcome: failed, Detail: "lost"},
		},
	}
	var b strings.Builder
	if worse := report(&b, []*machine{m}); worse != 3 {
		t.Errorf("%d are worse, want 3", worse)
	}
	for _, want := range []string{
		"\n| veth | served by sockets | refused: a \\| b (WORSE than expected: served by AF_XDP) | served by AF_XDP |\n| dummy | served by AF_XDP (WORSE than expected: served by sockets) |\n",
		"load files: FAILED: lost (WORSE than expected: served by AF_XDP)\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &b)
		}
	}
}

func TestSum(t *testing.T) {
	m := samples{`a_total{queue="0",what="received"} 5`, `a_total{queue="1",what="received"} 7`, `a_total{queue="1",what="sent"} 1`, "a_total_b 3", "b 2", "# b c"}
	for _, tt := range []struct {
		name, label string
		want        float64
	}{{"a_total", `what="received"`, 12}, {"a_total", "", 13}, {"b", "", 2}, {"c", "", 0}} {
		if got := m.sum(tt.name, tt.label); got != tt.want {
			t.Errorf("%s with %s: %v, want %v", tt.name, tt.label, got, tt.want)
		}
	}
}

// Another program unpacks what is written for the kernel.
func TestArchive(t *testing.T) {
	require.Program(t, "busybox") // its cpio is asked
	var b bytes.Buffer
	a := archive{w: &b}
	a.dir("d")
	a.file("d/abc", 0o644, []byte("12345"))
	a.file("last", 0o755, nil)
	a.end()
	cmd := exec.Command("busybox", "cpio", "-t")
	cmd.Stdin = &b
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(string(out)); !slices.Equal(got, []string{"d", "d/abc", "last"}) {
		t.Errorf("it holds %v", got)
	}
}
