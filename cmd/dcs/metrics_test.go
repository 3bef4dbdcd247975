package main

import (
	"bytes"
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
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"dcs/bench/require"
	api "dcs/cmd/internal/admin/client"
	"dcs/cmd/internal/adminapi"
	"dcs/cmd/internal/metrics"
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

// While transfers come to their end the server is alive, and not ready.
func TestReady(t *testing.T) {
	s := serveAll(t, "--drain", "30s")
	for _, addr := range []string{s.metrics, s.admin} {
		for _, path := range []string{"/healthz", "/readyz"} {
			if code, body := get("http://" + addr + path); code != 200 {
				t.Errorf("%s: %d %s", path, code, body)
			}
		}
	}
	c, err := net.ListenPacket("udp", "127.0.0.1:0") // it hears every port: a host that hears none ends the transfer
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:" + s.port))
	if _, err := c.WriteTo([]byte("\x00\x01basic.cm\x00octet\x00"), to); err != nil { // and no ACK
		t.Fatal(err)
	}
	eventually(t, "a transfer runs", func() bool {
		_, text := get("http://" + s.metrics + "/metrics")
		return sum(samples(t, text), "dcs_transfers_running") == 1
	})
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	eventually(t, "it is seen to drain", func() bool {
		code, body := get("http://" + s.metrics + "/readyz")
		seen["ready"] = seen["ready"] || code == 503 && strings.Contains(body, "draining")
		code, _ = get("http://" + s.metrics + "/healthz")
		seen["health"] = seen["health"] || code == 200
		code, _ = get("http://" + s.http + "/boot/basic.cm")
		seen["http"] = seen["http"] || code == 503
		return seen["ready"] && seen["health"] && seen["http"]
	})
}

// The same file comes over TFTP and over HTTP, and the limits are the same ones.
func TestHTTPBoot(t *testing.T) {
	s := serveAll(t, "--proxies", "127.0.0.0/8")
	for _, name := range []string{"basic.cm", "motd.txt"} {
		out := filepath.Join(t.TempDir(), "file")
		if res := dcs("", "get", "127.0.0.1:"+s.port, name, "-o", out); res.status != 0 {
			t.Fatal(res)
		}
		want, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if code, body := get("http://" + s.http + "/boot/" + name); code != 200 || body != string(want) {
			t.Errorf("%s: status %d, %d octets of %d", name, code, len(body), len(want))
		}
	}
	// $ip is the client's address: that which a proxy tells, for it may.
	req, err := http.NewRequest(http.MethodGet, "http://"+s.http+"/boot/res-cpe4-gold.bin", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Forwarded-For", "10.7.6.5")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || !bytes.Contains(body, []byte{20, 4, 10, 7, 6, 5}) {
		t.Errorf("no TLV 20 of 10.7.6.5 in %x, %v", body, err)
	}

	c := api.Dial(s.socket, "")
	defer c.Close()
	if err := c.Post(t.Context(), "/api/limits", map[string]any{"rate": 0.25, "burst": 2}, nil); err != nil {
		t.Fatal(err)
	}
	asks := func(device string) (codes [4]int) {
		for i := range codes {
			codes[i] = getFrom(t, "127.0.0.1", "http://"+s.http+"/boot/basic.cm", device)
		}
		return codes
	}
	if codes := asks("10.7.6.5"); codes != [4]int{200, 200, 429, 429} {
		t.Errorf("at 2 requests in a row: %v", codes)
	}
	// The host itself, which is a proxy here, has no rate; of IPv6 a subnet has one; what no device is gets no file.
	if codes := asks(""); codes != [4]int{200, 200, 200, 200} {
		t.Errorf("the host itself: %v", codes)
	}
	if codes := [4]int{asks("fd00:32::1")[1], asks("fd00:32::2")[0], asks("fd00:32:0:1::1")[0], asks("10.7.6.5, unknown")[0]}; codes != [4]int{200, 429, 200, 400} {
		t.Errorf("prefixes: %v", codes)
	}
	if err := c.Post(t.Context(), "/api/limits", map[string]any{"rate": 0, "allow": []string{"10.0.0.0/8"}}, nil); err != nil {
		t.Fatal(err)
	}
	if code, _ := get("http://" + s.http + "/boot/basic.cm"); code != 403 {
		t.Errorf("not allowed: status %d", code)
	}
	if code, _ := get("http://" + s.http + "/metrics"); code != 404 {
		t.Errorf("metrics among boot files: status %d", code)
	}
}

// The log's level and what it says of requests change while the server runs.
func TestLog(t *testing.T) {
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
	c := api.Dial(addr, "")
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

// known are the names under which Prometheus has the table's metrics, with their labels.
func known(t *testing.T) map[string][]string {
	t.Helper()
	m := map[string][]string{"up": nil}
	runtime, err := metrics.Runtime()
	if err != nil {
		t.Fatal(err)
	}
	for _, metric := range append(metrics.Table(), runtime...) {
		names := []string{metric.Name}
		if metric.Type == metrics.Histogram {
			names = []string{metric.Name + "_bucket", metric.Name + "_sum", metric.Name + "_count"}
		}
		for _, n := range names {
			m[n] = append([]string{"job", "instance", "le"}, metric.Labels...)
		}
	}
	return m
}

var (
	selector = regexp.MustCompile(`\b(up|(?:dcs|process|go)_[a-z_]+)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)`)
)

// checkNames looks up each metric and label of an expression. used gets the metrics.
func checkNames(t *testing.T, where, expr string, used map[string]bool) {
	t.Helper()
	names := known(t)
	found := selector.FindAllStringSubmatch(expr, -1)
	if len(found) == 0 {
		t.Errorf("%s: no metric in %s", where, expr)
	}
	for _, f := range found {
		labels, there := names[f[1]]
		if !there {
			t.Errorf("%s: there is no metric %s", where, f[1])
		}
		used[f[1]] = true
		for _, l := range matcher.FindAllStringSubmatch(f[2], -1) {
			if f[1] != "up" && !slices.Contains(labels, l[1]) {
				t.Errorf("%s: %s has no label %s", where, f[1], l[1])
			}
		}
	}
}

type rule struct {
	Alert  string `yaml:"alert,omitempty"`
	Record string `yaml:"record,omitempty"`
	Expr   string `yaml:"expr"`
}

type rules struct {
	Groups []struct {
		Name  string `yaml:"name"`
		Rules []rule `yaml:"rules"`
	} `yaml:"groups"`
}

func TestAlerts(t *testing.T) {
	text, err := os.ReadFile("packaging/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file rules
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			checkNames(t, r.Alert, r.Expr, map[string]bool{})
			n++
		}
	}
	if n < 10 {
		t.Errorf("%d alerts", n)
	}
	promtool(t, "", "check", "rules", "packaging/alerts.yaml")
}

func TestDashboard(t *testing.T) {
	text, err := os.ReadFile("packaging/grafana/dcs.json")
	if err != nil {
		t.Fatal(err)
	}
	type place struct{ X, Y, W, H int }
	var board struct {
		Panels []struct {
			ID      int
			Title   string
			Type    string
			GridPos place
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	ids := map[int]bool{}
	var exprs strings.Builder
	exprs.WriteString("groups:\n- name: dashboard\n  rules:\n")
	for i, p := range board.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the number %d", p.ID)
		}
		ids[p.ID] = true
		for _, o := range board.Panels[:i] {
			a, b := p.GridPos, o.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("%s lies over %s", p.Title, o.Title)
			}
		}
		for j, target := range p.Targets {
			checkNames(t, p.Title, target.Expr, used)
			expr := strings.NewReplacer("$__rate_interval", "5m", "$job", ".*", "$instance", ".*").Replace(target.Expr)
			fmt.Fprintf(&exprs, "  - record: panel_%d_%d\n    expr: %q\n", p.ID, j, expr)
		}
	}
	for name := range known(t) {
		base := strings.TrimSuffix(strings.TrimSuffix(name, "_sum"), "_count")
		if strings.HasPrefix(name, "dcs_") && !used[name] && !used[base+"_bucket"] && !slices.Contains(unshown, name) {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	write(t, file, exprs.String())
	promtool(t, "", "check", "rules", file)
}

// unshown are metrics that the dashboard has another form of, or that are for alerts.
var unshown = []string{
	"dcs_workers", "dcs_library_loaded_timestamp_seconds", "dcs_device_snapshot_timestamp_seconds", "dcs_device_source_loading",
	"dcs_packets_sent_total", "dcs_xdp_lost_total", "dcs_xdp_fallbacks_total", "dcs_listen_address_up", "dcs_device_snapshot_ahead_seconds", "dcs_device_snapshot_damaged", "dcs_device_changes_durable",
	"dcs_admin_refused_total", "dcs_read_requests_total",
	"dcs_device_questions_waiting", "dcs_device_questions_wait_seconds_total",
	"dcs_capture_running", "dcs_capture_packets_total",
}

func TestMetricsDocument(t *testing.T) {
	text, err := os.ReadFile("doc/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	if want, err := metrics.Document(); err != nil || string(text) != want {
		t.Error(err, "doc/metrics.md is not what the table makes: make generate")
	}
}

// Who connects to the metrics and asks for nothing takes no descriptors from others, and keeps nobody out.
func TestMetricsConnections(t *testing.T) {
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
