package httpserve

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Limits are how many connections there are at once.
type Limits struct {
	Conns       int                         // in all, beside Lane
	SourceConns int                         // of one source; 0: as many as there are in all
	Exempt      func(netip.Addr) bool       // addresses that SourceConns is not for; nil: none. At a Unix socket nobody has one
	Source      func(netip.Addr) netip.Addr // what an address counts for; nil: the address itself, of IPv6 its /64
	// Slow is how long a connection has its place for sure once it has a request; then it makes room where all places are
	// taken, the one that takes the fewest octets in the time first. 0: for as long as it likes.
	Slow time.Duration
	// Lane is how many connections there are beyond the others, for requests that InLane reports alone: others get status 503 on
	// them. It is for what must be answered while all other places are taken.
	Lane   int
	InLane func(*http.Request) bool
}

// laneSlow is Slow of the connections in the lane.
const laneSlow = 2 * time.Second

// Listener takes so many connections and no more, in all and of one source. Where all places are taken, whoever comes
// gets that of the connection which has had no request for the longest: half a request, or none, keeps nobody out; else that
// of a slow one. Where each has a request and is not slow, who comes is turned away at once, so that it tries again, and costs
// nothing meanwhile.
type Listener struct {
	net.Listener
	limits Limits
	cuts   atomic.Uint64
	turned atomic.Uint64

	mu      sync.Mutex
	conns   int // without those in the lane
	lane    int
	sources map[netip.Addr]int
	waiting list.List // of connections without a request, the longest first
	busy    list.List // of the others, in the order of their requests
}

// conn is a connection. Its fields, but for written, are guarded by the Listener's mu.
type conn struct {
	net.Conn
	l       *Listener
	source  netip.Addr
	inLane  bool
	limited bool          // it counts for its source
	place   *list.Element // in waiting or busy
	waits   bool          // in waiting
	since   time.Time     // when it came to be in busy
	left    bool
	written atomic.Int64 // octets, since its request came
}

// Limit limits what s, which is not running yet, takes from ln. It sets ConnState of s, which tells the Listener which connections
// have a request, and wraps its ConnContext and, with a Lane, its Handler.
func Limit(s *http.Server, ln net.Listener, limits Limits) *Listener {
	if limits.Source == nil {
		limits.Source = subnet
	}
	l := &Listener{Listener: ln, limits: limits, sources: map[netip.Addr]int{}}
	s.ConnState = l.state
	theirs := s.ConnContext
	s.ConnContext = func(ctx context.Context, nc net.Conn) context.Context {
		if theirs != nil {
			ctx = theirs(ctx, nc)
		}
		if c := connOf(nc); c != nil {
			return context.WithValue(ctx, connKey{}, c)
		}
		return ctx
	}
	if limits.Lane > 0 {
		s.Handler = l.laned(s.Handler)
	}
	return l
}

type connKey struct{}

// subnet returns what an address counts for where nothing else is said.
func subnet(a netip.Addr) netip.Addr {
	if p, err := a.Prefix(64); err == nil && a.Is6() {
		return p.Addr()
	}
	return a
}

// laned has h answer what is in the lane alone on connections that are there for that.
func (l *Listener) laned(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(*conn); ok && c.inLane && !l.limits.InLane(r) {
			w.Header().Set("Connection", "close")
			w.Header().Set("Retry-After", "2")
			http.Error(w, "too many connections", http.StatusServiceUnavailable)
			Yield(r)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// Yield says that nothing more is owed to a request's connection: from now on it makes room like one without a request. It is for
// what a client has announced and not sent, for which the server waits after the answer.
func Yield(r *http.Request) {
	c, ok := r.Context().Value(connKey{}).(*conn)
	if ok {
		c.l.rest(c, true)
	}
}

// AwaitBody has a request's connection make room like one without a request until its body has come: half a request keeps nobody
// out. The handler gets the body that it returns.
func AwaitBody(r *http.Request) io.ReadCloser {
	c, ok := r.Context().Value(connKey{}).(*conn)
	if !ok || r.ContentLength == 0 {
		return r.Body
	}
	Yield(r)
	return &awaited{r.Body, c}
}

// awaited is a body, at whose end the connection is busy.
type awaited struct {
	io.ReadCloser
	c *conn
}

func (b *awaited) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.c.l.rest(b.c, false)
	}
	return n, err
}

// Connections returns how many there are.
func (l *Listener) Connections() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conns + l.lane
}

