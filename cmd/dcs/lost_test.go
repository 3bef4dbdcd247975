package main

import (
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dcs/bench/require"
	api "dcs/cmd/internal/admin/client"
	"dcs/fastpath/tftp"
	"dcs/render/secret"
)

// ask sends a request, and returns the answer with where it came from.
func (s *served) ask(t *testing.T, name string) (c *net.UDPConn, from net.Addr, answer []byte) {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:" + s.port))
	if _, err := c.WriteTo(tftp.AppendRequest(nil, name, "octet", &tftp.Options{}), to); err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	buf := make([]byte, 600)
	n, from, err := c.ReadFrom(buf)
	if err != nil {
		t.Fatal(err)
	}
	return c, from, buf[:n]
}

// A modem that gets its file's beginning and falls silent, and one that will not have it, are found by name and by MAC, with how
// far they came.
func TestLostFiles(t *testing.T) {
	t.Parallel()
	require.Long(t, "time-outs of transfers")
	conf := filepath.Join(t.TempDir(), "dcs.yaml")
	write(t, conf, "retries: 1\nproxies: [127.0.0.0/8]\n")
	s := serveAll(t, "--config", conf)
	s.ask(t, "basic.cm@0a0102030405")
	s.ask(t, "motd.txt\x00octet\x00hwaddr\x0002:00:00:00:00:99\x00netaddr\x00198.18.0.9\x00mode")
	c, from, _ := s.ask(t, "res-cpe4-gold.bin")
	if _, err := c.WriteTo(tftp.AppendERROR(nil, tftp.CodeDiskFull, "no room for it"), from); err != nil {
		t.Fatal(err)
	}
	operator := api.Dial(s.admin, secret.Text{})
	defer operator.Close()
	for _, tt := range []struct{ find, reason, name, client, mac, text, value string }{
		{"0a:01:02", "gave_up", "basic.cm@0a0102030405", "127.0.0.1", "0a:01:02:03:04:05", "client stopped responding", "0 of 1 blocks acknowledged"},
		// Behind a proxy it is the modem that fell silent.
		{"0200.0000.0099", "gave_up", "motd.txt", "198.18.0.9", "02:00:00:00:00:99", "client stopped responding", "0 of 1 blocks acknowledged"},
		{
			"gold", "peer_error_disk_full", "res-cpe4-gold.bin", "127.0.0.1", "", "client ended the transfer with ERROR 3 (disk full)",
			"0 of 1 blocks acknowledged: no room for it",
		},
	} {
		var got struct {
			Events []struct {
				Name, Client, MAC, Reason, Text, Value string
				Served                                 bool
				Size                                   int
			}
		}
		eventually(t, tt.reason, func() bool {
			err := operator.Get(t.Context(), "/api/events?which=failed&q="+url.QueryEscape(tt.find), &got)
			if err != nil {
				t.Fatal(err)
			}
			return len(got.Events) > 0
		})
		e := got.Events[0]
		if len(got.Events) != 1 || e.Served || e.Reason != tt.reason || e.Name != tt.name || e.MAC != tt.mac || e.Text != tt.text || e.Value != tt.value ||
			e.Client != tt.client || e.Size == 0 {
			t.Errorf("%s: %+v", tt.find, got.Events)
		}
		s.await(`msg="file not delivered" name=` + tt.name)
		s.await("reason=" + tt.reason)
	}
}

// A firmware that is written to in place ends its downloads, and not the server.
func TestFileCutInPlace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "firmware")
	if err := os.WriteFile(path, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serveAll(t, "--static", dir)
	c, from, _ := s.ask(t, "firmware")
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := c.WriteTo(tftp.AppendACK(nil, 1), from); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 600)
	n, _, err := c.ReadFrom(buf)
	if err != nil || string(buf[:n]) != "\x00\x05\x00\x00The file has changed\x00" {
		t.Errorf("%q, %v", buf[:n], err)
	}
	// Until the library is loaded anew the file is still known.
	if _, _, first := s.ask(t, "firmware"); first[1] != tftp.OpERROR && len(first) != 4 {
		t.Errorf("a new request got % .40x", first)
	}
	if code, body := get("http://" + s.http + "/boot/firmware"); code == 200 && len(body) == 1<<20 {
		t.Error("HTTP gave what is there no more")
	}
	s.await(`msg="file not delivered" name=firmware`)
	s.await("reason=file_cut")
	if code, body := get("http://" + s.metrics + "/metrics"); code != 200 || !strings.Contains(body, `dcs_transfers_ended_total{result="file_cut"} `) {
		t.Errorf("status %d:\n%s", code, body)
	}
}
