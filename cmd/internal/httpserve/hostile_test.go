package httpserve

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"dcs/cmd/internal/dcstest"
)

// untilBusy waits until so many connections have a request.
func (l *Listener) untilBusy(t *testing.T, n int) {
	t.Helper()
	dcstest.Eventually(t, fmt.Sprintf("%d connections are busy", n), func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.busy.Len() == n
	})
}

// untilCounted waits until something has been counted as sent by each connection that has a request.
func (l *Listener) untilCounted(t *testing.T) {
	t.Helper()
	dcstest.Eventually(t, "each connection has sent something", func() bool {
		all := true
		l.mu.Lock()
		defer l.mu.Unlock()
		for e := l.busy.Front(); e != nil; e = e.Next() {
			all = all && e.Value.(*conn).written.Load() > 0
		}
		return all
	})
}

// running serves h until the test ends.
func running(t *testing.T, h http.Handler, limits Limits) (*Listener, string) {
	t.Helper()
	s := &http.Server{Handler: h, ReadTimeout: time.Hour}
	ln := listen(t)
	l := Limit(s, ln, limits)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, s, l, 0) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l, ln.Addr().String()
}

// Who has come first or last, and takes nothing, makes room; who takes its file keeps its place for longer.
func TestSlowMakeRoom(t *testing.T) {
	l, addr := limited(t, Limits{Conns: 3, Slow: 50 * time.Millisecond})
	var all []*client
	for range 3 {
		c := connect(t, "127.0.0.1", addr)
		c.wants(t, "a slow one", "/hold", http.StatusAccepted)
		all = append(all, c)
	}
	l.untilBusy(t, 3)
	// What each has taken since, as a transfer of a large file would have: the second is the slowest.
	l.mu.Lock()
	i := 0
	for e := l.busy.Front(); e != nil; e = e.Next() {
		c := e.Value.(*conn)
		c.since = time.Now().Add(-time.Minute)
		c.written.Store([]int64{1 << 20, 10, 1 << 10}[i])
		i++
	}
	l.mu.Unlock()
	connect(t, "127.0.0.1", addr).wants(t, "the fourth", "/hold", http.StatusAccepted)
	if !all[1].gone() {
		t.Error("the slowest has kept its place")
	}
	// The newest is not slow yet, however little it has taken.
	l.untilBusy(t, 3)
	l.mu.Lock()
	newest := l.busy.Back().Value.(*conn)
	newest.since = time.Now().Add(time.Hour)
	l.mu.Unlock()
	connect(t, "127.0.0.1", addr).wants(t, "the fifth", "/hold", http.StatusAccepted)
	if !all[2].gone() {
		t.Error("the slower of two has kept its place")
	}
	if cut, turned := l.Cut(); cut != 2 || turned != 0 {
		t.Errorf("%d cut, %d turned away", cut, turned)
	}
}

// A source's slow connections make room for its own.
func TestSlowOfSourceMakeRoom(t *testing.T) {
	l, addr := limited(t, Limits{Conns: 8, SourceConns: 2, Slow: time.Nanosecond})
	other := connect(t, "127.0.0.3", addr)
	other.wants(t, "another source", "/hold", http.StatusAccepted)
	first := connect(t, "127.0.0.2", addr)
	first.wants(t, "the first", "/hold", http.StatusAccepted)
	for _, name := range []string{"the second", "the third"} {
		l.untilCounted(t) // what the client has may not be counted yet, which looks slow
		connect(t, "127.0.0.2", addr).wants(t, name, "/hold", http.StatusAccepted)
	}
	if !first.gone() {
		t.Error("the first has kept its place")
	}
	other.Close()
}

// Connections count for the prefix that they come from.
func TestLimitCountsSources(t *testing.T) {
	l, addr := limited(t, Limits{Conns: 8, SourceConns: 2, Source: func(a netip.Addr) netip.Addr {
		p, _ := a.Prefix(24)
		return p.Addr()
	}})
	for _, from := range []string{"127.0.0.2", "127.0.0.3"} {
		connect(t, from, addr).wants(t, from, "/hold", http.StatusAccepted)
	}
	if !refused("127.0.0.4", addr) {
		t.Error("a third address of the prefix has a place")
	}
	connect(t, "127.0.1.2", addr).wants(t, "another prefix", "/hold", http.StatusAccepted)
	if _, turned := l.Cut(); turned != 1 {
		t.Errorf("%d turned away", turned)
	}
}

func TestSubnet(t *testing.T) {
	for a, want := range map[string]string{"10.1.2.3": "10.1.2.3", "fd00:1:2:3:4::5": "fd00:1:2:3::"} {
		if got := subnet(netip.MustParseAddr(a)); got.String() != want {
			t.Errorf("%s counts for %v", a, got)
		}
	}
}

// A body that is announced and does not come keeps nobody out: not its own source, and no other.
func TestBodilessMakeRoom(t *testing.T) {
	l, addr := running(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			Yield(r)
		}
	}), Limits{Conns: 4, SourceConns: 2})
	for i := range 4 {
		c := connect(t, fmt.Sprintf("127.0.0.%d", 2+i/2), addr)
		_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
	}
	l.until(t, 4)
	l.untilBusy(t, 0)
	connect(t, "127.0.0.9", addr).wants(t, "another", "/", http.StatusOK)
	l.until(t, 4)
	connect(t, "127.0.0.3", addr).wants(t, "one of the same source", "/", http.StatusOK)
	if cut, turned := l.Cut(); cut != 2 || turned != 0 {
		t.Errorf("%d cut, %d turned away", cut, turned)
	}
}

// While all connections are taken, and the lane's too, monitoring is answered, and nothing else is.
func TestLane(t *testing.T) {
	l, addr := limited(t, Limits{Conns: 4, SourceConns: 2, Lane: 2, InLane: func(r *http.Request) bool { return r.URL.Path == "/metrics" }})
	for i := range 4 {
		connect(t, fmt.Sprintf("127.0.0.%d", 2+i/2), addr).wants(t, "one", "/hold", http.StatusAccepted)
	}
	for _, from := range []string{"127.0.0.2", "127.0.0.9"} { // of a source that has its share; of another
		connect(t, from, addr).wants(t, "monitoring", "/metrics", http.StatusOK)
	}
	l.until(t, 2)
	connect(t, "127.0.0.9", addr).wants(t, "another request", "/hold", http.StatusServiceUnavailable)
	// Half requests in the lane make room there.
	for range 5 {
		_, _ = io.WriteString(connect(t, "127.0.0.8", addr), "GET /metrics HTTP/1.1\r\n")
	}
	c := connect(t, "127.0.0.9", addr)
	c.wants(t, "monitoring beside half requests", "/metrics", http.StatusOK)
	c.wants(t, "once more on its connection", "/metrics", http.StatusOK)
	if n := l.Connections(); n > 6 {
		t.Errorf("%d connections", n)
	}
}
