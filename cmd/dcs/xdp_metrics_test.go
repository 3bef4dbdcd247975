package main

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"dcs/bench/netlab"
	"dcs/bench/require"
)

// labMetrics returns the metrics of a server in a lab.
func labMetrics(t *testing.T, lab *netlab.Lab, addr string) string {
	t.Helper()
	require.Program(t, "curl")
	var text strings.Builder
	cmd := exec.Command("curl", "-sSf", "--noproxy", "*", "--max-time", "60", "http://"+addr+"/metrics")
	cmd.Stdout, cmd.Stderr = &text, &text
	if err := lab.Load.Run(cmd); err != nil {
		t.Fatalf("%v: %s", err, text.String())
	}
	return text.String()
}

// What XDP does is told: verdicts, rings, the transport and why.
func TestXDPMetrics(t *testing.T) {
	t.Parallel()
	lab := netlab.ForTest(t, netlab.Config{})
	tagsOnFrames(t, lab)
	addr := netlab.ServerAddr4.String() + ":9100"
	p := labServe(t, lab, "--transport", "xdp", "--static", static(t, map[string]string{"x": "text"}), "--metrics", addr, "--rate", "0.25", "--rate-burst", "3")
	for range 3 {
		want(t, lab, netlab.ServerAddr4.String(), "x", "text")
	}
	wantSilence(t, lab, netlab.ServerAddr4.String(), "x")

	text := labMetrics(t, lab, addr)
	m := samples(t, text)
	received := 0.0
	for k, v := range m {
		if strings.HasPrefix(k, "dcs_xsk_packets_total{") && strings.Contains(k, `what="received"`) {
			received += v
		}
		if name, _, _ := strings.Cut(k, ","); name == `dcs_capability{name="af_xdp"` && v != 1 {
			t.Errorf("%s is %v", k, v)
		}
	}
	if received != 9 { // for each file an RRQ with an option, and two ACKs
		t.Errorf("%v packets by AF_XDP, want 9", received)
	}
	if n := m[`dcs_xdp_packets_total{verdict="steer_xsk"}`]; n != received {
		t.Errorf("%v steered, want %v", n, received)
	}
	if n := m[`dcs_xdp_packets_total{verdict="drop_rate"}`]; n == 0 {
		t.Error("none is over the rate")
	}
	if sum(m, "dcs_transport_info") != 1 || sum(m, "dcs_xdp_lost_total") != 0 {
		t.Error("the transport")
	}
	promtool(t, text, "check", "metrics")
	if err := p.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if t.Failed() {
		t.Log(text)
	}
}
