package console

import (
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

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
	for _, path := range []string{"/", "/events?q=%22%3E%3Cscript%3E", "/explain?name=gold&ip=%3Cscript%3E", "/explain?name=text", "/library?q=%3C", "/check?template=%3Cu%3E&q=%3Cu%3E", "/devices", "/limits"} {
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
		{"/explain?name=none", 200, `The modem</h2>`},
		{"/explain?name=text", 200, `The modem <span class="m">0a:01:02:03:04:05</span> <span class="m">10.1.2.3</span></h2>`},
		{"/explain?name=gold", 200, `<span class="tag bad">INVALID</span> CM MIC`},
		{"/explain?name=gold&says=reject(c)", 200, `<span class="m">gold.dcs:3:5</span> · &lt;b&gt; [cl-flow]`},
		{"/events?limit=x", 400, "Limit=x is not"},
		{"/events?q=10.1.2.3", 200, "has not asked this server"},
		{"/assets/none", 404, "there is no such file"},
		{"/check", 200, "1 error, 1 warning, 0 notes"},
		{"/check?q=max", 200, `<td class="m wrap">x.cm: offset 9</td>`},
		{"/check?q=nothing", 200, "Nothing above a note was found"},
		{"/check?notes=on&q=note", 200, "size-tftp"},
		{"/check?template=a.dcs:1:1", 200, `name="template" value="a.dcs:1:1"`},
		{"/check?template=slow", 200, "templates are judged so far"},
		{"/check?template=none", 400, "No template is at none"},
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
