package console

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"math"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"dcs/cmd/internal/admin"
)

//go:embed templates assets
var files embed.FS

// Limits of a page.
const (
	pageEvents = 100
	pageRows   = 500
	pageOctets = 16 << 10
	pageText   = 64 << 10
)

// page is what a template sees.
type page struct {
	Title, Host     string
	Nav             []place
	Token           bool // there is something to log out from
	ReadOnly        bool // changes would be refused
	Live            bool
	Notice, Problem string
	Now             time.Time

	State     *State
	Chart     template.HTML
	Peak      float64
	Failures  []Event
	Events    Events
	Query     query
	Searched  bool
	Reasons   []chosen
	Older     string
	Question  Question
	X         *Explanation
	Advice    string
	Suspect   string // what is wrong with the library, and may be the cause
	Download  string
	Hex       template.HTML
	HexCut    int
	ShortText string
	Library   *Library
	Found     []Template
	Sources   []Source
	Limits    *Limits
	Next      string // of the login form
	Complaint string
}

type place struct {
	Path, Name string
	Here       bool
}

type chosen struct {
	Name   string
	Chosen bool
}

// site makes pages.
type site struct {
	c         *Console
	host      string
	token     bool
	assets    map[string]asset
	templates map[string]*template.Template
}

type asset struct {
	body []byte
	kind string
	sum  string
}

func (c *Console) pages(s *admin.Server) {
	p := &site{c: c, host: c.b.Facts().Host, token: s.TokenNeeded(), assets: map[string]asset{}, templates: map[string]*template.Template{}}
	p.load()
	s.Public("GET /assets/{name}", http.HandlerFunc(p.asset))
	s.LoginForm(p.login)
	for pattern, h := range map[string]func(*http.Request, *page) (int, error){
		"GET /{$}": p.overview, "GET /events": p.events, "GET /explain": p.explain, "GET /library": p.library, "GET /devices": p.devices, "GET /limits": p.limits,
	} {
		s.Handle(pattern, p.handler(pattern, h))
	}
	s.Handle("POST /library/reload", http.HandlerFunc(p.reload))
	s.Handle("POST /devices/reload", http.HandlerFunc(p.reloadDevices))
	s.Handle("POST /limits", http.HandlerFunc(p.setLimits))
	s.Handle("/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.show(w, r, http.StatusNotFound, "devices", &page{Title: "Not found", Problem: "There is no page " + r.URL.Path + "."})
	}))
}

var places = []place{
	{"/", "Overview", false},
	{"/events", "Events", false},
	{"/explain", "Explain", false},
	{"/library", "Library", false},
	{"/devices", "Devices", false},
	{"/limits", "Limits", false},
}

// load reads what is embedded. An error there is a fault of the build, which the tests see.
func (p *site) load() {
	must := func(err error) {
		if err != nil {
			panic("console: " + err.Error())
		}
	}
	names, err := fs.Glob(files, "assets/*")
	must(err)
	for _, n := range names {
		body, err := files.ReadFile(n)
		must(err)
		sum := sha256.Sum256(body)
		p.assets[path.Base(n)] = asset{body, mime.TypeByExtension(path.Ext(n)), hex.EncodeToString(sum[:6])}
	}
	funcs := template.FuncMap{
		"asset":   func(name string) string { return "/assets/" + name + "?v=" + p.assets[name].sum },
		"num":     num,
		"rate":    rateText,
		"secs":    secsText,
		"ago":     agoText,
		"bytes":   func(n int) string { return num(n) + " octets" },
		"clock":   func(t time.Time) template.HTML { return clock(t) },
		"percent": func(f float64) string { return strconv.FormatFloat(100*f, 'f', 1, 64) + " %" },
		"plain":   func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) },
		"reason":  func(name string) string { return strings.ReplaceAll(name, "_", " ") },
		"addr":    addrText,
		"depth":   func(n int) int { return min(n, 4) },
		"verdict": verdictClass,
		"explain": func(e Event) string { return "/explain?" + questionQuery(questionAbout(e)) },
		"head":    head,
	}
	base := template.Must(template.New("base.html").Funcs(funcs).ParseFS(files, "templates/base.html"))
	for _, n := range []string{"overview", "events", "explain", "library", "devices", "limits"} {
		p.templates[n] = template.Must(template.Must(base.Clone()).ParseFS(files, "templates/"+n+".html"))
	}
	p.templates["login"] = template.Must(template.New("login.html").Funcs(funcs).ParseFS(files, "templates/login.html"))
}

