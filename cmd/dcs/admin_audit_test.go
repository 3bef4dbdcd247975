package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dcs/bench/require"
	api "dcs/cmd/internal/admin/client"
	"dcs/cmd/internal/adminapi"
	"dcs/render/secret"
)

// The log has a line about each call of a server that changes something. The calls are those that the server lists, so that a
// new one is not forgotten.
func TestChangesAreAudited(t *testing.T) {
	t.Parallel()
	require.Long(t, "every call of the API")
	dir := deviceFiles(t, withDevices("devices: [{csv: {path: fleet.csv, name: fleet}}]\nsecrets: ring\nlog_format: json\nlog_level: error\nadmin: unix:admin.sock\n",
		map[string]string{"fleet.csv": fleetCSV, "ring": "default: main\nsecrets: {main: {text: x}}\n"}))
	if err := os.Chmod(filepath.Join(dir, "ring"), 0o600); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "admin.sock")
	p := start(t, exec.Command(binary(t), "serve", "--config", filepath.Join(dir, "dcs.yaml"), "--listen", "127.0.0.1:"+freePort(t), "--transport", "socket"))
	c := api.Dial("unix:"+socket, secret.Text{})
	defer c.Close()
	var routes []string
	eventually(t, "the server lists its calls", func() bool {
		return c.Get(t.Context(), "/api/", &routes) == nil && c.Get(t.Context(), adminapi.TopPath, nil) == nil // which is registered last
	})
	bodies := map[string]string{ // to do what the call is for
		"POST /api/limits": `{"rate":2,"burst":9}`, "POST /api/log": `{"level":"error"}`, "POST /api/secrets/reload": "",
		"POST /api/reload": `{"force":true}`, "POST /api/devices/reload": `{"source":"fleet"}`,
		"POST /api/capture": `{"count":1}`, "DELETE /api/capture": "",
		"POST /library/reload": "", "POST /devices/reload": "source=fleet", "POST /limits": "rate=3&burst=9&allow=127.0.0.0/8",
	}
	who := fmt.Sprintf("uid=%d pid=%d", os.Getuid(), os.Getpid())
	client := atSocket(t, socket)
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, pattern := range routes {
		method, path, ok := strings.Cut(pattern, " ")
		if method == http.MethodGet || pattern == "/" || pattern == "/api/" { // / and /api/ answer that there is nothing
			continue
		}
		if !ok {
			t.Errorf("%s takes every method: a GET could change something", pattern)
			continue
		}
		body, ok := bodies[pattern]
		if !ok {
			t.Errorf("%s changes something: the test needs a body for it", pattern)
		}
		delete(bodies, pattern)
		r, err := http.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(path, "/api/") {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode >= 400 && (pattern != "POST /api/capture" || res.StatusCode != http.StatusConflict) { // there is no XDP here
			t.Errorf("%s: %s", pattern, res.Status)
		}
		want := map[string]any{"msg": "admin change", "level": "INFO", "who": who, "from": "unix:" + socket, "call": pattern, "asked": body, "status": float64(res.StatusCode)}
		eventually(t, "the log has a line about "+pattern, func() bool {
			for text := range strings.Lines(p.log.String()) {
				var line map[string]any
				if json.Unmarshal([]byte(text), &line) == nil && line["call"] == pattern {
					delete(line, "time")
					got, _ := json.Marshal(line)
					wanted, _ := json.Marshal(want)
					if !bytes.Equal(got, wanted) {
						t.Fatalf("%s; want %s", got, wanted)
					}
					return true
				}
			}
			return false
		})
	}
	for pattern := range bodies {
		t.Errorf("%s is not among the calls", pattern)
	}
}
