package admin

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dcs/cmd/internal/admin/client"
	"dcs/render/secret"
)

func TestClient(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "admin.sock")
	tokenFile := write(t, "token", token+"\n", 0o600)
	for _, tt := range []struct {
		name     string
		cfg      Config
		readOnly bool
	}{
		{"tcp", Config{Addresses: []string{"127.0.0.1:0"}}, true},
		{"tcp with a token", Config{Addresses: []string{"127.0.0.1:0"}, TokenFile: tokenFile}, false},
		{"socket", Config{Addresses: []string{"unix:" + socket}}, false},
		{"socket with a token", Config{Addresses: []string{"unix:" + socket}, TokenFile: tokenFile}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := run(t, tt.cfg)
			address, right := at(s).String(), ""
			if at(s).Network() == "unix" {
				address = "unix:" + address
				if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o660 {
					t.Errorf("%v, %v", info.Mode(), err)
				}
			}
			if tt.cfg.TokenFile != "" {
				right = token
				var refused *client.Error
				for _, wrong := range []string{"", "wrong-horse-battery-staple"} {
					err := client.Dial(address, secret.New(wrong)).Get(t.Context(), "/api/seen", nil)
					if !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized {
						t.Errorf("with the token %q: %v", wrong, err)
					}
				}
			}
			c := client.Dial(address, secret.New(right))
			defer c.Close()
			var out struct{ Seen, Done int }
			if err := c.Get(t.Context(), "/api/seen", &out); err != nil || out.Seen != 1 {
				t.Error(out, err)
			}
			var e *client.Error
			err := c.Post(t.Context(), "/api/done", map[string]int{"N": 7}, &out)
			if tt.readOnly {
				if !errors.As(err, &e) || e.Status != http.StatusForbidden || !strings.Contains(e.Text, "set admin_token_file or admin_client_ca, or use a Unix socket") {
					t.Error(out, err)
				}
				return
			}
			if err != nil || out.Done != 7 {
				t.Error(out, err)
			}
			if err := c.Get(t.Context(), "/api/nothing", nil); !errors.As(err, &e) || e.Status != http.StatusNotFound || !strings.Contains(e.Text, "no such call") {
				t.Error(err)
			}
			if err := c.Post(t.Context(), "/api/done", "x", nil); !errors.As(err, &e) || e.Status != http.StatusBadRequest {
				t.Error(err)
			}
		})
	}
}
