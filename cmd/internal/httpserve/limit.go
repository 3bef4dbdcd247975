package httpserve

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
)

// Limits are how many connections there are at once.
type Limits struct {
	Conns       int                   // in all
	SourceConns int                   // of one address; 0: as many as there are in all
	Exempt      func(netip.Addr) bool // addresses that SourceConns is not for; nil: none. At a Unix socket nobody has one
}

// Listener takes so many connections and no more, in all and of one source. Where all places are taken, whoever comes
// gets that of the connection which has had no request for the longest: half a request, or none, keeps nobody out.
// Where each has one, who comes is turned away at once, so that it tries again, and costs nothing meanwhile.
type Listener struct {
	net.Listener
	limits Limits

	mu      sync.Mutex
	conns   int
	sources map[netip.Addr]int
	waiting list.List // of connections without a request, the longest first
}

// conn is a connection. Its fields are guarded by the Listener's mu.
type conn struct {
	net.Conn
	l       *Listener
	source  netip.Addr
	waiting *list.Element // nil: it has a request
	left    bool
}

// Limit limits what s, which is not running yet, takes from ln: its ConnState tells the Listener which connections have a request.
func Limit(s *http.Server, ln net.Listener, limits Limits) *Listener {
	l := &Listener{Listener: ln, limits: limits, sources: map[netip.Addr]int{}}
	s.ConnState = l.state
	return l
}

// Connections returns how many there are.
func (l *Listener) Connections() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conns
}

// Accept implements [net.Listener].
func (l *Listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: raw, l: l}
		if ap, err := netip.ParseAddrPort(raw.RemoteAddr().String()); err == nil {
			c.source = ap.Addr().Unmap().WithZone("")
		}
		cut, ok := l.enter(c)
		if cut != nil {
			reset(cut.Conn)
		}
		if ok {
			return c, nil
		}
		reset(raw)
	}
}

// enter gives c a place, and returns the connection that has lost its own for it.
func (l *Listener) enter(c *conn) (cut *conn, ok bool) {
	limited := l.limits.SourceConns > 0 && c.source.IsValid() && (l.limits.Exempt == nil || !l.limits.Exempt(c.source))
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case limited && l.sources[c.source] >= l.limits.SourceConns:
		cut = l.idlest(func(other *conn) bool { return other.source == c.source })
	case l.conns >= l.limits.Conns:
		cut = l.idlest(func(*conn) bool { return true })
	default:
		ok = true
	}
	if cut != nil {
		l.leave(cut)
		ok = true
	}
	if ok {
		l.conns++
		l.sources[c.source]++
		c.waiting = l.waiting.PushBack(c)
	}
	return cut, ok
}

// idlest returns the one of those connections that has had no request for the longest; nil: each has one.
func (l *Listener) idlest(of func(*conn) bool) *conn {
	for e := l.waiting.Front(); e != nil; e = e.Next() {
		if c, ok := e.Value.(*conn); ok && of(c) {
			return c
		}
	}
	return nil
}

// leave gives c's place back. mu is held.
func (l *Listener) leave(c *conn) {
	if c.left {
		return
	}
	c.left = true
	l.rest(c, false)
	l.conns--
	if l.sources[c.source]--; l.sources[c.source] == 0 {
		delete(l.sources, c.source)
	}
}

// rest notes whether c has no request. mu is held.
func (l *Listener) rest(c *conn, yes bool) {
	switch {
	case yes && c.waiting == nil:
		c.waiting = l.waiting.PushBack(c)
	case !yes && c.waiting != nil:
		l.waiting.Remove(c.waiting)
		c.waiting = nil
	}
}

// state is told by the server. A connection is active from when its request's header has been read.
func (l *Listener) state(nc net.Conn, state http.ConnState) {
	if secure, ok := nc.(*tls.Conn); ok {
		nc = secure.NetConn()
	}
	c, ok := nc.(*conn)
	if !ok {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !c.left {
		l.rest(c, state == http.StateNew || state == http.StateIdle)
	}
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
