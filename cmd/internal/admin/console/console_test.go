package console

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"dcs/cmd/internal/dcstest"
)

func TestAPI(t *testing.T) {
	f := &fake{
		counters: counters{Totals: Totals{Served: 5, Failed: 2}, Hits: 3, Misses: 1, Workers: []Worker{{Requests: 7, Active: 2}}, Reasons: []Reason{{"asking_source", 1}, {"unknown_name", 2}}},
		library:  Library{Templates: []Template{{Kind: "Main", Names: []string{"gold"}}}, Errors: []Message{}, Warnings: []Message{{"a.dcs:1:1", "odd"}}, Loaded: start},
		events:   []Event{event("gold.cm", "10.1.2.3", "", "rejected")},
		held:     4,
	}
	_, base := open(t, f)
	for _, tt := range []struct {
		path   string
		status int
		want   []string
	}{
		{"/api/state", 200, []string{
			`"version":"v1.2.3"`, `"transport_why":"no driver for it"`, `"uptime_seconds":3600`, `"requests":7`, `"active_transfers":2`,
			`"learned_hit_ratio":0.75`, `"templates":1`, `"library_warnings":1`, `"reasons":[{"name":"unknown_name","count":2},{"name":"asking","count":1}]`,
		}},
		{"/api/events?q=gold", 200, []string{`"name":"gold.cm"`, `"client":"10.1.2.3"`, `"reason":"rejected"`, `"held":4`}},
		{"/api/events?limit=0", 400, []string{"limit=0 is not 1 to 1000"}},
		{"/api/events?before=x", 400, []string{"before=x is not the ID of an event"}},
		{"/api/events?which=both", 400, []string{"which=both is not all, failed or served"}},
		{"/api/explain?name=gold&ip=10.1.2.3", 200, []string{`"path":"24.6"`, `"offset":6`, `"verdict":"INVALID"`, `"ip":"10.1.2.3"`}},
		{"/api/explain?name=gold&says=reject(c)", 200, []string{`"diagnosis":{"word":{"text":"reject(c)"`, `"grade":"found"`, `"where":"gold.dcs:3:5"`}},
		{"/api/explain", 400, []string{"no file name"}},
		{"/api/explain?name=broken", 500, []string{"out of order"}},
		{"/api/file?name=gold", 200, []string{"\x18\x07\x01\x02"}},
		{"/api/file?name=none", 404, []string{"nothing has this name"}},
		{"/api/file", 400, []string{"no file name"}},
		{"/api/check", 200, []string{`"errors":1`, `"rule":"rate-zero","severity":"error","file":"\u003cu\u003e.dcs","line":3`, `"offset":9`}},
		{"/api/check?notes=on", 200, []string{`"rule":"size-tftp"`}},
		{"/api/check?template=none", 400, []string{"no template is at none"}},
		{"/api/library", 200, []string{`"text":"odd"`, `"names":["gold"]`}},
		{"/api/devices", 200, []string{`"error":"connection refused"`, `"up":false`}},
		{"/api/none", 404, []string{"no such call"}},
	} {
		status, body := get(t, base+tt.path)
		if status != tt.status {
			t.Errorf("%s: %d %s", tt.path, status, body)
		}
		for _, w := range tt.want {
			if !strings.Contains(body, w) {
				t.Errorf("%s: no %s in %s", tt.path, w, body)
			}
		}
		if strings.HasPrefix(tt.path, "/api/file?name=gold") {
			continue
		}
		if !json.Valid([]byte(body)) {
			t.Errorf("%s: no JSON: %s", tt.path, body)
		}
	}
	resp, err := operator.Get(base + "/api/file?name=gold")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if d := resp.Header.Get("Content-Disposition"); d != `attachment; filename="file.._gold.cm"` {
		t.Errorf("saved as %s", d)
	}
	for _, tt := range []struct {
		err    error
		status int
	}{{nil, 200}, {errors.New("a.dcs:1:2: wrong"), 422}} {
		f.reload = tt.err
		resp, err := operator.Post(base+"/api/reload", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tt.status || f.forced {
			t.Errorf("reload: %s, forced: %v", resp.Status, f.forced)
		}
	}
	f.reload = nil
	for body, want := range map[string]struct {
		status int
		forced bool
	}{`{"force":true}`: {200, true}, `{}`: {200, false}, `{"froce":true}`: {400, false}} {
		f.forced = false
		resp, err := operator.Post(base+"/api/reload", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want.status || f.forced != want.forced {
			t.Errorf("reload with %s: %s, forced: %v", body, resp.Status, f.forced)
		}
	}
}

func TestRun(t *testing.T) {
	f := &fake{}
	c, _ := open(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { c.Run(ctx); close(done) }()
	f.mu.Lock()
	f.events = []Event{event("a", "10.0.0.1", "", "rejected")}
	f.mu.Unlock()
	dcstest.Eventually(t, "the event is fetched", func() bool { return len(c.events.search(query{Limit: 1}).Events) > 0 })
	cancel()
	<-done
}
