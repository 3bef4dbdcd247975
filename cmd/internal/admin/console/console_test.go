package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/metrics"
	"dcs/render/device"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// fake is a server that does as it is told.
type fake struct {
	mu       sync.Mutex
	counters counters
	events   []Event
	held     uint64
	library  Library
	reload   error
	forced   bool // the last reload of the library
	limits   Limits
	refuse   error
	devices  []DevicesReload // what was asked for
}

func (f *fake) Facts() Facts {
	return Facts{Version: "v1.2.3", Host: "headend-7", Started: start, Transport: "socket", Why: "no driver for it", Listen: []string{"192.0.2.1:69"}}
}

func (f *fake) Metrics() *metrics.Values {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.counters
	return metrics.Read(func(v *metrics.Values) {
		v.Count(metrics.Workers, uint64(len(c.Workers)))
		for i, w := range c.Workers {
			v.Count(metrics.ReadRequests, w.Requests, strconv.Itoa(i))
			v.Count(metrics.TransfersRunning, w.Active, strconv.Itoa(i))
		}
		v.Count(metrics.Files, c.Served, "modem")
		v.Count(metrics.Requests, c.Failed, "error", "not_found")
		v.Count(metrics.LearnedHits, c.Hits)
		v.Count(metrics.LearnedMisses, c.Misses)
		for _, r := range c.Reasons {
			v.Count(metrics.Faults, r.Count, r.Name)
		}
	})
}

func (f *fake) Outcomes(each func(Event)) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.events {
		each(e)
	}
	held := f.held
	f.events, f.held = nil, 0
	return held
}

func (f *fake) Explain(_ context.Context, q Question) (*Explanation, error) {
	switch q.Name {
	case "":
		return nil, fmt.Errorf("%w: no file name", ErrQuestion)
	case "broken":
		return nil, errors.New("out of order")
	case "text":
		return &Explanation{Name: q.Name, File: q.Name, Text: "hostname <a7>\n", Body: []byte("hostname <a7>\n"), Size: 14}, nil
	case "none":
		return &Explanation{Name: q.Name, File: q.Name, Reason: "unknown_name", Error: "nothing has this name"}, nil
	}
	// 24 { 1 0001 6 07 } 3 01, and the end.
	body := []byte{24, 7, 1, 2, 0, 1, 6, 1, 7, 3, 1, 1, 255, 0, 0, 0}
	return &Explanation{
		Name: q.Name, File: "../gold.cm", IP: q.IP, Body: body, Size: len(body), MICs: []MIC{{"CM MIC", "INVALID", ""}},
		Tree: []TLV{
			{Path: "24", Name: "UsServiceFlow", Offset: 0, Length: 9, Head: 2, Group: true},
			{Path: "24.1", Depth: 1, Name: "UsServiceFlowRef", Offset: 2, Length: 4, Head: 2, Value: "1"},
			{Path: "24.6", Depth: 1, Name: "QosParamSetType", Offset: 6, Length: 3, Head: 2, Value: "<b>7</b>"},
			{Path: "3", Name: "NetworkAccess", Offset: 9, Length: 3, Head: 2, Value: "1"},
			{Path: "255", Name: "EndOfData", Offset: 12, Length: 1, Head: 1},
		},
	}, nil
}

func (f *fake) Library() Library {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.library
}

func (f *fake) Reload(_ context.Context, force bool) error {
	f.forced = force
	return f.reload
}

func (f *fake) Devices() []Source {
	return []Source{
		{Name: "sql", Loading: -1, Error: "connection refused", Loaded: start},
		{Name: "csv <a>", Loading: -1, Held: "too many are lost", Loaded: start},
	}
}

func (f *fake) ReloadDevices(source string, force bool) error {
	if source == "none" {
		return fmt.Errorf("%w: no source of devices is called none", ErrQuestion)
	}
	f.devices = append(f.devices, DevicesReload{source, force})
	return nil
}

func (f *fake) Limits() *Limits { return &f.limits }

