// Package admin serves an operator: an HTTP API in JSON and a page, for those alone who may see and change the server.
package admin

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"dcs/cmd/internal/httpserve"
	"dcs/cmd/internal/listen"
)

// Config says where the operator is served, and whom.
type Config struct {
	// Address is host:port, or unix: and the path of a socket; empty: nobody is served.
	// Without a token or client certificates only a loopback address or a socket will do.
	Address string
	// TokenFile holds the token that a request has to bring, as "Authorization: Bearer …"
	// or, from the page, by the login form's cookie. Empty: none is asked for.
	TokenFile string
	// Cert and Key are PEM files; both or neither. With them the address speaks HTTPS.
	Cert, Key string
	// ClientCA is a PEM file; a client has to bring a certificate that one of its authorities has signed.
	ClientCA string
	// Hosts are names by which the server may be asked, beside addresses, localhost, the
	// machine's own name and those of the certificate.
	Hosts []string
	// Tried, if not nil, is called after every further attempt to open an address that somebody else uses, with its error.
	Tried func(error)
}

// Limits of what a client may take.
const (
	maxConns     = 128
	sourceConns  = maxConns / 4 // of one other machine
	laneConns    = 8            // for monitoring, while all others are taken
	maxHeader    = 16 << 10
	maxBody      = 1 << 20
	headerTime   = 5 * time.Second
	requestTime  = 15 * time.Second
	responseTime = 60 * time.Second
	idleTime     = 30 * time.Second
	stopTime     = 2 * time.Second
)

// Server serves an operator.
type Server struct {
	cfg    Config
	log    *slog.Logger
	mux    *http.ServeMux // for those who may
	public *http.ServeMux // for everybody who can connect
	auth   *auth
	hosts  hosts
	secure bool // HTTPS; the http.Server's TLSConfig is its own to change
	// warning is about a configuration that works, but not as it should.
	warning string
	ln      *listen.Listener
	http    *http.Server
	once    sync.Once
}

// New makes a server and opens its address. The error says what is wrong with the configuration, or why the address cannot
// be had. One that somebody else uses, or a socket whose directory is missing, is no error: Run goes on trying. Without an
// address the server is there, but nobody can reach it.
func New(cfg Config, log *slog.Logger) (*Server, error) {
	s := &Server{cfg: cfg, log: log, mux: http.NewServeMux(), public: http.NewServeMux()}
	if cfg.Address == "" {
		return s, nil
	}
	network, address, tlsConfig, err := s.settle()
	if err != nil && !errors.Is(err, errNoPlace) {
		return nil, err
	}
	if s.warning != "" {
		log.Warn(s.warning, "address", cfg.Address)
	}
	if s.ln, err = listen.Open(network, address, func() (net.Listener, error) { return open(network, address) }); err != nil {
		return nil, err
	}
	s.ln.Tried = cfg.Tried
	s.http = &http.Server{
		Handler:           s.guard(),
		TLSConfig:         tlsConfig,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       requestTime,
		WriteTimeout:      responseTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	s.mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		WriteError(w, http.StatusNotFound, fmt.Errorf("%s %s: there is no such call", r.Method, r.URL.Path))
	})
	s.auth.register(s)
	return s, nil
}

// Check tells what is wrong with a configuration, without opening the address; the warning, which may be empty, is
// no reason not to start.
func Check(cfg Config) (warning string, err error) {
	if cfg.Address == "" {
		return "", nil
	}
	s := &Server{cfg: cfg}
	_, _, _, err = s.settle()
	if errors.Is(err, errNoPlace) { // a unit's is made when it starts
		return err.Error(), nil
	}
	return s.warning, err
}

// settle reads what the configuration points to, and says what is to be opened.
func (s *Server) settle() (network, address string, tlsConfig *tls.Config, err error) {
	if tlsConfig, err = loadTLS(&s.cfg); err != nil {
		return "", "", nil, err
	}
	s.secure = tlsConfig != nil
	if s.auth, err = newAuth(s.cfg.TokenFile, s.secure); err != nil {
		return "", "", nil, err
	}
	s.hosts = newHosts(&s.cfg, tlsConfig)
	network, address, err = s.address(s.secure)
	return network, address, tlsConfig, err
}

// Handle registers a handler for a pattern of [http.ServeMux]. Requests that may change
// something are POST: those of another origin never get there.
func (s *Server) Handle(pattern string, h http.Handler) { s.mux.Handle(pattern, h) }

// Public registers a handler that needs no token: it must not tell anything about the network.
func (s *Server) Public(pattern string, h http.Handler) { s.public.Handle(pattern, h) }

// TokenNeeded tells whether one is.
func (s *Server) TokenNeeded() bool { return s.auth != nil && s.auth.token != nil }

// LoginForm sets what shows the form that asks for a token: it posts "token" and "next" to /login.
func (s *Server) LoginForm(form func(w http.ResponseWriter, status int, next, complaint string)) {
	if s.auth != nil {
		s.auth.form = form
	}
}

// Enabled tells whether there is an address.
func (s *Server) Enabled() bool { return s.ln != nil }

// Err returns why the address is not open; nil: it is, or there is none.
func (s *Server) Err() error {
	if s.ln == nil {
		return nil
	}
	return s.ln.Err()
}

// Addr returns the address as it was opened or, until then, as it is configured; nil if there is none.
func (s *Server) Addr() net.Addr {
	if s.ln == nil {
		return nil
	}
	return s.ln.Addr()
}

// URL returns where a browser finds the page, "" where it cannot.
func (s *Server) URL() string {
	if s.ln == nil || s.ln.Addr().Network() != "tcp" {
		return ""
	}
	if s.secure {
		return "https://" + s.ln.Addr().String() + "/"
	}
	return "http://" + s.ln.Addr().String() + "/"
}

// Run serves until the context ends; then it lets running requests end, for a while.
func (s *Server) Run(ctx context.Context) error {
	if s.ln == nil {
		<-ctx.Done()
		return nil
	}
	ln := httpserve.Limit(s.http, s.ln, httpserve.Limits{
		Conns: maxConns, SourceConns: sourceConns, Exempt: netip.Addr.IsLoopback, Lane: laneConns, InLane: monitoring,
	})
	if err := httpserve.Run(ctx, s.http, ln, stopTime); err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	return nil
}

// monitoring reports a request by which the server is watched. It is answered while all connections are taken.
func monitoring(r *http.Request) bool {
	switch r.URL.Path {
	case "/healthz", "/readyz", "/metrics":
		return true
	}
	return false
}

// Close gives the address back. Run returns.
func (s *Server) Close() error {
	var err error
	s.once.Do(func() {
		if s.ln == nil {
			return
		}
		s.http.Close()
		if err = s.ln.Close(); errors.Is(err, net.ErrClosed) {
			err = nil
		}
	})
	return err
}

// WriteJSON answers with v.
func WriteJSON(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		WriteError(w, http.StatusInternalServerError, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n')) // who has gone away misses nothing
}

// WriteError answers with {"error": "…"}.
func WriteError(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct {
		Error string `json:"error"`
	}{err.Error()})
}
