package secretjob

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"dcs/cmd/internal/adminapi"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/listen"
)

// A server that cannot be notified of a rotation is found by its port, even on an address that no interface has.
func TestSecretAsksServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // whose clock does not wait for the port
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
			if text, err := job.askServer(t.Context()); err == nil || !strings.Contains(err.Error(), at.String()+" is in use") {
				t.Errorf("%s: %q, %v", host, text, err)
			}
			server.Close()
			if text, err := job.askServer(t.Context()); err != nil || !strings.Contains(text, "none runs") {
				t.Errorf("%s, closed: %q, %v", host, text, err)
			}
		}
	})
}

// A server that signs without a keyring cannot be switched: a rotation would take the only secret that it has from the CMTSes.
func TestSecretServerWithoutKeyring(t *testing.T) {
	for _, tt := range []struct {
		state adminapi.SecretsState
		want  string
	}{
		{adminapi.SecretsState{Single: true, Default: "secret"}, "has no keyring"},
		{adminapi.SecretsState{Default: "secret"}, ""}, // a keyring that nothing has written yet; an older server
	} {
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != adminapi.SecretsPath {
				http.NotFound(w, r)
				return
			}
			_ = json.NewEncoder(w).Encode(tt.state)
		}))
		job := &Job{cfg: config.Config{Admin: []string{web.Listener.Addr().String()}}}
		server, err := job.server()
		if err != nil {
			t.Fatal(err)
		}
		job.saga.Server = server
		text, err := job.askServer(t.Context())
		web.Close()
		if tt.want == "" && (err != nil || !strings.Contains(text, "serves generation 0")) || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%+v: %q, %v", tt.state, text, err)
		}
	}
}
