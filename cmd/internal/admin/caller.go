package admin

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"

	"golang.org/x/sys/unix"
)

// caller is the sender of a request, and by what it is known.
type caller struct {
	peer    string // the process at the other end of a Unix socket
	subject string // of the client's certificate
	token   string // "token", or a session's name
	from    string // the address that it connected from, or the socket
}

// who names the caller for the log.
func (c *caller) who() string {
	var all []string
	for _, s := range []string{c.peer, c.subject, c.token} {
		if s != "" {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return "unknown"
	}
	return strings.Join(all, ", ")
}

// mayChange reports whether the caller may make changes. An unauthenticated one on a TCP port may not: even on loopback it could be
// any process of any user.
func (c *caller) mayChange() bool { return c.peer != "" || c.subject != "" || c.token != "" }

type callerKey struct{}

// callerOf returns the sender of r; nil: it has not been determined yet.
func callerOf(r *http.Request) *caller {
	c, _ := r.Context().Value(callerKey{}).(*caller)
	return c
}

// MayChange reports whether the sender of r may make changes.
func MayChange(r *http.Request) bool {
	c := callerOf(r)
	return c != nil && c.mayChange()
}

// WhoAmI is the path of the call that returns the [Identity] of its caller.
const WhoAmI = "/api/whoami"

// Identity is what a server knows about a caller.
type Identity struct {
	Who     string `json:"who"`     // as in log lines about changes
	From    string `json:"from"`    // address and port, or socket
	Changes bool   `json:"changes"` // allowed
}

func whoAmI(w http.ResponseWriter, r *http.Request) {
	if c := callerOf(r); c != nil {
		WriteJSON(w, Identity{c.who(), c.from, c.mayChange()})
	}
}

// caller returns the sender of r, without the token.
func (s *Server) caller(r *http.Request) *caller {
	c := &caller{from: r.RemoteAddr}
	if p, ok := r.Context().Value(peerKey{}).(*peerAddr); ok {
		c.peer, c.from = p.String(), unixPrefix+p.path
	}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		c.subject = "certificate " + r.TLS.VerifiedChains[0][0].Subject.String()
	}
	return c
}

// peerAddr is the process at the other end of a Unix socket, as its connection's remote address.
type peerAddr struct {
	path string
	cred unix.Ucred
}

func (p *peerAddr) Network() string { return "unix" }
func (p *peerAddr) String() string  { return fmt.Sprintf("uid=%d pid=%d", p.cred.Uid, p.cred.Pid) }

type peerKey struct{}

// withPeer is [http.Server.ConnContext]. It adds the process at the other end of a Unix socket to the context of requests.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	if p, ok := c.RemoteAddr().(*peerAddr); ok {
		return context.WithValue(ctx, peerKey{}, p)
	}
	return ctx
}

// peerListener accepts connections of a Unix socket, and asks the kernel for the peer (SO_PEERCRED, unix(7)).
type peerListener struct {
	net.Listener
	path string
}

// peerConn is a connection with a known peer.
type peerConn struct {
	net.Conn
	peer *peerAddr
}

func (c *peerConn) RemoteAddr() net.Addr { return c.peer }

// Accept implements [net.Listener]. It closes connections whose peer is unknown.
func (l *peerListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if cred, err := credentials(c); err == nil {
			return &peerConn{c, &peerAddr{l.path, *cred}}, nil
		}
		c.Close()
	}
}

func credentials(c net.Conn) (*unix.Ucred, error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil, fmt.Errorf("%T is not a Unix socket", c)
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return nil, err
	}
	var cred *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err == nil {
		err = failed
	}
	return cred, err
}
