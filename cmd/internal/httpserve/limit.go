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

// Limits are the numbers of concurrent connections.
type Limits struct {
	Conns       int                         // total, without Lane
	SourceConns int                         // per source; 0: no limit
	Exempt      func(netip.Addr) bool       // addresses without SourceConns; nil: none. Unix sockets have no address
	Source      func(netip.Addr) netip.Addr // source of an address; nil: the address itself, of IPv6 its /64
	// Slow is how long a connection with a request is safe. After that it may be closed for a new one if all connections are
	// taken, the one with the fewest octets per second first. 0: it is always safe.
	Slow time.Duration
	// Lane is the number of additional connections for requests that InLane accepts; others get status 503 there. It is for
	// requests that must be answered while all other connections are taken.
	Lane   int
	InLane func(*http.Request) bool
}

// laneSlow is Slow of the connections in the lane.
const laneSlow = 2 * time.Second

// Listener limits connections, in total and per source. When all are taken, a new connection replaces the one that has had no
// complete request for the longest time, else a slow one. When each has a request and is not slow, the new connection is reset
// at once, so that the client tries again and costs nothing meanwhile.
type Listener struct {
	net.Listener
	limits Limits
	cuts   atomic.Uint64
	turned atomic.Uint64

	mu      sync.Mutex
	conns   int // without the lane
	lane    int
	sources map[netip.Addr]int
	waiting list.List // connections without a request, the longest first
	busy    list.List // other connections, in the order of their requests
}

// conn is a connection. The Listener's mu guards its fields except written.
type conn struct {
	net.Conn
	l       *Listener
	source  netip.Addr
	inLane  bool
	limited bool          // counts for its source
	place   *list.Element // in waiting or busy
	waits   bool          // in waiting
	since   time.Time     // when it entered busy
	left    bool
	written atomic.Int64 // octets since its request arrived
}

// Limit limits the connections of ln to s, which must not run yet. It sets s.ConnState, by which the Listener knows which
// connections have a request, and wraps s.ConnContext and, with a Lane, s.Handler.
func Limit(s *http.Server, ln net.Listener, limits Limits) *Listener {
	if limits.Source == nil {
		limits.Source = subnet
	}
	l := &Listener{Listener: ln, limits: limits, sources: map[netip.Addr]int{}}
	s.ConnState = l.state
	inner := s.ConnContext
	s.ConnContext = func(ctx context.Context, nc net.Conn) context.Context {
		if inner != nil {
			ctx = inner(ctx, nc)
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

// subnet is the default of Limits.Source.
func subnet(a netip.Addr) netip.Addr {
	if p, err := a.Prefix(64); err == nil && a.Is6() {
		return p.Addr()
	}
	return a
}

// laned restricts h, on connections of the lane, to requests for it.
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

// Yield lets a request's connection be replaced like one without a request. It is for a body that a client has announced and not
// sent, for which the server waits after the answer.
func Yield(r *http.Request) {
	c, ok := r.Context().Value(connKey{}).(*conn)
	if ok {
		c.l.rest(c, true)
	}
}

// AwaitBody lets a request's connection be replaced like one without a request until its body is complete. The handler has to
// read the body that AwaitBody returns.
func AwaitBody(r *http.Request) io.ReadCloser {
	c, ok := r.Context().Value(connKey{}).(*conn)
	if !ok || r.ContentLength == 0 {
		return r.Body
	}
	Yield(r)
	return &awaited{r.Body, c}
}

// awaited is a body after whose end the connection is busy.
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

// Connections returns the number of connections.
func (l *Listener) Connections() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conns + l.lane
}

// Cut returns how many connections were closed for another one, and how many were refused.
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

// enter admits c if ok. cut is the connection that has to be closed for it, if any.
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

// count counts c, as arrived with 1 and as gone with -1.
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

// least returns the connection to close among those that of accepts: the one that has had no request for the longest time, else
// the slowest; nil: all are busy.
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
			break // the next ones began later
		}
		if p := float64(c.written.Load()) / took.Seconds(); slowest == nil || p < pace {
			slowest, pace = c, p
		}
	}
	return slowest
}

// leave removes c. mu is locked.
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

// rest records whether c has no request.
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

// state is [http.Server.ConnState]. A connection becomes active when its request's header has been read.
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

// reset closes a connection without leaving state in the kernel.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	c.Close()
}
