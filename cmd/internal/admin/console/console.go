package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"dcs/cmd/internal/admin"
)

const (
	ringEvents = 20_000 // recorded
	fetchTime  = 100 * time.Millisecond
	maxEvents  = 1000 // in one answer
)

// Console is the admin page and its part of the API.
type Console struct {
	b       Backend
	now     func() time.Time
	events  *events
	history history
}

// New returns a console after it has registered its calls and pages at s.
func New(s *admin.Server, b Backend, now func() time.Time) *Console {
	c := &Console{b: b, now: now, events: newEvents(ringEvents)}
	c.history.add(now(), countersOf(b.Metrics()))
	c.api(s)
	c.pages(s)
	return c
}

// Run records events and counters until ctx ends.
func (c *Console) Run(ctx context.Context) {
	fetch, second := time.NewTicker(fetchTime), time.NewTicker(time.Second)
	defer fetch.Stop()
	defer second.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-fetch.C:
			c.fetch()
		case <-second.C:
			c.history.add(c.now(), countersOf(c.b.Metrics()))
		}
	}
}

func (c *Console) fetch() {
	var list []Event
	dropped := c.b.Outcomes(func(e Event) { list = append(list, e) })
	c.events.add(list, dropped)
}

// State returns the server's state.
func (c *Console) State() State {
	counters, now := countersOf(c.b.Metrics()), c.now()
	s := State{
		Facts: c.b.Facts(), Now: now, Workers: counters.Workers, Reasons: counters.Reasons, Learned: counters.Learned, Devices: c.b.Devices(),
		Totals: counters.Totals,
	}
	s.Uptime = now.Sub(s.Started).Seconds()
	if n := counters.Hits + counters.Misses; n > 0 {
		s.HitRatio = float64(counters.Hits) / float64(n)
	}
	for _, w := range s.Workers {
		s.Active += w.Active
	}
	lib := c.b.Library()
	s.Templates, s.Static, s.Loaded, s.Warnings, s.Errors = len(lib.Templates), lib.Static, lib.Loaded, len(lib.Warnings), len(lib.Errors)
	c.history.now(now, &counters, &s)
	return s
}

func (c *Console) api(s *admin.Server) {
	get := func(path string, f func(r *http.Request) (any, error)) {
		s.Handle("GET "+path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			v, err := f(r)
			if err != nil {
				admin.WriteError(w, status(err), err)
				return
			}
			admin.WriteJSON(w, v)
		}))
	}
	get("/api/state", func(*http.Request) (any, error) { return c.State(), nil })
	get("/api/events", func(r *http.Request) (any, error) {
		q, err := searchOf(r, 100)
		if err != nil {
			return nil, err
		}
		return c.search(q), nil
	})
	get("/api/explain", func(r *http.Request) (any, error) { return c.b.Explain(r.Context(), questionOf(r)) })
	get("/api/check", func(r *http.Request) (any, error) { return c.check(r) })
	get("/api/library", func(*http.Request) (any, error) { return c.b.Library(), nil })
	get("/api/devices", func(*http.Request) (any, error) { return c.b.Devices(), nil })
	s.Handle("GET /api/file", http.HandlerFunc(c.file))
	s.Handle("POST /api/reload", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in LibraryReload
		if err := decodeBody(r, &in); err != nil {
			admin.WriteError(w, status(err), err)
			return
		}
		if err := c.b.Reload(r.Context(), in.Force); err != nil {
			admin.WriteError(w, http.StatusUnprocessableEntity, err)
			return
		}
		admin.WriteJSON(w, c.b.Library())
	}))
	s.Handle("POST /api/devices/reload", http.HandlerFunc(c.reloadDevices))
}

// decodeBody decodes a request's body into v; without a body v stays as it is.
func decodeBody(r *http.Request, v any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: %w", ErrQuestion, err)
	}
	return nil
}

// reloadDevices reloads sources: all if the request has no body.
func (c *Console) reloadDevices(w http.ResponseWriter, r *http.Request) {
	var in DevicesReload
	err := decodeBody(r, &in)
	if err == nil {
		err = c.b.ReloadDevices(in.Source, in.Force)
	}
	if err != nil {
		admin.WriteError(w, status(err), err)
		return
	}
	admin.WriteJSON(w, c.b.Devices())
}

var errNoLimits = errors.New("limits are not available")

// status returns the HTTP status for an error.
func status(err error) int {
	switch {
	case errors.Is(err, ErrQuestion):
		return http.StatusBadRequest
	case errors.Is(err, errNoLimits):
		return http.StatusNotFound
	}
	return http.StatusInternalServerError
}

// search searches the events, the latest included.
func (c *Console) search(q query) Events {
	c.fetch()
	return c.events.search(q)
}

func searchOf(r *http.Request, limit int) (query, error) {
	v := r.URL.Query()
	q := query{Text: v.Get("q"), Reason: v.Get("reason"), Which: v.Get("which"), Limit: limit}
	var err error
	if s := v.Get("before"); s != "" {
		if q.Before, err = strconv.ParseUint(s, 10, 64); err != nil {
			return q, fmt.Errorf("%w: before=%s is not the ID of an event", ErrQuestion, s)
		}
	}
	if s := v.Get("limit"); s != "" {
		if q.Limit, err = strconv.Atoi(s); err != nil || q.Limit < 1 || q.Limit > maxEvents {
			return q, fmt.Errorf("%w: limit=%s is not 1 to %d", ErrQuestion, s, maxEvents)
		}
	}
	switch q.Which {
	case "", "all", "failed", "served":
	default:
		return q, fmt.Errorf("%w: which=%s is not all, failed or served", ErrQuestion, q.Which)
	}
	return q, nil
}

// check answers what lint finds in the library, or in a template.
func (c *Console) check(r *http.Request) (*Check, error) {
	v := r.URL.Query()
	return c.b.Check(r.Context(), v.Get("template"), v.Get("notes") == "on")
}

func questionOf(r *http.Request) Question {
	v := r.URL.Query()
	return Question{Name: v.Get("name"), IP: v.Get("ip"), MAC: v.Get("mac"), Says: v.Get("says")}
}

// file serves the file of a question.
func (c *Console) file(w http.ResponseWriter, r *http.Request) {
	x, err := c.b.Explain(r.Context(), questionOf(r))
	switch {
	case err != nil:
		admin.WriteError(w, status(err), err)
	case x.Error != "":
		admin.WriteError(w, http.StatusNotFound, errors.New(x.Error))
	default:
		h := w.Header()
		h.Set("Content-Type", "application/octet-stream")
		h.Set("Content-Disposition", "attachment; filename=\""+safeName(x.File)+"\"")
		_, _ = w.Write(x.Body) // the client may be gone
	}
}

// safeName returns a name under which a browser may save a file.
func safeName(name string) string {
	b := []byte(name)
	for i, c := range b {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_') {
			b[i] = '_'
		}
	}
	if len(b) == 0 || b[0] == '.' {
		return "file" + string(b)
	}
	return string(b)
}
