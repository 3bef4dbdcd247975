package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"dcs/bench/require"
	api "dcs/cmd/internal/admin/client"
	"dcs/cmd/internal/admin/console"
	"dcs/cmd/internal/adminapi"
	"dcs/render/secret"
)

// chromium returns the path of a browser.
func chromium(t *testing.T) string {
	t.Helper()
	require.Long(t, "a browser")
	unraced(t)
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	require.Missing(t, "CHROMIUM", "chromium is missing: make deps installs it")
	return ""
}

// browser is a tab. Its methods fail the test.
type browser struct {
	t   *testing.T
	ctx context.Context
	dir string // of screenshots

	mu    sync.Mutex
	wrong []string // what the browser has complained of
}

func newBrowser(t *testing.T) *browser {
	path := chromium(t)
	dir := t.ArtifactDir()
	if keep := os.Getenv("DCS_SCREENSHOTS"); keep != "" {
		dir = keep // to be looked at, as go test -artifacts keeps them too
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.WindowSize(1320, 1000),
		chromedp.WSURLReadTimeout(time.Minute), chromedp.UserDataDir(t.TempDir()))
	if os.Getuid() == 0 {
		opts = append(opts, chromedp.NoSandbox)
	}
	ctx, cancel := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 8*time.Minute)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx, dir: dir}
	err := chromedp.Listen(ctx, func(ev any) {
		text := ""
		switch ev := ev.(type) {
		case *log.EventEntryAdded:
			text = fmt.Sprintf("%s: %s %s", ev.Entry.Level, ev.Entry.Text, ev.Entry.URL)
		case *runtime.EventExceptionThrown:
			text = fmt.Sprintf("%s, line %d: %s", ev.ExceptionDetails.URL, ev.ExceptionDetails.LineNumber, ev.ExceptionDetails.Text)
		default:
			return
		}
		b.mu.Lock()
		b.wrong = append(b.wrong, text)
		b.mu.Unlock()
	})
	if err != nil {
		t.Fatal(err)
	}
	call(b, log.Enable, cdp.Empty{})
	return b
}

