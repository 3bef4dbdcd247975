package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcs/bench/require"
	api "dcs/cmd/internal/admin/client"
	"dcs/cmd/internal/adminapi"
	"dcs/render/secret"
)

// served is a server with all its addresses.
type served struct {
	*process
	metrics, admin, http string
	socket               string // of admin, as an address: it takes changes
}

func serveAll(t *testing.T, args ...string) *served {
	t.Helper()
	s := &served{metrics: freeAddress(t), admin: freeAddress(t), http: freeAddress(t), socket: "unix:" + filepath.Join(t.TempDir(), "admin.sock")}
	s.process = serve(t, append([]string{
		"--library", "../../testdata/library", "--static", "../../testdata/static", "--transport", "socket",
		"--metrics", s.metrics, "--admin", s.admin + "," + s.socket, "--http", s.http,
	}, args...)...)
	return s
}

// get fetches a page, and returns status 0 where there is no answer.
func get(url string) (status int, body string) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err.Error()
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(b)
}

// samples returns the values of all metrics, by name and labels as they are written.
func samples(t *testing.T, text string) map[string]float64 {
	t.Helper()
	m := map[string]float64{}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		v, err := strconv.ParseFloat(strings.TrimSpace(line[at+1:]), 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		m[line[:at]] = v
	}
	return m
}

// sum adds up the values of a metric whatever its labels.
func sum(m map[string]float64, name string) float64 {
	total := 0.0
	for k, v := range m {
		if k == name || strings.HasPrefix(k, name+"{") {
			total += v
		}
	}
	return total
}

func promtool(t *testing.T, stdin string, args ...string) {
	t.Helper()
	require.Program(t, "promtool")
	cmd := exec.Command("promtool", args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil || args[1] == "metrics" && len(out) > 0 {
		t.Errorf("promtool %q: %v\n%s", args, err, out)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	s := serveAll(t)
	// The known workload.
	fetch := func(name string) int { return dcs("", "get", "127.0.0.1:"+s.port, name, "-o", os.DevNull).status }
	for name, times := range map[string]int{"basic.cm": 3, "motd.txt": 2, "res-cpe4-gold.bin": 1, "nobody": 4, "res-cpe4-lead.bin": 5} {
		for range times {
			if bad := fetch(name) != 0; bad != (name == "nobody" || name == "res-cpe4-lead.bin") {
				t.Errorf("%s: failed %v", name, bad)
			}
		}
	}
	c, err := net.ListenPacket("udp", "127.0.0.1:0") // answers come from other ports
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:" + s.port))
	for _, request := range []string{"\x00\x02name\x00octet\x00", "\x00\x01name\x00mail\x00", "\x00\x01\x00octet\x00"} {
		if _, err := c.WriteTo([]byte(request), to); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.ReadFrom(make([]byte, 600)); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]int{"basic.cm": 200, "nobody": 404} {
		if code, _ := get("http://" + s.http + "/boot/" + path); code != want {
			t.Errorf("%s: status %d", path, code)
		}
	}

	var text string
	var m map[string]float64
	eventually(t, "all is counted", func() bool {
		_, text = get("http://" + s.metrics + "/metrics")
		m = samples(t, text)
		return m[`dcs_transfers_ended_total{result="finished"}`] == 6 && sum(m, "dcs_transfers_running") == 0 && m["dcs_answer_seconds_count"] == 15 &&
			m[`dcs_requests_total{reason="name_empty",result="malformed"}`] == 1 // the last request: counted when it has been answered
	})
	for name, want := range map[string]float64{
		"dcs_ready": 1,
		`dcs_requests_total{reason="",result="file"}`:                  6,
		`dcs_requests_total{reason="not_found",result="error"}`:        9, // a reject is no file too
		`dcs_requests_total{reason="write_request",result="error"}`:    1,
		`dcs_requests_total{reason="mode_unknown",result="malformed"}`: 1,
		`dcs_requests_total{reason="name_empty",result="malformed"}`:   1,
		`dcs_files_total{kind="modem"}`:                                5, // one over HTTP
		`dcs_faults_total{reason="unknown_name"}`:                      5, // one over HTTP
		`dcs_faults_total{reason="rejected"}`:                          5,
		`dcs_http_requests_total{code="200"}`:                          1,
		`dcs_http_requests_total{code="404"}`:                          1,
		"dcs_render_batch_seconds_count":                               15,
		"dcs_learned_evictions_total":                                  0,
		"dcs_library_last_reload_successful":                           1,
		"dcs_library_load_errors":                                      0,
		`dcs_library_reloads_total{result="ok"}`:                       1,
		"dcs_secret_generation":                                        0,
	} {
		if got, there := m[name]; got != want || !there {
			t.Errorf("%s is %v (%v), want %v", name, got, there, want)
		}
	}
	if got := m[`dcs_files_total{kind="static"}`] + m[`dcs_files_total{kind="plain"}`]; got != 2 {
		t.Errorf("motd.txt was rendered %v times", got)
	}
	if got := sum(m, "dcs_packets_received_total"); got < 24 {
		t.Errorf("%v packets", got)
	}
	if v := m["dcs_answer_seconds_sum"]; v <= 0 || v > 60 {
		t.Errorf("answers took %v s in all", v)
	}
	// The counts of a histogram's buckets never fall, and the last is that of all.
	if m[`dcs_answer_seconds_bucket{le="+Inf"}`] != 15 {
		t.Error("+Inf")
	}

	promtool(t, text, "check", "metrics")
	if code, body := get("http://" + s.admin + "/metrics"); code != 200 || !strings.Contains(body, "dcs_build_info") {
		t.Errorf("on the admin address: %d", code)
	}
}

// What reads a counter that a library in trouble leaves.
func TestMetricsOfReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "a.dcs")
	write(t, file, "Main { NetworkAccess 1; }")
	addr := freeAddress(t)
	s := serve(t, "--library", dir, "--metrics", addr, "--transport", "socket")
	write(t, file, "Main { NetworkAccess 7; Nonsense 1; }")
	eventually(t, "the bad library is told", func() bool {
		_, text := get("http://" + addr + "/metrics")
		m := samples(t, text)
		return m["dcs_library_last_reload_successful"] == 0 && m["dcs_library_load_errors"] == 2 && m[`dcs_library_reloads_total{result="failed"}`] >= 1 && m["dcs_library_templates"] == 1
	})
	write(t, file, "Main { NetworkAccess 1; }\n")
	eventually(t, "the good one is", func() bool {
		_, text := get("http://" + addr + "/metrics")
		m := samples(t, text)
		return m["dcs_library_last_reload_successful"] == 1 && m["dcs_library_load_errors"] == 0
	})
	if err := s.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}

