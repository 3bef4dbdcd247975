package console

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

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

// page is the data of a template.
type page struct {
	Title, Host     string
	Nav             []place
	Token           bool // there is a session to log out from
	ReadOnly        bool // the caller may not make changes
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
	Suspect   string // errors of the library that may be the cause
	Download  string
	Hex       template.HTML
	HexCut    int
	ShortText string
	Library   *Library
	Found     []Template
	Check     *Check
	Template  string // position; empty: all
	Notes     bool
	Findings  []Finding // those that are searched for
	Sources   []Source
	Limits    *Limits

	ManualPages []manualPage
	ManualBody  template.HTML

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
		"GET /{$}": p.overview, "GET /events": p.events, "GET /explain": p.explain, "GET /library": p.library, "GET /check": p.check, "GET /devices": p.devices, "GET /limits": p.limits,
	} {
		s.Handle(pattern, p.handler(pattern, h))
	}
	s.Handle("GET /manual/{name...}", http.HandlerFunc(p.manual))
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
	{"/check", "Check", false},
	{"/devices", "Devices", false},
	{"/limits", "Limits", false},
	{"/manual/", "Manual", false},
}

// load parses the embedded files. An error is a bug in the build, which tests detect.
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
		"plural":  plural,
		"at":      spotText,
		"grave":   severityClass,
		"explain": func(e Event) string { return "/explain?" + questionQuery(questionAbout(e)) },
		"head":    head,
	}
	base := template.Must(template.New("base.html").Funcs(funcs).ParseFS(files, "templates/base.html"))
	for _, n := range []string{"overview", "events", "explain", "library", "check", "devices", "limits", "manual"} {
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
		pg.Nav[i].Here = pg.Nav[i].Path == r.URL.Path || strings.HasPrefix(r.URL.Path, "/manual/") && pg.Nav[i].Path == "/manual/"
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
