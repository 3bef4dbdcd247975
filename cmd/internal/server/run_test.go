package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcs/cmd/internal/config"
	"dcs/cmd/internal/dcstest"
	"dcs/render/library"
)

// running is a server in this process.
type running struct {
	*testing.T
	addr           netip.AddrPort
	stops, hangups chan os.Signal
	ended          chan error
	log            *dcstest.Log
}

// testConfig is the configuration of a server on loopback with one template, in a directory of its own. It has no sandbox, which
// the process could not leave again.
func testConfig(t *testing.T) (cfg config.Config, dir string) {
	t.Helper()
	dir = t.TempDir()
	dcstest.Lay(t, map[string]string{filepath.Join(dir, "library/gold.dcs"): "Main { NetworkAccess 1; MaxCPE 3; }"})
	cfg = config.Default()
	cfg.Listen = []netip.AddrPort{netip.MustParseAddrPort(dcstest.FreeAddress(t))}
	cfg.Library = []string{filepath.Join(dir, "library")}
	cfg.Transport, cfg.Sandbox, cfg.Workers = config.Socket, config.SandboxOff, 2
	return cfg, dir
}

// runServer runs a server until the test ends.
func runServer(t *testing.T, cfg config.Config) *running {
	t.Helper()
	r := &running{T: t, stops: make(chan os.Signal, 2), hangups: make(chan os.Signal, 1), ended: make(chan error, 1), log: new(dcstest.Log)}
	serving := make(chan netip.AddrPort, 1)
	o := Options{Config: cfg, Log: r.log, Serving: func(addr netip.AddrPort, _ *library.Snapshot) { serving <- addr }}
	go func() { r.ended <- Run(o, r.stops, r.hangups) }()
	select {
	case r.addr = <-serving:
	case err := <-r.ended:
		t.Fatalf("the server ended: %v\n%s", err, r.log)
	}
	return r
}

// stop stops the server as SIGTERM does, and waits until it has ended.
func (r *running) stop() {
	r.Helper()
	r.stops <- syscall.SIGTERM
	select {
	case err := <-r.ended:
		if err != nil {
			r.Error(err)
		}
	case <-time.After(30 * time.Second):
		r.Fatalf("the server has not ended:\n%s\n%s", r.log, ours())
	}
}

// fetch returns the only block of a file, or the message of the error that came instead.
func (r *running) fetch(name string) string {
	r.Helper()
	got, err := ask(r.addr, name)
	if err != nil {
		r.Fatalf("%v:\n%s", err, r.log)
	}
	return got
}

// ask returns the only block of a file (RFC 1350), or the message of the error that came instead.
func ask(server netip.AddrPort, name string) (string, error) {
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return "", err
	}
	defer c.Close()
	buf := make([]byte, 1024)
	for range 30 {
		if _, err := c.WriteToUDPAddrPort([]byte("\x00\x01"+name+"\x00octet\x00"), server); err != nil {
			return "", err
		}
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		n, from, err := c.ReadFromUDPAddrPort(buf)
		if err != nil || n < 4 {
			continue
		}
		if buf[1] == 3 {
			_, _ = c.WriteToUDPAddrPort([]byte{0, 4, 0, 1}, from)
		}
		return string(buf[4:n]), nil
	}
	return "", errors.New("no answer")
}

// ours returns the stacks of goroutines that run code of this module, but for tests themselves.
func ours() string {
	buf := make([]byte, 4<<20)
	stacks := strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n")
	var all []string
	for _, s := range stacks[1:] {
		if strings.Contains(s, "\ndcs/") && !strings.Contains(s, "testing.(*T).Run(") {
			all = append(all, s)
		}
	}
	return strings.Join(all, "\n\n")
}