// The log's level and what it says of requests change while the server runs.
func TestLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	conf, addr := filepath.Join(dir, "dcs.yaml"), "unix:"+filepath.Join(dir, "admin.sock")
	lib, err := filepath.Abs("../../testdata/library")
	if err != nil {
		t.Fatal(err)
	}
	base := "library: " + lib + "\ntransport: socket\nlog_format: json\nadmin: " + addr + "\n"
	write(t, conf, base)
	p := start(t, exec.Command(binary(t), "serve", "--config", conf, "--listen", "127.0.0.1:"+freePort(t)))
	p.await(`"msg":"serving"`)
	c := api.Dial(addr, secret.Text{})
	defer c.Close()
	var v adminapi.Log
	if err := c.Get(t.Context(), adminapi.LogPath, &v); err != nil || *v.Level != "info" || *v.Requests != "off" || len(*v.Devices) != 0 {
		t.Errorf("%v: %+v", err, v)
	}
	port := portOf(t, p)
	fetch := func(name string) { dcs("", "get", "127.0.0.1:"+port, name, "-o", os.DevNull) }
	lines := func(msg string) (n int) {
		for line := range strings.Lines(p.log.String()) {
			var l struct{ Msg, Name, Client, Reason string }
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Errorf("%q: %v", line, err)
			}
			if l.Msg == msg {
				n++
			}
		}
		return n
	}
	fetch("basic.cm")
	fetch("nobody")
	eventually(t, "the failure is told", func() bool { return lines("no file") == 1 })
	if lines("request") != 0 {
		t.Error("requests are logged, though nobody wants it")
	}
	// By the API, for one device.
	if err := c.Post(t.Context(), adminapi.LogPath, map[string]any{"devices": []string{"127.0.0.1"}}, &v); err != nil || (*v.Devices)[0] != "127.0.0.1/32" {
		t.Errorf("%v: %+v", err, v)
	}
	fetch("basic.cm")
	eventually(t, "the request is told", func() bool { return lines("request") == 1 })
	if err := c.Post(t.Context(), adminapi.LogPath, map[string]any{"devices": []string{"0a:01:02:03:04:05"}}, &v); err != nil {
		t.Error(err)
	}
	fetch("basic.cm")
	fetch("basic.cm@0a0102030405")
	eventually(t, "the device's request is told", func() bool {
		return lines("request") == 2 && strings.Contains(p.log.String(), `"mac":"0a:01:02:03:04:05"`)
	})
	// By SIGHUP, which tells what it cannot do.
	write(t, conf, base+"drain: 7s\nretries: 9\nlog_level: warn\n")
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.await(`"msg":"configuration keys changed that need a restart","keys":["retries","drain"]`)
	write(t, conf, base+"log_level: error\nlog_requests: 1/1000\n")
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the level is that of the file", func() bool {
		return c.Get(t.Context(), adminapi.LogPath, &v) == nil && *v.Level == "error" && *v.Requests == "1/1000" && len(*v.Devices) == 0
	})
	before := lines("no file")
	fetch("nobody")
	for _, bad := range []map[string]any{{"level": "loud"}, {"requests": "some"}, {"devices": []string{"x"}}, {"other": 1}, {"level": "debug", "requests": "2/3"}} {
		if err := c.Post(t.Context(), adminapi.LogPath, bad, nil); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
	if err := c.Get(t.Context(), adminapi.LogPath, &v); err != nil || *v.Level != "error" {
		t.Errorf("after mistakes: %v %+v", err, v)
	}
	if err := p.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if lines("no file") != before {
		t.Error("a warning is written at level error")
	}
}

// portOf returns the port that a server was told to listen at.
func portOf(t *testing.T, p *process) string {
	t.Helper()
	at := slices.Index(p.cmd.Args, "--listen")
	_, port, err := net.SplitHostPort(p.cmd.Args[at+1])
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Who connects to the metrics and asks for nothing takes no descriptors from others, and keeps nobody out.
func TestMetricsConnections(t *testing.T) {
	t.Parallel()
	const metricsConns = 64 // the server's limit
	s := serveAll(t)
	open := func() int {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	before := open()
	for range 3 * metricsConns {
		c, err := net.Dial("tcp", s.metrics)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
		if _, err := io.ReadFull(c, make([]byte, len("HTTP/1.1 200"))); err != nil {
			t.Fatal(err)
		}
	}
	if n := open(); n > before+metricsConns+8 {
		t.Errorf("%d descriptors, and %d before", n, before)
	}
	if code, _ := get("http://" + s.metrics + "/metrics"); code != 200 {
		t.Errorf("status %d", code)
	}
}
