package admin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"

	"dcs/cmd/internal/httpserve"
)

// guard is what every request has to pass before its handler sees it.
func (s *Server) guard() http.Handler {
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		WriteError(w, http.StatusForbidden, errors.New("a page of another origin has sent this"))
	}))
	inner := cross.Handler(http.HandlerFunc(s.dispatch))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = httpserve.AwaitBody(r)
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !s.hosts.allow(r) {
			WriteError(w, http.StatusMisdirectedRequest, errors.New("this server does not go by the name of "+r.Host+": ask for it by its address, or add the name to admin_hosts"))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		inner.ServeHTTP(w, r)
	})
}

// policy lets a page use what we serve, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// dispatch serves who may. What changes something is served, and logged, by audited alone.
func (s *Server) dispatch(w http.ResponseWriter, r *http.Request) {
	if _, pattern := s.public.Handler(r); pattern != "" {
		s.public.ServeHTTP(w, r)
		return
	}
	c := s.caller(r)
	if !s.admits(w, r, c) {
		return
	}
	r = r.WithContext(context.WithValue(r.Context(), callerKey{}, c))
	switch {
	case safe(r.Method):
		s.mux.ServeHTTP(w, r)
	case !c.mayChange():
		s.refused(r, c, UnknownCaller)
		WriteError(w, http.StatusForbidden, ErrNoChanges)
	default:
		s.audited(w, r, c)
	}
}

// hosts are the names that a request may be addressed to. A page of an attacker's may have
// its own name point at us, and then ask us as its own origin (DNS rebinding); the name
// gives it away. Addresses cannot be made to point elsewhere.
type hosts struct {
	names []string
	cert  *x509.Certificate
}

func newHosts(cfg *Config, c *tls.Config) hosts {
	h := hosts{names: []string{"localhost"}}
	for _, n := range cfg.Hosts {
		h.names = append(h.names, strings.ToLower(strings.TrimSuffix(n, ".")))
	}
	if n, err := os.Hostname(); err == nil {
		h.names = append(h.names, strings.ToLower(n))
	}
	for _, address := range cfg.Addresses {
		if host, _, err := net.SplitHostPort(address); err == nil && host != "" {
			h.names = append(h.names, strings.ToLower(host))
		}
	}
	if c != nil {
		h.cert = c.Certificates[0].Leaf
	}
	return h
}

func (h *hosts) allow(r *http.Request) bool {
	if r.Context().Value(peerKey{}) != nil { // at a Unix socket no browser asks
		return true
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	return slices.Contains(h.names, host) || h.cert != nil && h.cert.VerifyHostname(host) == nil
}