// A server answers, reloads on SIGHUP, and leaves no goroutine and no open port when it has stopped.
func TestRun(t *testing.T) {
	cfg, dir := testConfig(t)
	cfg.Metrics, cfg.HTTP = dcstest.FreeAddress(t), dcstest.FreeAddress(t)
	cfg.Admin = []string{dcstest.FreeAddress(t), "unix:" + filepath.Join(dir, "admin.sock")}
	r := runServer(t, cfg)
	// DOCSIS MULPIv3.1, C.1.1.3 and C.1.1.7: network access on, three CPEs.
	if got := r.fetch("gold.cm"); !strings.HasPrefix(got, "\x03\x01\x01\x12\x01\x03") {
		t.Errorf("%x", got)
	}
	if got := r.fetch("none.cm"); !strings.Contains(got, "not found") {
		t.Errorf("%q", got)
	}
	for _, url := range []string{"http://" + cfg.Metrics + "/readyz", "http://" + cfg.Admin[0] + "/healthz", "http://" + cfg.HTTP + "/boot/gold.cm"} {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s, %q, %v", url, resp.Status, body, err)
		}
	}
	dcstest.Write(t, filepath.Join(dir, "library/gold.dcs"), "Main { NetworkAccess 1; MaxCPE 4; }")
	r.hangups <- syscall.SIGHUP
	dcstest.Eventually(t, "the file is the new one", func() bool { return strings.HasPrefix(r.fetch("gold.cm"), "\x03\x01\x01\x12\x01\x04") })
	http.DefaultClient.CloseIdleConnections()
	r.stop()
	leftNothing(t, &cfg)
}

// leftNothing checks that no goroutine of a server runs any more, and that its addresses can be opened.
func leftNothing(t *testing.T, cfg *config.Config) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ours() != ""; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("goroutines are left:\n%s", ours())
		}
	}
	u, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(cfg.Listen[0]))
	if err != nil {
		t.Fatal(err)
	}
	u.Close()
	for _, a := range []string{cfg.Metrics, cfg.HTTP, cfg.Admin[0]} {
		l, err := net.Listen("tcp", a)
		if err != nil {
			t.Error(err)
			continue
		}
		l.Close()
	}
}

// Whatever cannot be opened, what was opened before it is closed again.
func TestRunOpensAllOrNothing(t *testing.T) {
	var closeLater []io.Closer
	for _, tt := range []struct {
		name, err string
		change    func(cfg *config.Config, dir string)
	}{
		{"user", "no such entry", func(cfg *config.Config, _ string) { cfg.User = "nobody-of-that-name" }},
		{"secret", "no such file", func(cfg *config.Config, dir string) { cfg.SecretFile = filepath.Join(dir, "none") }},
		{"devices", "another source is called", func(cfg *config.Config, dir string) {
			if err := cfg.Load(filepath.Join(dir, "devices.yaml")); err != nil {
				t.Fatal(err)
			}
		}},
		{"ingress", "address already in use", func(cfg *config.Config, _ string) {
			other, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(cfg.Listen[0]))
			if err != nil {
				t.Fatal(err)
			}
			closeLater = append(closeLater, other)
		}},
		{"admin", "no such file", func(cfg *config.Config, dir string) { cfg.AdminTokenFile = filepath.Join(dir, "none") }},
		{"metrics", "metrics: ", func(cfg *config.Config, _ string) { cfg.Metrics = "127.0.0.1:no-port" }},
		{"http", "http", func(cfg *config.Config, dir string) {
			cfg.HTTPCert, cfg.HTTPKey = filepath.Join(dir, "cert"), filepath.Join(dir, "key")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, dir := testConfig(t)
			cfg.Metrics, cfg.HTTP, cfg.Admin = dcstest.FreeAddress(t), dcstest.FreeAddress(t), []string{dcstest.FreeAddress(t)}
			dcstest.Lay(t, map[string]string{filepath.Join(dir, "devices.yaml"): "devices: [csv: fleet.csv, csv: fleet.csv]\n", filepath.Join(dir, "fleet.csv"): "mac\n"})
			free := cfg
			tt.change(&cfg, dir)
			log := new(dcstest.Log)
			stops := make(chan os.Signal, 1)
			serving := func(netip.AddrPort, *library.Snapshot) { stops <- syscall.SIGTERM }
			err := Run(Options{Config: cfg, Log: log, Serving: serving}, stops, nil)
			for _, c := range closeLater {
				c.Close()
			}
			if err == nil || !strings.Contains(fmt.Sprint(err), tt.err) {
				t.Errorf("%v, want %q\n%s", err, tt.err, log)
			}
			leftNothing(t, &free)
		})
	}
}

