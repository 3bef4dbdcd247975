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

// guard returns the checks that every request passes before its handler.
func (s *Server) guard() http.Handler {
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		WriteError(w, http.StatusForbidden, errors.New("request from a page of another origin"))
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
			WriteError(w, http.StatusMisdirectedRequest, errors.New("unknown host name "+r.Host+"; use the server's address, or add the name to admin_hosts"))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		inner.ServeHTTP(w, r)
	})
}

// policy restricts a page to what this server serves.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// dispatch serves authenticated requests. Changes are served, and logged, by audited only.
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

// hosts are the names that a request may be addressed to. An attacker can point the name of a web page at this server, so that
// the page's requests have the same origin (DNS rebinding); its name gives it away. Addresses cannot be redirected.
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
	if r.Context().Value(peerKey{}) != nil { // browsers do not use Unix sockets
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
