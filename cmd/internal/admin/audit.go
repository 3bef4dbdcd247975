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

// maxAudited is how much of a change's body the log has, in octets.
const maxAudited = 512

// safe tells whether requests with a method change nothing (RFC 9110, section 9.2.1).
func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// audited serves a change, and logs it when it is done: who has asked for what, and what has become of it.
func (s *Server) audited(w http.ResponseWriter, r *http.Request, c *caller) {
	body := &recordedBody{ReadCloser: r.Body}
	answer := &recordedAnswer{ResponseWriter: w}
	r.Body = body
	defer func() { // of a handler that panics too, with status 0
		s.audit("admin change", c, slog.String("call", r.Method+" "+r.URL.Path), slog.String("asked", body.String()), slog.Int("status", answer.status))
	}()
	s.mux.ServeHTTP(answer, r)
	answer.status = cmp.Or(answer.status, http.StatusOK)
}

// Audit writes a line about what the sender of r does, for what must not wait until it is done.
func (s *Server) Audit(r *http.Request, msg string, attrs ...slog.Attr) {
	s.audit(msg, callerOf(r), attrs...)
}

// audit writes a line about what somebody has done, whatever the level of the log: whoever may change that hides nothing by it.
func (s *Server) audit(msg string, c *caller, attrs ...slog.Attr) {
	r := slog.NewRecord(time.Now(), slog.LevelInfo, msg, 0)
	r.AddAttrs(slog.String("who", c.who()), slog.String("from", c.from))
	r.AddAttrs(attrs...)
	_ = s.log.Handler().Handle(context.Background(), r) // a log that cannot be written to stops no operator
}

// Refusal is why a request was turned away.
type Refusal int

// The refusals.
const (
	WrongToken Refusal = iota
	UnknownCaller
	NumRefusals
)

func (r Refusal) String() string {
	return [NumRefusals]string{WrongToken: "wrong_token", UnknownCaller: "unknown_caller"}[r]
}

// refused counts and logs that a request was turned away: not more than one line a second, as anybody can send such requests.
func (s *Server) refused(r *http.Request, c *caller, why Refusal) {
	s.refusals.total[why].Add(1)
	if held, ok := s.refusals.next(time.Now()); ok {
		s.log.Warn("admin request refused", "who", c.who(), "from", c.from, "call", r.Method+" "+r.URL.Path, "why", why.String(), "held", held)
	}
}

// Refused returns how many requests were turned away since the start.
func (s *Server) Refused() (n [NumRefusals]uint64) {
	for i := range n {
		n[i] = s.refusals.total[i].Load()
	}
	return n
}

// refusals counts, and lets one line a second through.
type refusals struct {
	total [NumRefusals]atomic.Uint64

	mu   sync.Mutex
	last time.Time
	held int
}

// next tells whether there may be a line now, and how many there were not since the last.
func (l *refusals) next(now time.Time) (held int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.last.IsZero() && now.Sub(l.last) < time.Second {
		l.held++
		return 0, false
	}
	held, l.held, l.last = l.held, 0, now
	return held, true
}

// recordedBody keeps the beginning of what is read.
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

// recordedAnswer keeps the status, 0 until there is one.
type recordedAnswer struct {
	http.ResponseWriter
	status int
}

func (a *recordedAnswer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap implements what [http.ResponseController] looks for.
func (a *recordedAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
