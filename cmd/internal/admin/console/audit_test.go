package console

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/dcstest"
)

// The log has a line about each change that the console registers, whoever brings a new one.
func TestChangesAreAudited(t *testing.T) {
	var log dcstest.Log
	f := &fake{}
	s, err := admin.New(admin.Config{Addresses: []string{"127.0.0.1:0"}, TokenFile: writeToken(t)}, slog.New(slog.NewJSONHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	New(s, f, time.Now)
	go s.Run(t.Context())
	bodies := map[string]string{ // what a handler must see to do what it is for
		"POST /api/reload": `{"force":true}`, "POST /api/devices/reload": `{"source":"sql"}`,
		"POST /library/reload": "force=yes", "POST /devices/reload": "source=sql", "POST /limits": "rate=1&burst=2&allow=", "POST /logout": "",
	}
	for _, pattern := range s.Routes() {
		method, path, ok := strings.Cut(pattern, " ")
		switch {
		case !ok && (pattern == "/" || pattern == "/api/"): // they say that there is nothing
			continue
		case !ok:
			t.Errorf("%s takes every method: a GET could change something", pattern)
			continue
		case method == http.MethodGet:
			continue
		}
		body, known := bodies[pattern]
		if !known {
			t.Errorf("%s: add a body to the test", pattern)
		}
		delete(bodies, pattern)
		log.Take()
		r, err := http.NewRequest(method, strings.TrimSuffix(s.Listeners()[0].URL(), "/")+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(path, "/api/") {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		resp, err := bearer{}.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		var line struct {
			Msg, Who, From, Call, Asked string
			Status                      int
		}
		for text := range strings.Lines(log.String()) {
			if err := json.Unmarshal([]byte(text), &line); err != nil {
				t.Fatal(err)
			}
			if line.Msg == "admin change" {
				break
			}
		}
		if line.Msg != "admin change" || line.Who != "token" || !strings.HasPrefix(line.From, "127.0.0.1:") || line.Call != pattern || line.Asked != body || line.Status != resp.StatusCode || resp.StatusCode >= 400 {
			t.Errorf("%s, %s: %+v", pattern, resp.Status, line)
		}
	}
	for pattern := range bodies {
		t.Errorf("%s is not registered", pattern)
	}
}
