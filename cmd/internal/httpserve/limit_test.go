package httpserve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"testing"
	"time"

	"dcs/cmd/internal/dcstest"
)

// limited serves "/", and "/hold", which is answered until the test ends, with time without end for whoever is slow.
func limited(t *testing.T, limits Limits) (l *Listener, addr string) {
	t.Helper()
	release := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/hold", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	s := &http.Server{Handler: mux}
	ln := listen(t)
	l = Limit(s, ln, limits)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, s, l, 0) }()
	t.Cleanup(func() {
		close(release)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l, ln.Addr().String()
}

// client is a connection from an address of loopback.
type client struct {
	net.Conn
	r *bufio.Reader
}

func dial(from, addr string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	return d.Dial("tcp", addr)
}

func connect(t *testing.T, from, addr string) *client {
	t.Helper()
	c, err := dial(from, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return &client{c, bufio.NewReader(c)}
}

// ask returns the status of a request; the connection stays.
func (c *client) ask(path string) (int, error) {
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path); err != nil {
		return 0, err
	}
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, nil
}

func (c *client) wants(t *testing.T, what, path string, status int) {
	t.Helper()
	if got, err := c.ask(path); got != status {
		t.Errorf("%s: status %d, %v; want %d", what, got, err, status)
	}
}

// gone tells whether the server has ended the connection.
func (c *client) gone() bool {
	_, err := c.Read(make([]byte, 1))
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

// until waits until so many connections have no request: one is over for the server a moment after its answer has come.
func (l *Listener) until(t *testing.T, waiting int) {
	t.Helper()
	dcstest.Eventually(t, fmt.Sprintf("%d connections wait", waiting), func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.waiting.Len() == waiting
	})
}

// refused tells whether the server takes no connection; the reset may come while it is being made.
func refused(from, addr string) bool {
	c, err := dial(from, addr)
	if err != nil {
		return true
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return (&client{Conn: c}).gone()
}

// A connection without a request, be it new, half sent or between two, makes room for the next, the oldest first.
func TestLimitMakesRoom(t *testing.T) {
	l, addr := limited(t, Limits{Conns: 3})
	half := connect(t, "127.0.0.1", addr)
	_, _ = io.WriteString(half, "GET / HTTP/1.1\r\nHost: ")
	idle := connect(t, "127.0.0.1", addr)
	idle.wants(t, "the second", "/", http.StatusOK)
	l.until(t, 2)
	busy := connect(t, "127.0.0.1", addr)
	busy.wants(t, "the third", "/hold", http.StatusAccepted)

	connect(t, "127.0.0.1", addr).wants(t, "the fourth", "/hold", http.StatusAccepted)
	if !half.gone() {
		t.Error("half a request has kept its place")
	}
	idle.wants(t, "the second, again", "/", http.StatusOK)
	l.until(t, 1)
	connect(t, "127.0.0.1", addr).wants(t, "the fifth", "/hold", http.StatusAccepted)
	if !idle.gone() {
		t.Error("a connection between two requests has kept its place")
	}
	// Requests keep theirs.
	if !refused("127.0.0.1", addr) {
		t.Error("a fourth connection has a place beside three requests")
	}
	if n := l.Connections(); n != 3 {
		t.Errorf("%d connections", n)
	}
	busy.Close()
	dcstest.Eventually(t, "two connections, after one has ended", func() bool { return l.Connections() == 2 })
	connect(t, "127.0.0.1", addr).wants(t, "one after the end of another", "/", http.StatusOK)
}

// One source leaves room for others; it is its own connections that make room for it.
func TestLimitOfSource(t *testing.T) {
	exempt := netip.MustParseAddr("127.0.0.9")
	l, addr := limited(t, Limits{Conns: 6, SourceConns: 2, Exempt: func(a netip.Addr) bool { return a == exempt }})
	other := connect(t, "127.0.0.3", addr)
	other.wants(t, "another source", "/", http.StatusOK)
	for range 2 {
		connect(t, "127.0.0.2", addr).wants(t, "one source", "/hold", http.StatusAccepted)
	}
	if !refused("127.0.0.2", addr) {
		t.Error("a source has a third place")
	}
	other.wants(t, "another source, again", "/", http.StatusOK)
	for range 3 {
		connect(t, "127.0.0.9", addr).wants(t, "one that is exempt", "/hold", http.StatusAccepted)
	}
	if n := l.Connections(); n != 6 {
		t.Errorf("%d connections", n)
	}
}