func (f *fake) SetLimits(l Limits) error {
	if f.refuse == nil {
		f.limits = l
	}
	return f.refuse
}

// open serves f, and returns where.
func open(t *testing.T, f *fake) (*Console, string) {
	t.Helper()
	return openWith(t, f, slog.New(slog.DiscardHandler), writeToken(t))
}

// openWith serves f with a log and a file with a token, if there is one.
func openWith(t *testing.T, f *fake, log *slog.Logger, tokenFile string) (*Console, string) {
	t.Helper()
	s, err := admin.New(admin.Config{Addresses: []string{"127.0.0.1:0"}, TokenFile: tokenFile}, log)
	if err != nil {
		t.Fatal(err)
	}
	c := New(s, f, func() time.Time { return start.Add(time.Hour) })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { s.Run(ctx); close(ended) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return c, strings.TrimSuffix(s.Listeners()[0].URL(), "/")
}

const token = "correct-horse-battery-staple"

func writeToken(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// operator brings the token.
var operator = &http.Client{Transport: bearer{}}

type bearer struct{}

func (bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Authorization", "Bearer "+token)
	return http.DefaultTransport.RoundTrip(r)
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := operator.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func event(name, client, mac, reason string) Event {
	m, _ := device.ParseMAC(mac)
	return Event{Time: start, Name: name, Client: netip.MustParseAddr(client), MAC: m, Reason: reason, Served: reason == "", Text: "why"}
}

func TestSearch(t *testing.T) {
	l := newEvents(4)
	l.add([]Event{
		event("lost.cm", "10.0.0.1", "", "unknown_name"),
		event("gold.cm", "10.1.2.3", "0a:01:02:03:04:05", ""),
		event("home-4.bin", "10.1.2.4", "0a:01:02:03:04:06", "missing_attribute"),
		event("old.cm", "2001:db8::7", "", "unknown_name"),
		event("gold.cm", "10.1.2.3", "0a:01:02:03:04:05", "rejected"),
	}, 3)
	for _, tt := range []struct {
		name string
		q    query
		want string // IDs
		more bool
	}{
		{"all", query{Limit: 10}, "5 4 3 2", false},
		{"the first of them", query{Limit: 2}, "5 4", true},
		{"older ones", query{Limit: 2, Before: 4}, "3 2", false},
		{"name", query{Text: "GOLD", Limit: 10}, "5 2", false},
		{"IP", query{Text: "10.1.2.4", Limit: 10}, "3", false},
		{"IPv6", query{Text: "2001:DB8::7", Limit: 10}, "4", false},
		{"MAC with colons", query{Text: "0a:01:02:03:04:05", Limit: 10}, "5 2", false},
		{"MAC with dashes", query{Text: "0A-01-02-03-04-06", Limit: 10}, "3", false},
		{"MAC as Cisco writes it", query{Text: "0a01.0203.0406", Limit: 10}, "3", false},
		{"MAC without separators", query{Text: "0a0102030405", Limit: 10}, "5 2", false},
		{"part of a MAC", query{Text: "0304:06", Limit: 10}, "3", false},
		{"reason", query{Text: "missing_attribute", Limit: 10}, "3", false},
		{"reason chosen", query{Reason: "rejected", Limit: 10}, "5", false},
		{"failed", query{Which: "failed", Limit: 10}, "5 4 3", false},
		{"served", query{Which: "served", Limit: 10}, "2", false},
		{"two words", query{Text: "gold rejected", Limit: 10}, "5", false},
		{"gone", query{Text: "lost.cm", Limit: 10}, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := l.search(tt.q)
			var ids []string
			for _, e := range got.Events {
				ids = append(ids, fmt.Sprint(e.ID))
			}
			if strings.Join(ids, " ") != tt.want || got.More != tt.more || got.Kept != 4 || got.Held != 3 {
				t.Errorf("%v, more: %v, kept %d, held %d; want %s", ids, got.More, got.Kept, got.Held, tt.want)
			}
		})
	}
}

// The JSON of addresses: those that are unknown are left out.
func TestJSONOfAddresses(t *testing.T) {
	mac := device.MAC{0x0a, 1, 2, 3, 4, 5}
	for _, tt := range []struct {
		value any
		want  string
	}{
		{event("x", "10.0.0.1", mac.String(), ""), `{"id":0,"time":"2026-01-02T03:04:05Z","name":"x","client":"10.0.0.1","mac":"0a:01:02:03:04:05","served":true,"text":"why"}`},
		{event("x", "2001:db8::1", "", ""), `{"id":0,"time":"2026-01-02T03:04:05Z","name":"x","client":"2001:db8::1","served":true,"text":"why"}`},
		{Explanation{Name: "x", MAC: mac}, `{"name":"x","file":"","mac":"0a:01:02:03:04:05","size":0}`},
		{Explanation{Name: "x"}, `{"name":"x","file":"","size":0}`},
		{Device{MAC: mac, IP: netip.MustParseAddr("10.0.0.1")}, `{"mac":"0a:01:02:03:04:05","ip":"10.0.0.1","known_by":null,"values":null}`},
		{Device{}, `{"known_by":null,"values":null}`},
	} {
		if got, err := json.Marshal(tt.value); string(got) != tt.want || err != nil {
			t.Errorf("%s, %v, want %s", got, err, tt.want)
		}
	}
}

func TestHistory(t *testing.T) {
	var h history
	at := func(n uint64) counters {
		return counters{
			Totals: Totals{Requests: 10 * n, Served: 8 * n, Failed: 2 * n},
			Answer: metrics.Buckets{Bounds: []float64{1e-3, 2e-3, 3e-3}, Counts: []uint64{0, 100 * n, n, 0}},
		}
	}
	for i := range 400 {
		h.add(start.Add(time.Duration(i)*time.Second), at(uint64(i)))
	}
	var s State
	c := at(400)
	h.now(start.Add(400*time.Second), &c, &s)
	if len(s.History) != historySeconds || s.History[0].Requests != 10 || s.Rates.Requests != 10 || s.Rates.Served != 8 || s.Rates.Failed != 2 {
		t.Errorf("%d seconds, %+v", len(s.History), s.Rates)
	}
	// 100 of 101 lie between 1 and 2 ms.
	if q := s.Latency.Answer; q.P50 < 1.5e-3 || q.P50 > 1.51e-3 || q.P99 < 1.99e-3 || q.P99 > 2e-3 || s.Latency.Render != (Quantiles{}) {
		t.Errorf("%+v", s.Latency)
	}
	// Counters that begin anew give no negative rates.
	h.add(start.Add(401*time.Second), counters{})
	if last := h.seconds[len(h.seconds)-1]; last.Requests != 0 {
		t.Errorf("%+v", last)
	}
}

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
		{"/api/explain", 400, []string{"no file name"}},
		{"/api/explain?name=broken", 500, []string{"out of order"}},
		{"/api/file?name=gold", 200, []string{"\x18\x07\x01\x02"}},
		{"/api/file?name=none", 404, []string{"nothing has this name"}},
		{"/api/file", 400, []string{"no file name"}},
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

// Whatever modems ask for, and whatever files say, is text on a page.
func TestPagesEscape(t *testing.T) {
	f := &fake{
		counters: counters{Reasons: []Reason{{"<i>odd", 1}}},
		library: Library{
			Errors: []Message{{"<u>.dcs", "<u>"}}, Warnings: []Message{{"x", "<u>"}}, Failed: start,
			Templates: []Template{{Kind: "Main", Pattern: "(?P<cpe>.)<script>", Pos: "x:1:1"}},
		},
		events: []Event{event(`"><script>alert(1)</script>`, "10.1.2.3", "", "unknown_name")},
	}
	_, base := open(t, f)
	for _, path := range []string{"/", "/events?q=%22%3E%3Cscript%3E", "/explain?name=gold&ip=%3Cscript%3E", "/explain?name=text", "/library?q=%3C", "/devices", "/limits"} {
		status, body := get(t, base+path)
		if status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
		rest := strings.ReplaceAll(body, "<script src=", "")
		for _, bad := range []string{"<script", "<u>", "<i>odd", "<b>7", "<a7>", "<cpe>", "style="} {
			if strings.Contains(rest, bad) {
				t.Errorf("%s has %s", path, bad)
			}
		}
	}
}

func TestPages(t *testing.T) {
	f := &fake{library: Library{Errors: []Message{{"a.dcs:1:2", "wrong"}}, Loaded: start}}
	_, base := open(t, f)
	for _, tt := range []struct {
		path   string
		status int
		want   string
	}{
		{"/nothing", 404, "There is no page /nothing."},
		{"/explain", 200, "Enter the name that a modem requests"},
		{"/explain?ip=10.1.2.3", 400, "No file name"},
		{"/explain?name=none", 200, "1 error in the library"},
		{"/explain?name=gold", 200, `<span class="tag bad">INVALID</span> CM MIC`},
		{"/events?limit=x", 400, "Limit=x is not"},
		{"/events?q=10.1.2.3", 200, "has not asked this server"},
		{"/assets/none", 404, "there is no such file"},
		{"/library", 200, "the previous library is served"},
		{"/devices", 200, "connection refused"},
	} {
		if status, body := get(t, base+tt.path); status != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("%s: %d, no %q in %s", tt.path, status, tt.want, body)
		}
	}
}

func TestLimitsForm(t *testing.T) {
	f := &fake{}
	_, base := open(t, f)
	post := func(allow, rate, burst string) string {
		t.Helper()
		resp, err := operator.PostForm(base+"/limits", url.Values{"allow": {allow}, "rate": {rate}, "burst": {burst}})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return string(body)
	}
	if body := post("10.0.0.0/8\r\nfd00::/8", "2.5", "20"); !strings.Contains(body, "are in force") {
		t.Error(body)
	}
	if want := fmt.Sprint(Limits{[]string{"10.0.0.0/8", "fd00::/8"}, 2.5, 20}); fmt.Sprint(f.limits) != want {
		t.Errorf("%v, want %s", f.limits, want)
	}
	if body := post("", "fast", "20"); !strings.Contains(body, "not a number of requests per second. The limits are unchanged") {
		t.Error(body)
	}
	f.refuse = errors.New("10.0.0.1/99 is no prefix")
	if body := post("10.0.0.1/99", "0", "1"); !strings.Contains(body, "10.0.0.1/99 is no prefix") || !strings.Contains(body, "10.0.0.1/99\n</textarea>") {
		t.Error(body)
	}
	if f.limits.Rate != 2.5 {
		t.Errorf("limits were changed: %v", f.limits)
	}
}

// Sources are loaded anew by the API and by a form of the page; whoever is held back for what it has lost has one that accepts it.
func TestReloadDevices(t *testing.T) {
	f := &fake{}
	_, base := open(t, f)
	for _, tt := range []struct {
		body   string
		status int
		want   string
	}{
		{"", 200, `"name":"sql"`},
		{`{"source":"sql"}`, 200, `"held":"too many are lost"`},
		{`{"source":"csv <a>","force":true}`, 200, `"name":"sql"`},
		{`{"source":"none"}`, 400, "no source of devices is called none"},
		{`{"sauce":"sql"}`, 400, "sauce"},
	} {
		resp, err := operator.Post(base+"/api/devices/reload", "application/json", strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != tt.status || !strings.Contains(string(body), tt.want) {
			t.Errorf("%s: %s %s; want %d, %s", tt.body, resp.Status, body, tt.status, tt.want)
		}
	}
	_, page := get(t, base+"/devices")
	form := regexp.MustCompile(`<input type="hidden" name="source" value="([^"]*)">`).FindAllStringSubmatch(page, -1)
	if len(form) != 1 || html.UnescapeString(form[0][1]) != "csv <a>" {
		t.Fatalf("the forms that accept a loss are for %q", form)
	}
	for _, tt := range []struct {
		form url.Values
		want string
	}{
		{url.Values{"source": {"csv <a>"}, "force": {"yes"}}, "being reloaded"},
		{url.Values{}, "being reloaded"},
		{url.Values{"source": {"none"}}, "No source of devices is called none"},
	} {
		resp, err := operator.PostForm(base+"/devices/reload", tt.form)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if !strings.Contains(string(body), tt.want) {
			t.Errorf("%v: no %q in %s", tt.form, tt.want, body)
		}
	}
	want := []DevicesReload{{}, {"sql", false}, {"csv <a>", true}, {"csv <a>", true}, {}}
	if !slices.Equal(f.devices, want) {
		t.Errorf("asked for %v, want %v", f.devices, want)
	}
}

// Each TLV's octets stand in an element of their own, inside that of the TLV around it.
func TestHexView(t *testing.T) {
	x, _ := (&fake{}).Explain(t.Context(), Question{Name: "gold"})
	_, got, _ := strings.Cut(string(hexView(x.Body, x.Tree)), `<div class="octets">`)
	got, _, _ = strings.Cut(got, "</div>")
	want := `<span id="b0" data-tlv="0"><i>18 07</i> <span id="b1" data-tlv="1"><i>01 02</i> 00 01</span> <span id="b2" data-tlv="2"><i>06 01</i> 07</span></span> ` +
		`<span id="b3" data-tlv="3"><i>03 01</i> 01</span> <span id="b4" data-tlv="4"><i>ff</i></span> 00 00 00`
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	// A file that is cut leaves no element open.
	cut := string(hexView(x.Body[:5], x.Tree))
	if strings.Count(cut, "<span") != strings.Count(cut, "</span>") {
		t.Error(cut)
	}
}

func TestText(t *testing.T) {
	for got, want := range map[string]string{
		num(0): "0", num(999): "999", num(uint64(1234567)): "1\u202f234\u202f567", num(-1000): "-1\u202f000",
		rateText(0): "0", rateText(0.04): "0.0", rateText(9.94): "9.9", rateText(12345.6): "12\u202f346",
		secsText(0): "—", secsText(12e-6): "12\u00a0µs", secsText(3.46e-3): "3.5\u00a0ms", secsText(2): "2.0\u00a0s",
		agoText(start, start.Add(59*time.Second)): "59\u00a0s", agoText(start, start.Add(61*time.Minute)): "1\u00a0h 1\u00a0min",
		agoText(start, start.Add(72*time.Hour)): "3\u00a0days", agoText(start.Add(time.Hour), start): "0\u00a0s",
		safeName("a/b\"c.cm"): "a_b_c.cm", safeName(".x"): "file.x", safeName(""): "file",
		macDigits("0a:01"): "0a01", macDigits("gold"): "", macDigits("ab"): "",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
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
	for deadline := time.Now().Add(20 * time.Second); len(c.events.search(query{Limit: 1}).Events) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing was fetched")
		}
	}
	cancel()
	<-done
}

// Where changes are refused, no page offers one.
func TestReadOnlyPages(t *testing.T) {
	f := &fake{library: Library{Errors: []Message{{"", "held back"}}, HeldBack: true, Loaded: start}}
	_, closed := openWith(t, f, slog.New(slog.DiscardHandler), "")
	_, open := open(t, f)
	for _, path := range []string{"/", "/events", "/explain?name=gold", "/library", "/devices", "/limits"} {
		_, page := get(t, closed+path)
		if form := regexp.MustCompile(`(?s)<form[^>]*method="post".*?</form>`).FindString(page); strings.Contains(form, "<button") || !strings.Contains(page, ">read-only</span>") {
			t.Errorf("%s has no sign that it is read-only, or %s", path, form)
		}
		_, page = get(t, open+path)
		if strings.Contains(page, ">read-only</span>") {
			t.Errorf("%s is read-only for the operator", path)
		}
	}
}

// The log has a line about each change that the console registers, whoever brings a new one.
func TestChangesAreAudited(t *testing.T) {
	var log lockedBuffer
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
		log.reset()
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
		for text := range strings.Lines(log.text()) {
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

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lockedBuffer) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}