// login shows the operator's overview. What the browser would like better about the form is passed over: there are no names of users.
func (b *browser) login(base string) {
	b.t.Helper()
	b.do(chromedp.Navigate(base + "/"))
	b.has("h1", "DCS")
	b.do(chromedp.SendKeys(chromedp.CSS("#token"), adminToken+kb.Enter))
	b.has("h1", "Overview")
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wrong = slices.DeleteFunc(b.wrong, func(text string) bool {
		return strings.Contains(text, "should have (optionally hidden) username fields")
	})
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// call runs a command of the browser's protocol.
func call[P, R any](b *browser, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	r, err := chromedp.Call(b.ctx, command, params)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// evaluate returns the value of an expression in JavaScript. Between two pages Chromium has
// nothing to evaluate it in, and says so; it is asked again then.
func evaluate[T any](b *browser, expression string) (v T) {
	b.t.Helper()
	eventually(b.t, expression+" has a page", func() bool {
		var err error
		v, err = chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
		if err != nil && (strings.Contains(err.Error(), "execution context") || strings.Contains(err.Error(), "navigated or closed")) {
			return false
		}
		if err != nil {
			b.t.Fatal(err)
		}
		return true
	})
	return v
}

func (b *browser) eval(expression string) string {
	b.t.Helper()
	return evaluate[string](b, "String("+expression+")")
}

// has waits until a selector's text holds another.
func (b *browser) has(selector, text string) {
	b.t.Helper()
	got := ""
	eventually(b.t, fmt.Sprintf("%s has %q", selector, text), func() bool {
		got = b.text(selector)
		return strings.Contains(got, text)
	})
}

// text reads the page without its scripts.
func (b *browser) text(selector string) string {
	b.t.Helper()
	return b.eval(fmt.Sprintf(`[...document.querySelectorAll(%q)].map(e => e.innerText).join("\n")`, selector))
}

func (b *browser) screenshot(name string) {
	b.t.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.dir, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) scheme(name string) {
	b.t.Helper()
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
}

// accessible is what a page must be for those who cannot see it, or do not see well. It returns
// what is wrong.
const accessible = `(() => {
	const wrong = [];
	const say = (what, e) => wrong.push(what + ": " + e.outerHTML.slice(0, 120));
	const seen = e => e.getClientRects().length > 0 && getComputedStyle(e).visibility !== "hidden";
	if (!document.documentElement.lang) wrong.push("the page has no language");
	if (!document.title) wrong.push("the page has no title");
	if (document.querySelectorAll("main").length !== 1) wrong.push("the page has not one main");
	let level = 0;
	for (const h of document.querySelectorAll("h1,h2,h3,h4,h5,h6")) {
		const n = +h.tagName[1];
		if (n > level + 1) say("a heading skips a level", h);
		if (!h.innerText.trim() && !h.textContent.trim()) say("an empty heading", h);
		level = n;
	}
	if (document.querySelectorAll("h1").length !== 1) wrong.push("the page has not one h1");
	for (const e of document.querySelectorAll("input:not([type=hidden]),select,textarea"))
		if (![...e.labels].some(l => l.innerText.trim())) say("no label", e);
	for (const e of document.querySelectorAll("a[href],button"))
		if (seen(e) && !e.innerText.trim() && !e.getAttribute("aria-label")) say("no name", e);
	for (const e of document.querySelectorAll("th")) if (!e.scope) say("no scope", e);
	for (const e of document.querySelectorAll("img,svg"))
		if (!e.hasAttribute("alt") && !e.hasAttribute("aria-label") && e.getAttribute("aria-hidden") !== "true") say("no text instead", e);
	for (const e of document.querySelectorAll("[aria-labelledby],[aria-describedby],[aria-controls]"))
		for (const a of ["aria-labelledby", "aria-describedby", "aria-controls"])
			for (const id of (e.getAttribute(a) ?? "").split(/\s+/).filter(Boolean))
				if (!document.getElementById(id)) say("points at " + id + ", which is not there", e);
	const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
	for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) wrong.push("the id " + id + " twice");
	for (const e of document.querySelectorAll("[tabindex]")) if (e.tabIndex > 0) say("a tab order of its own", e);
	for (const e of document.querySelectorAll("*")) {
		const o = getComputedStyle(e);
		if (e.scrollWidth > e.clientWidth + 1 && (o.overflowX === "auto" || o.overflowX === "scroll") && e.tagName !== "TEXTAREA" && e.tabIndex < 0 && !e.querySelector("a,button"))
			say("scrolls, but not by keyboard", e);
	}
	// Contrast, as WCAG 2 computes it.
	const rgba = s => { const n = s.match(/[\d.]+/g).map(Number); return [n[0], n[1], n[2], n[3] ?? 1]; };
	const light = c => c.slice(0, 3).map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4).reduce((s, v, i) => s + v * [.2126, .7152, .0722][i], 0);
	const ground = e => { for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] === 1) return c; } return [255, 255, 255]; };
	const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	const low = new Set();
	while (texts.nextNode()) {
		const e = texts.currentNode.parentElement;
		if (!texts.currentNode.data.trim() || !seen(e) || e.closest("script,style,noscript")) continue;
		const a = light(rgba(getComputedStyle(e).color)), b = light(ground(e));
		const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
		if (ratio < 4.5 && !low.has(e.className)) { low.add(e.className); say("contrast " + ratio.toFixed(2), e); }
	}
	if (document.documentElement.scrollWidth > innerWidth + 1) wrong.push("the page is wider than the window: " + document.documentElement.scrollWidth);
	return wrong.join("\n");
})()`

func (b *browser) check(page string) {
	b.t.Helper()
	if wrong := b.eval(accessible); wrong != "" {
		b.t.Errorf("%s: %s", page, wrong)
	}
}

// site starts a server that modems have asked already, and returns where its admin page is.
func site(t *testing.T, args ...string) (base string) {
	t.Helper()
	dir := t.TempDir()
	lib := filepath.Join(dir, "library")
	if err := os.CopyFS(lib, os.DirFS("../../testdata/library")); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("library/home.dcs", `Main ~ "^home-(?P<cpe>[0-9]+)\.bin$" {
    NetworkAccess 1;
    MaxCPE $cpe;
    DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; MaxRateSustained $down * 1000000; }
    UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; ServiceClassName "$class"; }
    SnmpMibObject docsDevNmAccessIp.1 IPAddress 198.18.0.10;
    SnmpMibObject sysContact.0 String "noc@example.net";
    TftpTimestamp $time;
    TftpModemAddress $ip;
}
`)
	write("devices.csv", "mac,ip,down,class\n0a:01:02:03:04:05,10.1.2.3,500,gold\n0a:01:02:03:04:06,10.1.2.4,50,\n")
	admin := freeAddress(t)
	cfg := write("dcs.yaml", fmt.Sprintf("library: library\nstatic: %s\nsecret_file: secret\nadmin: %s\nadmin_token_file: token\ntransport: socket\ndevices:\n  - csv: {path: devices.csv}\ndevices_dir: state\n",
		mustAbs(t, "../../testdata/static"), admin))
	write("secret", sharedSecret+"\n")
	write("token", adminToken+"\n")
	p := serve(t, append([]string{"--config", cfg}, args...)...)
	for _, name := range []string{"basic.cm", "res-cpe4-gold.bin", "home-4.bin@0a0102030405", "motd.txt", "phone.cm"} {
		if r := dcs("", "get", "127.0.0.1:"+p.port, name, "-o", os.DevNull); r.status != done {
			t.Errorf("%s: %s", name, r.stderr)
		}
	}
	for _, name := range []string{"home-4.bin@0a0102030406", "res-cpe9-lead.bin", "cm-000ca1b2c3d4.cfg"} {
		if r := dcs("", "get", "127.0.0.1:"+p.port, name, "-o", os.DevNull); r.status != failed {
			t.Errorf("%s was served", name)
		}
	}
	return "http://" + admin
}

const (
	sharedSecret = "the-secret-of-the-cmts"
	adminToken   = "the-token-of-the-operator"
)

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// An operator finds a modem that did not come up among the events, and is told why.
func TestBrowser(t *testing.T) {
	t.Parallel()
	require.Longest(t, "every page of the site")
	b := newBrowser(t)
	base := site(t)
	b.scheme("light")

	b.login(base)
	b.has("#fails-box", "cm-000ca1b2c3d4.cfg")
	b.has("#fails-box", "missing attribute")
	eventually(t, "the page is live", func() bool { return b.text("[data-live-state]") == "live" })
	b.check("overview")
	b.screenshot("overview-light")

	b.do(chromedp.Click(chromedp.CSS("[data-live-toggle]")))
	b.has("[data-live-state]", "paused")
	b.do(chromedp.Click(chromedp.CSS("[data-live-toggle]")))
	b.has("[data-live-state]", "live")

	b.do(chromedp.Click(`//nav//a[text()="Events"]`))
	b.has("h1", "Events")
	b.has("#events", "home-4.bin@0a0102030406")
	b.check("events")
	b.screenshot("events-light")
	b.do(chromedp.SendKeys(chromedp.CSS("#q"), "0A01.0203.0406"+kb.Enter))
	// The page before the search has this event too: only the others' going tells that it is over.
	eventually(t, "the search finds that modem alone", func() bool {
		text := b.text("#events tbody")
		return strings.Contains(text, "home-4.bin@0a0102030406") && !strings.Contains(text, "res-cpe9")
	})
	b.do(chromedp.Click(`//tbody//a[contains(., "home-4.bin")]`))
	b.has("h1", "Explain")
	b.has(".verdict.bad", "gets no file")
	b.has(".verdict.bad", "the device has no such attribute")
	b.has(".verdict.bad", "home.dcs:5:60")
	b.has("main", "makes the file")
	b.check("explain, failing")
	b.screenshot("explain-failing-light")

	// The modem that came up: its TLVs and octets light up together, by keyboard and by mouse.
	b.do(chromedp.Navigate(base + "/explain?name=home-4.bin&ip=10.1.2.3"))
	b.has(".verdict.good", "is served")
	b.has(".verdict.good", "CMTS MIC")
	if n := b.eval(`document.querySelectorAll(".verdict .tag.good").length`); n != "2" {
		t.Errorf("%s MICs are valid", n)
	}
	b.has("main", "ServiceClassName")
	b.check("explain")
	row := b.eval(`[...document.querySelectorAll(".tree tr[data-tlv]")].find(r => r.innerText.includes("MaxRateSustained")).dataset.tlv`)
	b.do(chromedp.Focus(chromedp.CSS("#t" + row + " a")))
	lit := func() string { return b.eval(`[...document.querySelectorAll(".on")].map(e => e.id).join(" ")`) }
	eventually(t, "the focus lights the TLV and its octets up", func() bool { return lit() == "t"+row+" b"+row })
	if got := b.text("#b" + row); got != "08 04 1d cd 65 00" { // 500,000,000
		t.Errorf("octets of MaxRateSustained: %s", got)
	}
	b.screenshot("explain-light")
	b.do(chromedp.KeyEvent(kb.Tab))
	eventually(t, "Tab lights another up", func() bool { got := lit(); return got != "t"+row+" b"+row && got != "" })
	b.eval(`document.activeElement.blur()`)
	box := evaluate[struct{ X, Y float64 }](b, fmt.Sprintf(`(() => { const e = document.getElementById("t%s"); e.scrollIntoView({block: "center"}); const r = e.getBoundingClientRect(); return {X: r.left + 30, Y: r.top + 8}; })()`, row))
	b.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, box.X, box.Y))
	eventually(t, "the mouse lights it up again", func() bool { return lit() == "t"+row+" b"+row })
	file := read(t, base+b.eval(`document.querySelector(".verdict .button").getAttribute("href")`))
	if len(file) < 100 || len(file)%4 != 0 {
		t.Errorf("the download has %d octets", len(file))
	}

	// The limits are set, and wrong ones are not.
	b.do(chromedp.Navigate(base + "/limits"))
	b.do(chromedp.SetValue(chromedp.CSS("#allow"), "127.0.0.0/8\n10.0.0.0/8"), chromedp.Click(chromedp.CSS("main button")))
	b.has(".notice.good", "are in force")
	if got := b.eval(`document.querySelector("#allow").value.trim()`); got != "127.0.0.0/8\n10.0.0.0/8" {
		t.Errorf("allowed are %q", got)
	}
	b.do(chromedp.SetValue(chromedp.CSS("#allow"), "10.0.0.1/99"), chromedp.Click(chromedp.CSS("main button")))
	b.has(".notice.bad", "10.0.0.1/99")
	b.check("limits")
	b.screenshot("limits-light")

	for _, page := range []string{"library", "check?notes=on", "devices"} {
		b.do(chromedp.Navigate(base + "/" + page))
		page, _, _ = strings.Cut(page, "?")
		b.check(page)
		b.screenshot(page + "-light")
	}
	b.has("main", "devices.csv")

	// Dark, and narrow.
	for _, v := range []struct {
		name, scheme string
		width        int64
	}{{"dark", "dark", 1320}, {"narrow", "light", 390}} {
		b.scheme(v.scheme)
		b.do(chromedp.EmulateViewport(v.width, 900))
		for _, page := range []string{"", "events", "explain?name=home-4.bin&ip=10.1.2.3", "check?notes=on", "limits"} {
			b.do(chromedp.Navigate(base + "/" + page))
			name, _, _ := strings.Cut(page, "?")
			b.check(v.name + " " + name)
			if ground := b.eval(`getComputedStyle(document.body).backgroundColor`); (v.scheme == "dark") != strings.HasPrefix(ground, "rgb(17") {
				t.Errorf("%s: the background is %s", v.name, ground)
			}
			if name == "" {
				name = "overview"
			}
			b.screenshot(name + "-" + v.name)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.wrong {
		if !strings.Contains(w, "422") { // the wrong limits
			t.Errorf("the browser says: %s", w)
		}
	}
}

// Without scripts everything can be read, and links and forms work.
func TestBrowserWithoutScript(t *testing.T) {
	t.Parallel()
	require.Longest(t, "every page of the site")
	b := newBrowser(t)
	base := site(t)
	html := func() string {
		t.Helper()
		root := call(b, dom.GetDocument, dom.GetDocumentParams{}).Root
		return call(b, dom.GetOuterHTML, dom.GetOuterHTMLParams{BackendNodeID: root.BackendNodeID}).OuterHTML
	}
	b.login(base)
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.do(chromedp.Navigate(base + "/events?q=0a:01:02:03:04:06"))
	page := html()
	_, rest, ok := strings.Cut(page, `<a href="/explain?`)
	if !ok {
		t.Fatalf("no event links to its explanation: %s", page)
	}
	target, _, _ := strings.Cut(rest, `"`)
	b.do(chromedp.Navigate(base + "/explain?" + strings.ReplaceAll(target, "&amp;", "&")))
	if page := html(); !strings.Contains(page, "the device has no such attribute") {
		t.Errorf("the explanation says %s", page)
	}
	// A TLV's link lights its octets up by itself.
	b.do(chromedp.Navigate(base + "/explain?name=home-4.bin&ip=10.1.2.3#b4"))
	b.screenshot("explain-without-script")
	b.do(chromedp.Navigate(base + "/"))
	if page := html(); !strings.Contains(page, `http-equiv="refresh"`) || !strings.Contains(page, "Latest failures") {
		t.Error("the overview does not refresh itself")
	}
	b.screenshot("overview-without-script")
}

// Who has the token sees the page; who has not, the login form alone.
func TestBrowserLogin(t *testing.T) {
	t.Parallel()
	require.Longest(t, "a browser")
	b := newBrowser(t)
	base := site(t)
	b.do(chromedp.Navigate(base + "/events?which=failed"))
	b.has("h1", "DCS")
	b.check("login")
	b.screenshot("login")
	b.do(chromedp.SendKeys(chromedp.CSS("#token"), "a wrong one"+kb.Enter))
	b.has(".notice.bad", "Wrong token")
	b.do(chromedp.SendKeys(chromedp.CSS("#token"), adminToken+kb.Enter))
	b.has("h1", "Events")
	b.has("#events", "cm-000ca1b2c3d4.cfg")
	b.do(chromedp.Click(`//button[text()="Log out"]`))
	b.has("main", "Token")
	b.do(chromedp.Navigate(base + "/"))
	b.has("h1", "DCS")
}

// No page and no answer tells a secret.
func TestAdminKeepsSecrets(t *testing.T) {
	t.Parallel()
	base := site(t)
	for _, path := range []string{
		"/", "/events", "/explain?name=home-4.bin&ip=10.1.2.3", "/library", "/check?notes=on", "/devices", "/limits", "/assets/script.js",
		"/api/state", "/api/events", "/api/explain?name=home-4.bin&ip=10.1.2.3", "/api/library", "/api/check?notes=on", "/api/devices", "/api/limits",
	} {
		if body := read(t, base+path); strings.Contains(body, sharedSecret) {
			t.Errorf("%s has the secret", path)
		}
	}
	var l console.Library
	if err := api.Dial(base, secret.New(adminToken)).Post(t.Context(), adminapi.ReloadPath, nil, &l); err != nil || len(l.Errors) > 0 {
		t.Errorf("reload: %+v, %v", l, err)
	}
}

func read(t *testing.T, url string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+adminToken)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b strings.Builder
	if err := resp.Write(&b); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%s: %s", url, resp.Status)
	}
	_, body, _ := strings.Cut(b.String(), "\r\n\r\n")
	return body
}
