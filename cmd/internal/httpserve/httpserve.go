// Package httpserve runs an HTTP server with a limited number of connections until its context ends.
package httpserve

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// Run serves the connections of ln, over TLS if s has a TLSConfig, until ctx ends or s is closed. It then waits for running
// requests, at most for grace, and returns nil.
func Run(ctx context.Context, s *http.Server, ln net.Listener, grace time.Duration) error {
	ended := make(chan error, 1)
	go func() {
		if s.TLSConfig != nil {
			ended <- s.ServeTLS(ln, "", "")
			return
		}
		ended <- s.Serve(ln)
	}()
	select {
	case err := <-ended:
		return unlessClosed(err)
	case <-ctx.Done():
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		if s.Shutdown(stop) != nil {
			s.Close()
		}
		return unlessClosed(<-ended)
	}
}

func unlessClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