// Cut returns how many connections have lost their place to another, and how many were turned away.
func (l *Listener) Cut() (cut, turned uint64) { return l.cuts.Load(), l.turned.Load() }

// Accept implements [net.Listener].
func (l *Listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: raw, l: l}
		if ap, err := netip.ParseAddrPort(raw.RemoteAddr().String()); err == nil {
			a := ap.Addr().Unmap().WithZone("")
			c.limited = l.limits.SourceConns > 0 && (l.limits.Exempt == nil || !l.limits.Exempt(a))
			c.source = l.limits.Source(a)
		}
		cut, ok := l.enter(c, time.Now())
		if cut != nil {
			l.cuts.Add(1)
			reset(cut.Conn)
		}
		if ok {
			return c, nil
		}
		l.turned.Add(1)
		reset(raw)
	}
}

// enter gives c a place, and returns the connection that has lost its own for it.
func (l *Listener) enter(c *conn, now time.Time) (cut *conn, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case c.limited && l.sources[c.source] >= l.limits.SourceConns:
		cut = l.least(now, l.limits.Slow, func(other *conn) bool { return !other.inLane && other.limited && other.source == c.source })
	case l.conns >= l.limits.Conns:
		cut = l.least(now, l.limits.Slow, func(other *conn) bool { return !other.inLane })
	default:
		ok = true
	}
	if cut == nil && !ok && l.limits.Lane > 0 {
		c.inLane = true
		if ok = l.lane < l.limits.Lane; !ok {
			cut = l.least(now, laneSlow, func(other *conn) bool { return other.inLane })
		}
	}
	if cut != nil {
		l.leave(cut)
		ok = true
	}
	if ok {
		l.count(c, 1)
		c.waits, c.place = true, l.waiting.PushBack(c)
	}
	return cut, ok
}

// count notes that c has come or, with -1, gone.
func (l *Listener) count(c *conn, n int) {
	if c.inLane {
		l.lane += n
		return
	}
	l.conns += n
	if !c.limited {
		return
	}
	if l.sources[c.source] += n; l.sources[c.source] == 0 {
		delete(l.sources, c.source)
	}
}

// least returns the one of those connections that is to make room: one that has had no request for the longest, else the slowest;
// nil: each is busy.
func (l *Listener) least(now time.Time, slow time.Duration, of func(*conn) bool) *conn {
	for e := l.waiting.Front(); e != nil; e = e.Next() {
		if c, ok := e.Value.(*conn); ok && of(c) {
			return c
		}
	}
	if slow <= 0 {
		return nil
	}
	var slowest *conn
	var pace float64
	for e := l.busy.Front(); e != nil; e = e.Next() {
		c, ok := e.Value.(*conn)
		if !ok || !of(c) {
			continue
		}
		took := now.Sub(c.since)
		if took < slow {
			break // those behind have begun later
		}
		if p := float64(c.written.Load()) / took.Seconds(); slowest == nil || p < pace {
			slowest, pace = c, p
		}
	}
	return slowest
}

// leave gives c's place back. mu is held.
func (l *Listener) leave(c *conn) {
	if c.left {
		return
	}
	c.left = true
	l.displace(c)
	l.count(c, -1)
}

func (l *Listener) displace(c *conn) {
	if c.waits {
		l.waiting.Remove(c.place)
	} else {
		l.busy.Remove(c.place)
	}
}

// rest notes whether c has no request.
func (l *Listener) rest(c *conn, yes bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.left || yes == c.waits {
		return
	}
	l.displace(c)
	if c.waits = yes; yes {
		c.place = l.waiting.PushBack(c)
		return
	}
	c.since, c.place = time.Now(), l.busy.PushBack(c)
	c.written.Store(0)
}

// state is told by the server. A connection is active from when its request's header has been read.
func (l *Listener) state(nc net.Conn, state http.ConnState) {
	if c := connOf(nc); c != nil {
		l.rest(c, state == http.StateNew || state == http.StateIdle)
	}
}

func connOf(nc net.Conn) *conn {
	if secure, ok := nc.(*tls.Conn); ok {
		nc = secure.NetConn()
	}
	c, _ := nc.(*conn)
	return c
}

// Write implements [net.Conn].
func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.written.Add(int64(n))
	return n, err
}

// Close implements [net.Conn].
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	c.l.leave(c)
	return err
}

// reset ends a connection: it needs no state on our side, and no time.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	c.Close()
}