// A second signal ends transfers that go on.
func TestRunCutOff(t *testing.T) {
	cfg, dir := testConfig(t)
	cfg.Static = []string{filepath.Join(dir, "static")}
	cfg.Admin, cfg.Metrics, cfg.HTTP = []string{dcstest.FreeAddress(t)}, dcstest.FreeAddress(t), dcstest.FreeAddress(t)
	dcstest.Lay(t, map[string]string{filepath.Join(dir, "static/image"): strings.Repeat("x", 5000)})
	r := runServer(t, cfg)
	modem, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer modem.Close() // open until then: a closed port would end the transfer
	_ = modem.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := modem.WriteToUDPAddrPort([]byte("\x00\x01image\x00octet\x00"), r.addr); err != nil {
		t.Fatal(err)
	}
	if n, err := modem.Read(make([]byte, 1024)); n != 516 || err != nil { // the first block, which is not acknowledged
		t.Fatalf("%d octets: %v", n, err)
	}
	r.stops <- syscall.SIGTERM
	r.stops <- syscall.SIGTERM // at once: the same signal, come twice
	select {
	case err := <-r.ended:
		t.Fatalf("a signal that came twice at once cut the transfer off: %v", err)
	case <-time.After(2 * signalEcho): // nothing happens; from now on a signal is another one
	}
	r.stops <- syscall.SIGTERM
	select {
	case err := <-r.ended:
		if err == nil || !strings.Contains(err.Error(), "cut off") {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("the server has not ended:\n%s", r.log)
	}
	leftNothing(t, &cfg)
}

// The log says where the admin page is: the path of a socket, the URL at an address.
func TestRunLogsAdmin(t *testing.T) {
	cfg, dir := testConfig(t)
	socket, address := filepath.Join(dir, "admin.sock"), dcstest.FreeAddress(t)
	cfg.Admin = []string{"unix:" + socket, address}
	r := runServer(t, cfg)
	defer r.stop()
	for _, line := range []string{"msg=admin socket=" + socket + "\n", "msg=admin address=" + address + " url=http://" + address + "/\n"} {
		dcstest.Eventually(t, line, func() bool { return strings.Contains(r.log.String(), line) })
	}
}

// Static files that stand before a pattern are in the log, as dcs check has them, and count as a warning about the library.
func TestRunHidingFile(t *testing.T) {
	cfg, dir := testConfig(t)
	cfg.Static, cfg.Metrics = []string{filepath.Join(dir, "static")}, dcstest.FreeAddress(t)
	dcstest.Lay(t, map[string]string{
		filepath.Join(dir, "static/res-a"):        "x",
		filepath.Join(dir, "library/pattern.dcs"): `Main ~ "^res-" { NetworkAccess 1; }`,
	})
	r := runServer(t, cfg)
	defer r.stop()
	dcstest.Eventually(t, "the warning is in the log", func() bool { return strings.Contains(r.log.String(), `msg="static files hide a pattern`) })
	if log := r.log.String(); !strings.Contains(log, "files=1") || !strings.Contains(log, "static/res-a") || !strings.Contains(log, "pattern.dcs:1:8") {
		t.Errorf("the warning does not say which:\n%s", log)
	}
	resp, err := http.Get("http://" + cfg.Metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if page, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(page), "\ndcs_library_warnings 1\n") {
		t.Errorf("%v:\n%s", err, page)
	}
}
