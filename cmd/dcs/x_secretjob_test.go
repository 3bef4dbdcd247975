package main

import (
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"dcs/cmd/internal/config"
	"dcs/cmd/internal/listen"
)

// A server that would not take the change is found before any CMTS has a new secret.
func TestSecretAsksForChanges(t *testing.T) {
	dir := t.TempDir()
	ring := filepath.Join(dir, "ring")
	write(t, ring, "default: main\nsecrets: {main: {text: x}}\n")
	closed, socket := freeAddress(t), "unix:"+filepath.Join(dir, "admin.sock")
	serve(t, "--library", "../../testdata/library", "--secrets", ring, "--transport", "socket", "--admin", closed+","+socket)
	for _, tt := range []struct {
		admin []string
		want  string // of the error; "": none
	}{
		{[]string{closed}, "changes need a token, a client certificate or the Unix socket"},
		{[]string{closed, socket}, ""},
		{[]string{socket}, ""},
	} {
		job := &secretJob{cfg: config.Config{Admin: tt.admin}}
		var err error
		if job.saga.Server, err = job.server(); err != nil {
			t.Fatal(err)
		}
		switch text, err := job.askServer(t.Context()); {
		case tt.want == "" && (err != nil || !strings.Contains(text, socket)):
			t.Errorf("%v: %q, %v", tt.admin, text, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%v: %q, %v", tt.admin, text, err)
		}
	}
	if got := dcs("", "secret", "rotate", "--secrets", ring, "--admin", closed, "--yes"); got.status != failed || !strings.Contains(got.stderr, "changes need a token") {
		t.Errorf("%+v", got)
	}
}

// A server that nobody can tell of a rotation is found by its port, on an address that no interface has, too.
func TestSecretAsksServer(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "198.18.255.254"} {
		server, err := (&net.ListenConfig{Control: listen.Freebind}).ListenPacket(t.Context(), "udp", host+":0")
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		at := netip.MustParseAddrPort(server.LocalAddr().String())
		job := &secretJob{cfg: config.Config{Listen: []netip.AddrPort{at}, Admin: []string{"unix:" + filepath.Join(t.TempDir(), "admin.sock")}}}
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
