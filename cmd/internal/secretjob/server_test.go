package secretjob

import (
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"dcs/bench/require"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/listen"
)

// A server that nobody can tell of a rotation is found by its port, on an address that no interface has, too.
func TestSecretAsksServer(t *testing.T) {
	require.Long(t, "time-outs of a server")
	for _, host := range []string{"127.0.0.1", "198.18.255.254"} {
		server, err := (&net.ListenConfig{Control: listen.Freebind}).ListenPacket(t.Context(), "udp", host+":0")
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		at := netip.MustParseAddrPort(server.LocalAddr().String())
		job := &Job{cfg: config.Config{Listen: []netip.AddrPort{at}, Admin: []string{"unix:" + filepath.Join(t.TempDir(), "admin.sock")}}}
		where, err := job.server()
		if err != nil {
			t.Fatal(err)
		}
		job.saga.Server = where
		if text, err := job.askServer(t.Context()); err == nil || !strings.Contains(err.Error(), "somebody serves "+at.String()) {
			t.Errorf("%s: %q, %v", host, text, err)
		}
		server.Close()
		if text, err := job.askServer(t.Context()); err != nil || !strings.Contains(text, "none runs") {
			t.Errorf("%s, closed: %q, %v", host, text, err)
		}
	}
}
