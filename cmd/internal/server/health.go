package server

import (
	"net/http"
	"sync/atomic"
)

// health is the phase that the server is in.
type health struct{ phase atomic.Int32 }

// Phases of a server.
const (
	starting int32 = iota
	serving
	draining
)

// state returns the phase if the server takes no requests; empty: it does.
func (h *health) state() string { return [...]string{"starting", "", "draining"}[h.phase.Load()] }

// unready returns why requests are not answered; empty: they are.
func (s *server) unready() string {
	if why := s.health.state(); why != "" {
		return why
	}
	if !s.addresses.served() {
		return "no interface has an address of listen"
	}
	if s.engine.Library().Empty() {
		return "nothing to serve: no template and no static file"
	}
	return ""
}

// handleHealth registers the liveness and readiness probes.
func (s *server) handleHealth(handle func(pattern string, h http.Handler)) {
	handle("GET /healthz", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write([]byte("ok\n"))
	}))
	handle("GET /readyz", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if why := s.unready(); why != "" {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ready\n"))
	}))
}
