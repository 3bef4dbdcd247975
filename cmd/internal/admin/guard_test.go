package admin

import (
	"maps"
	"net/http"
	"strings"
	"testing"
)

func TestGuard(t *testing.T) {
	t.Parallel()
	s := run(t, Config{Addresses: []string{"127.0.0.1:0"}, Hosts: []string{"Dcs.Example.NET"}, TokenFile: write(t, "token", token, 0o600)})
	at := at(s).String()
	bearer := map[string]string{"Authorization": "Bearer " + token}
	for _, tt := range []struct {
		name, method, path string
		header             map[string]string
		status             int
	}{
		{"plain", "GET", "/api/seen", nil, 200},
		{"localhost", "GET", "/api/seen", map[string]string{"Host": "localhost:8069"}, 200},
		{"address", "GET", "/api/seen", map[string]string{"Host": "[::1]:8069"}, 200},
		{"configured name", "GET", "/api/seen", map[string]string{"Host": "dcs.example.net"}, 200},
		{"foreign name (DNS rebinding)", "GET", "/api/seen", map[string]string{"Host": "attacker.example"}, 421},
		{"name that ends like ours", "GET", "/api/seen", map[string]string{"Host": "evil-localhost"}, 421},
		{"change from nowhere", "POST", "/api/done", nil, 200},
		{"change from our page", "POST", "/api/done", map[string]string{"Sec-Fetch-Site": "same-origin"}, 200},
		{"change from a foreign page", "POST", "/api/done", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"change from a neighbour", "POST", "/api/done", map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		{"change from a foreign origin", "POST", "/api/done", map[string]string{"Origin": "http://attacker.example"}, 403},
		{"change from our origin", "POST", "/api/done", map[string]string{"Origin": "http://" + at}, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			header := maps.Clone(bearer)
			maps.Copy(header, tt.header)
			resp, body := send(t, s, tt.method, tt.path, header)
			if resp.StatusCode != tt.status {
				t.Errorf("%s %s", resp.Status, body)
			}
			if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
				t.Errorf("policy %q", csp)
			}
			if resp.Header.Get("X-Content-Type-Options") != "nosniff" || resp.Header.Get("X-Frame-Options") != "DENY" {
				t.Errorf("headers %v", resp.Header)
			}
		})
	}
	t.Run("long body", func(t *testing.T) {
		body := `{"N":"` + strings.Repeat("x", maxBody) + `"}`
		r, err := http.NewRequest(http.MethodPost, "http://"+at+"/api/done", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", bearer["Authorization"])
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Error(resp.Status)
		}
	})
	t.Run("long header", func(t *testing.T) {
		resp, _ := send(t, s, "GET", "/api/seen", map[string]string{"X": strings.Repeat("x", 2*maxHeader)})
		if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Error(resp.Status)
		}
	})
}
