package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	api "dcs/cmd/internal/admin/client"
	"dcs/render/secret"
)

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
	t.Parallel()
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

	c := api.Dial(s.socket, secret.Text{})
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
