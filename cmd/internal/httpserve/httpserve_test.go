package httpserve

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"dcs/cmd/internal/dcstest"
)

func listen(t *testing.T) net.Listener {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// A request that is being answered when the context ends gets its whole answer; later ones get none.
func TestRunLetsRequestsEnd(t *testing.T) {
	ln := listen(t)
	begun, goOn := make(chan struct{}), make(chan struct{})
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-goOn
		_, _ = io.WriteString(w, "all of it")
	})}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, s, ln, time.Minute) }()
	body := make(chan string, 1)
	go func() {
		res, err := http.Get("http://" + ln.Addr().String())
		if err != nil {
			body <- err.Error()
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		body <- string(b)
	}()
	<-begun
	cancel()
	eventuallyRefused(t, ln.Addr().String()) // the shutdown has begun
	select {
	case err := <-ended:
		t.Errorf("Run returned %v while a request was running", err)
	default:
	}
	close(goOn)
	if got := <-body; got != "all of it" {
		t.Errorf("the answer is %q", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// eventuallyRefused waits until nobody listens any more.
func eventuallyRefused(t *testing.T, addr string) {
	t.Helper()
	dcstest.Eventually(t, "connections are refused", func() bool {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return true
		}
		c.Close()
		return false
	})
}

// Who does not come to an end is cut off.
func TestRunCutsOff(t *testing.T) {
	ln := listen(t)
	begun := make(chan struct{})
	s := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
	})}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, s, ln, 10*time.Millisecond) }()
	cut := make(chan error, 1)
	go func() {
		_, err := http.Get("http://" + ln.Addr().String())
		cut <- err
	}()
	<-begun
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := <-cut; err == nil {
		t.Error("the request got an answer")
	}
}

// What ends a server by itself is an error, what closes it is none.
func TestRunErrors(t *testing.T) {
	ln := listen(t)
	ln.Close()
	if err := Run(t.Context(), &http.Server{}, ln, time.Minute); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a listener that is closed: %v", err)
	}
	s := &http.Server{}
	s.Close()
	if err := Run(t.Context(), s, listen(t), time.Minute); err != nil {
		t.Errorf("a server that is closed: %v", err)
	}
}