func (p *site) asset(w http.ResponseWriter, r *http.Request) {
	a, ok := p.assets[r.PathValue("name")]
	if !ok {
		admin.WriteError(w, http.StatusNotFound, errors.New("there is no such file"))
		return
	}
	w.Header().Set("Content-Type", a.kind)
	w.Header().Set("Cache-Control", "private, max-age=86400")
	_, _ = w.Write(a.body)
}

func (p *site) login(w http.ResponseWriter, status int, next, complaint string) {
	p.write(w, status, "login", &page{Next: next, Complaint: complaint})
}

// handler makes a page of what h fills in; its status is 200 unless h says otherwise.
func (p *site) handler(pattern string, h func(*http.Request, *page) (int, error)) http.Handler {
	at := strings.TrimSuffix(strings.TrimPrefix(pattern, "GET "), "{$}")
	name := cmp.Or(strings.TrimPrefix(at, "/"), "overview")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pg := &page{}
		for _, pl := range places {
			if pl.Path == at {
				pg.Title = pl.Name
			}
		}
		status, err := h(r, pg)
		if err != nil {
			status, pg.Problem = http.StatusBadRequest, problem(err)
		}
		p.show(w, r, status, name, pg)
	})
}

func (p *site) show(w http.ResponseWriter, r *http.Request, status int, name string, pg *page) {
	pg.Host, pg.Token, pg.ReadOnly, pg.Now = p.host, p.token, !admin.MayChange(r), p.c.now()
	pg.Nav = slices.Clone(places)
	for i := range pg.Nav {
		pg.Nav[i].Here = pg.Nav[i].Path == r.URL.Path
	}
	p.write(w, status, name, pg)
}

