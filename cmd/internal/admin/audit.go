package admin

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// maxAudited is how many octets of a change's body are logged.
const maxAudited = 512

// safe reports whether a method is safe, that is, changes nothing (RFC 9110, section 9.2.1).
func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// audited serves a change, and then logs who has requested what, and the status.
func (s *Server) audited(w http.ResponseWriter, r *http.Request, c *caller) {
	body := &recordedBody{ReadCloser: r.Body}
	answer := &recordedAnswer{ResponseWriter: w}
	r.Body = body
	defer func() { // also after a panic, with status 0
		s.audit("admin change", c, slog.String("call", r.Method+" "+r.URL.Path), slog.String("asked", body.String()), slog.Int("status", answer.status))
	}()
	s.mux.ServeHTTP(answer, r)
	answer.status = cmp.Or(answer.status, http.StatusOK)
}

// Audit logs an action of the sender of r, for an action that is to be logged before it ends.
func (s *Server) Audit(r *http.Request, msg string, attrs ...slog.Attr) {
	s.audit(msg, callerOf(r), attrs...)
}

// audit logs an action whatever the log's level is, so that nobody can hide an action by changing the level.
func (s *Server) audit(msg string, c *caller, attrs ...slog.Attr) {
	r := slog.NewRecord(time.Now(), slog.LevelInfo, msg, 0)
	r.AddAttrs(slog.String("who", c.who()), slog.String("from", c.from))
	r.AddAttrs(attrs...)
	_ = s.log.Handler().Handle(context.Background(), r) // a failing log does not prevent the action
}

// Refusal is why a request was refused.
type Refusal int

// Refusals.
const (
	WrongToken Refusal = iota
	UnknownCaller
	NumRefusals
)

func (r Refusal) String() string {
	return [NumRefusals]string{WrongToken: "wrong_token", UnknownCaller: "unknown_caller"}[r]
}

// refused counts and logs a refused request, with at most one line per second, as anybody can send such requests.
func (s *Server) refused(r *http.Request, c *caller, why Refusal) {
	s.refusals.total[why].Add(1)
	if suppressed, ok := s.refusals.next(time.Now()); ok {
		s.log.Warn("admin request refused", "who", c.who(), "from", c.from, "call", r.Method+" "+r.URL.Path, "why", why.String(), "suppressed", suppressed)
	}
}

// Refused returns the number of refused requests since the start, by [Refusal].
func (s *Server) Refused() (n [NumRefusals]uint64) {
	for i := range n {
		n[i] = s.refusals.total[i].Load()
	}
	return n
}

// refusals counts refused requests, and limits their log lines to one per second.
type refusals struct {
	total [NumRefusals]atomic.Uint64

	mu   sync.Mutex
	last time.Time

	suppressed int
}

// next reports whether a line may be logged now, and how many were suppressed since the last.
func (l *refusals) next(now time.Time) (suppressed int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.last.IsZero() && now.Sub(l.last) < time.Second {
		l.suppressed++
		return 0, false
	}
	suppressed, l.suppressed, l.last = l.suppressed, 0, now
	return suppressed, true
}

// recordedBody records the beginning of what is read.
type recordedBody struct {
	io.ReadCloser
	text []byte
	cut  bool
}

func (b *recordedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	room := maxAudited - len(b.text)
	b.text, b.cut = append(b.text, p[:min(n, room)]...), b.cut || n > room
	return n, err
}

func (b *recordedBody) String() string {
	if b.cut {
		return string(b.text) + "…"
	}
	return string(b.text)
}

// recordedAnswer records the status, 0 until there is one.
type recordedAnswer struct {
	http.ResponseWriter
	status int
}

func (a *recordedAnswer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap is called by [http.ResponseController].
func (a *recordedAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
