package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestNewRefuses(t *testing.T) {
	good := write(t, "token", token+"\n", 0o600)
	cert, key, ca, _ := certificates(t)
	plain := write(t, "plain", "no socket", 0o600)
	for _, tt := range []struct {
		name string
		cfg  Config
		err  string
	}{
		{"open to the network", Config{Addresses: []string{"0.0.0.0:0"}}, "can be reached from other machines; set admin_token_file or admin_client_ca"},
		{"every address", Config{Addresses: []string{":0"}}, "can be reached from other machines"},
		{"a name", Config{Addresses: []string{"dcs.example.net:0"}}, "can be reached from other machines"},
		{"server certificate alone", Config{Addresses: []string{"0.0.0.0:0"}, Cert: cert, Key: key}, "can be reached from other machines"},
		{"token that others read", Config{Addresses: []string{"127.0.0.1:0"}, TokenFile: write(t, "t", token, 0o644)}, "mode 0644 gives others access"},
		{"token that the group writes", Config{Addresses: []string{"127.0.0.1:0"}, TokenFile: write(t, "t", token, 0o660)}, "mode 0660 gives others access"},
		{"short token", Config{Addresses: []string{"127.0.0.1:0"}, TokenFile: write(t, "t", "secret", 0o600)}, "shorter than 16 characters"},
		{"no token file", Config{Addresses: []string{"127.0.0.1:0"}, TokenFile: "/nowhere/token"}, "admin_token_file: open /nowhere/token"},
		{"long token", Config{Addresses: []string{"127.0.0.1:0"}, TokenFile: write(t, "t", strings.Repeat("x", maxToken+1), 0o600)}, "larger than 4096 octets"},
		{"one address of two", Config{Addresses: []string{"unix:" + filepath.Join(t.TempDir(), "admin.sock"), "0.0.0.0:0"}}, "0.0.0.0:0 can be reached from other machines"},
		{"no address", Config{Addresses: []string{"8069"}}, "neither host:port nor unix:/path"},
		{"no path", Config{Addresses: []string{"unix:"}}, "needs the path of a socket"},
		{"a file in the place of the socket", Config{Addresses: []string{"unix:" + plain}}, "is not a socket; remove it"},
		{"no directory for the socket", Config{Addresses: []string{"unix:" + filepath.Join(filepath.Dir(plain), "run", "admin.sock")}}, "/run, writable by the server's user"},
		{"a file in the place of the directory", Config{Addresses: []string{"unix:" + filepath.Join(plain, "admin.sock")}}, "is not a directory"},
		{"authority without a certificate", Config{Addresses: []string{"127.0.0.1:0"}, ClientCA: ca}, "admin_client_ca needs admin_cert and admin_key"},
		{"certificate without its key", Config{Addresses: []string{"127.0.0.1:0"}, Cert: cert}, "belong together"},
		{"no authority in the file", Config{Addresses: []string{"127.0.0.1:0"}, Cert: cert, Key: key, ClientCA: good}, "contains no certificate"},
		{"TLS on a socket", Config{Addresses: []string{"unix:/tmp/x"}, Cert: cert, Key: key}, "have no effect"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := New(tt.cfg, slog.New(slog.DiscardHandler))
			if err == nil {
				defer s.Close()
				if err = s.listeners[0].Err(); err == nil || !errors.Is(err, errNoDirectory) {
					t.Fatalf("no error, or a temporary one: %v", err)
				}
			}
			if !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%v; want %s", err, tt.err)
			}
			warnings, got := Check(tt.cfg)
			if errors.Is(err, errNoDirectory) { // which may come into being with the unit
				if got != nil || len(warnings) != 1 || warnings[0] != err.Error() {
					t.Errorf("Check: %v, warnings %q", got, warnings)
				}
			} else if got == nil || got.Error() != err.Error() {
				t.Errorf("Check: %v", got)
			}
			if strings.Contains(err.Error(), token) {
				t.Errorf("the error has the token: %v", err)
			}
		})
	}
	t.Run("two sockets without a directory", func(t *testing.T) {
		dir := t.TempDir()
		one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
		w, err := Check(Config{Addresses: []string{"unix:" + one + "/admin.sock", "127.0.0.1:0", "unix:" + two + "/admin.sock"}})
		if err != nil || len(w) != 2 || !strings.Contains(w[0], "create "+one+",") || !strings.Contains(w[1], "create "+two+",") {
			t.Errorf("Check: %q, %v", w, err)
		}
	})
	t.Run("token on every address", func(t *testing.T) {
		var log strings.Builder
		s, err := New(Config{Addresses: []string{"0.0.0.0:0"}, TokenFile: good}, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		if w, err := Check(Config{Addresses: []string{"0.0.0.0:0"}, TokenFile: good}); err != nil || len(w) != 1 || !strings.Contains(w[0], "clear text") {
			t.Errorf("Check: %q, %v", w, err)
		}
		if strings.Count(log.String(), "clear text") != 1 {
			t.Errorf("not one warning: %q", log.String())
		}
	})
}

func TestOff(t *testing.T) {
	s, err := New(Config{}, slog.New(slog.DiscardHandler))
	if err != nil || s.Enabled() || s.Listener("") != nil {
		t.Fatal(err, s)
	}
	s.Handle("GET /", http.NotFoundHandler())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Run(ctx)
	if _, err := Check(Config{}); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// Clients that send half a request keep nobody out, however many they are.
func TestSlowClients(t *testing.T) {
	s, err := New(Config{Addresses: []string{"127.0.0.1:0"}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	h := s.listeners[0].http
	if h.ReadHeaderTimeout <= 0 || h.ReadTimeout <= 0 || h.WriteTimeout <= 0 || h.IdleTimeout <= 0 {
		t.Error("a time is not limited")
	}
	h.ReadHeaderTimeout = time.Minute // this test is not to wait for it
	s.Handle("GET /{$}", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "page") }))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { s.Run(ctx); close(ended) }()
	defer func() {
		cancel()
		<-ended
	}()
	for range maxConns + 12 {
		c, err := net.Dial("tcp", at(s).String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: ")
	}
	browser := http.Client{Timeout: 30 * time.Second}
	resp, err := browser.Get("http://" + at(s).String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}