func (p *site) write(w http.ResponseWriter, status int, name string, pg *page) {
	var b bytes.Buffer
	if err := p.templates[name].Execute(&b, pg); err != nil {
		admin.WriteError(w, http.StatusInternalServerError, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

func (p *site) overview(_ *http.Request, pg *page) (int, error) {
	s := p.c.State()
	pg.Live, pg.State = true, &s
	pg.Chart, pg.Peak = chart(s.History)
	pg.Failures = p.c.search(query{Which: "failed", Limit: 8}).Events
	return http.StatusOK, nil
}

func (p *site) events(r *http.Request, pg *page) (int, error) {
	q, err := searchOf(r, pageEvents)
	pg.Query = q
	if err != nil {
		return 0, err
	}
	pg.Live = q.Before == 0
	pg.Searched = q.Text != "" || q.Reason != "" || q.Which != ""
	pg.Events = p.c.search(q)
	for _, c := range reasons(p.c.b.Metrics()) {
		pg.Reasons = append(pg.Reasons, chosen{c.Name, c.Name == q.Reason})
	}
	if q.Reason != "" && !slices.Contains(pg.Reasons, chosen{q.Reason, true}) {
		pg.Reasons = append(pg.Reasons, chosen{q.Reason, true})
	}
	if n := len(pg.Events.Events); pg.Events.More && n > 0 {
		v := r.URL.Query()
		v.Set("before", strconv.FormatUint(pg.Events.Events[n-1].ID, 10))
		pg.Older = "/events?" + v.Encode()
	}
	return http.StatusOK, nil
}

func (p *site) explain(r *http.Request, pg *page) (int, error) {
	q := questionOf(r)
	pg.Question = q
	if q.Name == "" && q.IP == "" && q.MAC == "" {
		return http.StatusOK, nil
	}
	x, err := p.c.b.Explain(r.Context(), q)
	if err != nil {
		return 0, err
	}
	pg.X = x
	pg.Download = "/api/file?" + questionQuery(q)
	pg.Advice = advice(x)
	if l := p.c.b.Library(); x.Error != "" && len(l.Errors) > 0 {
		pg.Suspect = fmt.Sprintf("%s in the library, which was not loaded whole", plural(len(l.Errors), "error"))
	}
	shown := x.Body
	if len(shown) > pageOctets {
		shown, pg.HexCut = shown[:pageOctets], pageOctets
	}
	if x.Text == "" {
		pg.Hex = hexView(shown, x.Tree)
	}
	pg.ShortText = x.Text
	if len(x.Text) > pageText {
		pg.ShortText = strings.ToValidUTF8(x.Text[:pageText], "") + "\n…"
	}
	return http.StatusOK, nil
}

// advice is what an operator may look at next.
func advice(x *Explanation) string {
	switch x.Reason {
	case "unknown_name":
		return "The modem was told a name by DHCP that the library does not have. Compare it with the templates on the Library page."
	case "missing_attribute":
		return "Give the attribute to the device, or a default to the template."
	case "no_mac":
		return "The name holds no MAC address and no source knows the modem's IP address: try it with the MAC address, or look at Devices."
	case "asking":
		return "A source of devices is slow or down; the state of each is on the Devices page."
	}
	return ""
}

func (p *site) library(r *http.Request, pg *page) (int, error) {
	l := p.c.b.Library()
	pg.Library = &l
	pg.Query.Text = r.URL.Query().Get("q")
	word := strings.ToLower(pg.Query.Text)
	for _, t := range l.Templates {
		if strings.Contains(strings.ToLower(t.Kind+"\n"+strings.Join(t.Names, "\n")+"\n"+t.Pattern+"\n"+t.Pos), word) {
			pg.Found = append(pg.Found, t)
		}
	}
	if r.URL.Query().Get("done") == "reload" && len(l.Errors) == 0 {
		pg.Notice = "The library was read anew."
	}
	return http.StatusOK, nil
}

func (p *site) reload(w http.ResponseWriter, r *http.Request) {
	// What went wrong is on the page that follows.
	_ = p.c.b.Reload(r.Context(), r.PostFormValue("force") != "")
	http.Redirect(w, r, "/library?done=reload", http.StatusSeeOther)
}

func (p *site) devices(r *http.Request, pg *page) (int, error) {
	pg.Live, pg.Sources = true, p.c.b.Devices()
	if r.URL.Query().Get("done") == "reload" {
		pg.Notice = "The devices are being loaded anew."
	}
	return http.StatusOK, nil
}

func (p *site) reloadDevices(w http.ResponseWriter, r *http.Request) {
	if err := p.c.b.ReloadDevices(r.PostFormValue("source"), r.PostFormValue("force") != ""); err != nil {
		p.show(w, r, http.StatusUnprocessableEntity, "devices", &page{Title: "Devices", Problem: problem(err), Sources: p.c.b.Devices()})
		return
	}
	http.Redirect(w, r, "/devices?done=reload", http.StatusSeeOther)
}

func (p *site) limits(r *http.Request, pg *page) (int, error) {
	pg.Limits = p.c.b.Limits()
	if r.URL.Query().Get("done") == "set" {
		pg.Notice = "The limits hold from now on."
	}
	return http.StatusOK, nil
}

func (p *site) setLimits(w http.ResponseWriter, r *http.Request) {
	l := Limits{Allow: strings.FieldsFunc(r.PostFormValue("allow"), func(c rune) bool { return strings.ContainsRune(" ,\t\r\n", c) })}
	var err error
	if l.Rate, err = strconv.ParseFloat(strings.TrimSpace(r.PostFormValue("rate")), 64); err != nil {
		err = fmt.Errorf("%q is no number of requests a second", r.PostFormValue("rate"))
	}
	if err == nil {
		if l.Burst, err = strconv.Atoi(strings.TrimSpace(r.PostFormValue("burst"))); err != nil {
			err = fmt.Errorf("%q is no number of requests", r.PostFormValue("burst"))
		}
	}
	if err == nil {
		err = p.c.b.SetLimits(l)
	}
	if err != nil {
		p.show(w, r, http.StatusUnprocessableEntity, "limits", &page{Title: "Limits", Problem: upper(err.Error()) + ". The limits stay as they were.", Limits: &l})
		return
	}
	http.Redirect(w, r, "/limits?done=set", http.StatusSeeOther)
}

func questionAbout(e Event) Question {
	q := Question{Name: e.Name, MAC: e.MAC}
	if e.Client.IsValid() {
		q.IP = e.Client.WithZone("").String()
	}
	return q
}

func questionQuery(q Question) string {
	v := url.Values{"name": {q.Name}}
	if q.IP != "" {
		v.Set("ip", q.IP)
	}
	if q.MAC != "" {
		v.Set("mac", q.MAC)
	}
	return v.Encode()
}

func head(list any) any {
	switch list := list.(type) {
	case []Message:
		return list[:min(len(list), pageRows)]
	case []Template:
		return list[:min(len(list), pageRows)]
	}
	return list
}

func verdictClass(v string) string {
	switch v {
	case "valid":
		return "good"
	case "INVALID":
		return "bad"
	}
	return "warn"
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return "—"
	}
	return a.String()
}

// problem is an error as a page tells it.
func problem(err error) string {
	return upper(strings.TrimPrefix(err.Error(), ErrQuestion.Error()+": "))
}

func upper(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return strings.ToUpper(string(r)) + s[n:]
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return num(n) + " " + what + "s"
}

// num writes an integer with a thin space between thousands.
func num(v any) string {
	s := fmt.Sprint(v)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

func rateText(f float64) string {
	switch {
	case f == 0:
		return "0"
	case f < 9.95:
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return num(int64(f + .5))
}

func secsText(f float64) string {
	switch {
	case f == 0:
		return "—"
	case f < 1e-3:
		return strconv.FormatFloat(f*1e6, 'f', 0, 64) + "\u00a0µs"
	case f < 1:
		return strconv.FormatFloat(f*1e3, 'f', 1, 64) + "\u00a0ms"
	}
	return strconv.FormatFloat(f, 'f', 1, 64) + "\u00a0s"
}

func agoText(t, now time.Time) string {
	d := max(now.Sub(t), 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d\u00a0s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d\u00a0min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d\u00a0h %d\u00a0min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d\u00a0days", int(d.Hours()/24))
}

func clock(t time.Time) template.HTML {
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`,
		t.Format(time.RFC3339Nano), t.Format("2006-01-02 15:04:05.000 MST"), t.Format("15:04:05.000")))
}

// chart draws what was served and what failed, a second a step.
func chart(h []Rates) (template.HTML, float64) {
	const width, height = historySeconds - 1, 100.0
	top, peak := 1.0, 0.0
	for _, r := range h {
		peak = max(peak, r.Requests)
		top = max(top, r.Served, r.Failed)
	}
	line := func(of func(Rates) float64) string {
		var b strings.Builder
		for i, r := range h {
			fmt.Fprintf(&b, "%d,%.1f ", width-len(h)+1+i, height-of(r)/top*(height-4))
		}
		return b.String()
	}
	served := line(func(r Rates) float64 { return r.Served })
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %d 101" preserveAspectRatio="none" role="img" aria-label="Requests served and failed in each second of the last five minutes; the peak is %s a second">`, width, rateText(peak))
	for _, y := range []int{4, 52, 100} {
		fmt.Fprintf(&b, `<line class="grid" x1="0" x2="%d" y1="%d" y2="%d"/>`, width, y, y)
	}
	if len(h) > 1 {
		fmt.Fprintf(&b, `<polygon class="area" points="%d,100 %s%d,100"/><polyline class="line" points="%s"/>`, width-len(h)+1, served, width, served)
		fmt.Fprintf(&b, `<polyline class="fail" points="%s"/>`, line(func(r Rates) float64 { return r.Failed }))
	}
	b.WriteString("</svg>")
	return template.HTML(b.String()), peak
}

// hexView shows octets in rows of 16 (of 8 on narrow screens). The octets of each TLV stand in an element of their own, as
// TLVs lie within one another; type and length are dimmed.
func hexView(file []byte, tree []TLV) template.HTML {
	var b strings.Builder
	b.WriteString(`<div class="hex">`)
	for _, w := range []struct {
		class string
		n     int
	}{{"wide", 16}, {"narrow", 8}} {
		fmt.Fprintf(&b, `<pre class="%s" aria-hidden="true">`, w.class)
		for at := 0; at < len(file); at += w.n {
			fmt.Fprintf(&b, "%04x\n", at)
		}
		b.WriteString("</pre>")
	}
	b.WriteString(`<div class="octets">`)
	at, spaced := 0, false
	gap := func() { // between octets, not at the end of an element, where it would light up with it
		if at > 0 && !spaced {
			b.WriteByte(' ')
		}
		spaced = true
	}
	octets := func(to int) {
		for ; at < min(to, len(file)); at++ {
			gap()
			fmt.Fprintf(&b, "%02x", file[at])
			spaced = false
		}
	}
	var ends []int // of the TLVs that are open
	closeUntil := func(offset int) {
		for len(ends) > 0 && ends[len(ends)-1] <= offset {
			octets(ends[len(ends)-1])
			b.WriteString("</span>")
			ends = ends[:len(ends)-1]
		}
	}
	for i, t := range tree {
		closeUntil(t.Offset)
		octets(t.Offset)
		gap()
		fmt.Fprintf(&b, `<span id="b%d" data-tlv="%d"><i>`, i, i)
		octets(t.Offset + t.Head)
		b.WriteString("</i>")
		ends = append(ends, t.Offset+t.Length)
	}
	closeUntil(math.MaxInt)
	octets(len(file))
	b.WriteString(`</div><pre class="wide" aria-hidden="true">`)
	for i, c := range file {
		if c < 0x20 || c > 0x7e {
			c = '.'
		}
		b.WriteString(template.HTMLEscapeString(string(rune(c))))
		if i%16 == 15 {
			b.WriteByte('\n')
		}
	}
	b.WriteString("</pre></div>")
	return template.HTML(b.String())
}
