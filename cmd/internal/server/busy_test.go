package server

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"dcs/cmd/internal/dcstest"
)

// TestRunBusy has a server do at once all that it does: it answers by TFTP and HTTP while its library, devices, secrets, limits
// and log level change and its pages are read. Under the race detector this stands for the tests of the binary.
func TestRunBusy(t *testing.T) {
	cfg, dir := testConfig(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	fleet := func(down int) string { return fmt.Sprintf("mac,down\n020000000001,%d\n020000000002,7\n", down) }
	dcstest.Lay(t, map[string]string{
		at("dcs.yaml"): "static: static\nsecrets: ring\ndevices_dir: state\nprebuild: on\nlog_requests: all\n" +
			"devices: [{csv: {path: fleet.csv, settle: 10ms, poll: 10ms}}]\n",
		at("ring"): "default: main\nsecrets: {main: {text: x}}\n", at("static/x"): "text", at("fleet.csv"): fleet(1),
		at("library/modem.dcs"): "Main { MaxCPE $down; }",
	})
	if err := cfg.Load(at("dcs.yaml")); err != nil {
		t.Fatal(err)
	}
	cfg.Metrics, cfg.HTTP = dcstest.FreeAddress(t), dcstest.FreeAddress(t)
	cfg.Admin = []string{dcstest.FreeAddress(t), "unix:" + at("admin.sock")}
	r := runServer(t, cfg)
	dcstest.Eventually(t, "the devices are loaded", func() bool { return strings.HasPrefix(r.fetch("modem.cm@020000000002"), "\x12\x01\x07") })
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if strings.HasPrefix(addr, "socket:") {
			network, addr = "unix", at("admin.sock")
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	client := &http.Client{Transport: transport}
	call := func(method, url, body string) error {
		req, err := http.NewRequest(method, url, strings.NewReader(body))
		if err != nil {
			return err
		}
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		said, err := io.ReadAll(res.Body)
		if err == nil && res.StatusCode >= 400 {
			err = fmt.Errorf("%s %s: %s: %s", method, url, res.Status, said)
		}
		return err
	}

	stop := make(chan struct{})
	var busy sync.WaitGroup
	again := func(work func() error) {
		busy.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := work(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for _, name := range []string{"gold.cm", "x", "modem.cm@020000000001", "none.cm"} {
		again(func() error {
			_, err := ask(r.addr, name)
			return err
		})
	}
	for _, urls := range [][]string{
		{"http://" + cfg.Metrics + "/metrics", "http://" + cfg.HTTP + "/boot/gold.cm", "http://" + cfg.Admin[0] + "/readyz"},
		{"http://socket/", "http://socket/events", "http://socket/devices", "http://socket/library", "http://socket/limits"},
		{"http://socket/api/top", "http://socket/api/events?which=failed", "http://socket/api/file?name=gold.cm", "http://socket/api/secrets"},
	} {
		again(func() error {
			for _, url := range urls {
				if err := call(http.MethodGet, url, ""); err != nil {
					return err
				}
			}
			return nil
		})
	}
	const rounds = 12
	for n := 1; n <= rounds; n++ {
		dcstest.Write(t, at("library/gold.dcs"), fmt.Sprintf("Main { MaxCPE %d; }", n))
		dcstest.Write(t, at("fleet.csv"), fleet(n))
		if n%2 == 0 {
			r.hangups <- syscall.SIGHUP
		}
		for _, c := range [][2]string{
			{"/api/reload", `{"force":true}`},
			{"/api/devices/reload", `{}`},
			{"/api/secrets/reload", ""},
			{"/api/limits", fmt.Sprintf(`{"rate":%d}`, 100_000+n)},
			{"/api/log", `{"level":"debug"}`},
		} {
			if err := call(http.MethodPost, "http://socket"+c[0], c[1]); err != nil {
				t.Error(err)
			}
		}
	}
	for _, name := range []string{"gold.cm", "modem.cm@020000000001"} {
		dcstest.Eventually(t, name+" is the last", func() bool { return strings.HasPrefix(r.fetch(name), fmt.Sprintf("\x12\x01%c", rounds)) })
	}
	close(stop)
	busy.Wait()
	transport.CloseIdleConnections()
	r.stop()
	leftNothing(t, &cfg)
}
