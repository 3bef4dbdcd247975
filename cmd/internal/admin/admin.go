// Package admin serves the admin API, in JSON, and the admin page, and decides who may use them.
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
	"slices"
	"strings"
	"sync"
	"time"

	"dcs/cmd/internal/httpserve"
	"dcs/cmd/internal/listen"
)

// Config configures a Server.
type Config struct {
	// Addresses are host:port, or unix: and the path of a socket; none: nobody is served. Without a token or client certificates
	// only loopback addresses and sockets are allowed, and only sockets accept changes.
	Addresses []string
	// TokenFile holds the token that a request has to have, as "Authorization: Bearer …" or, from the page, by the login form's
	// cookie. It is read for each request; sessions end when it changes. Empty: no token is required.
	TokenFile string
	// Cert and Key are PEM files; both or neither. With them, TCP speaks HTTPS.
	Cert, Key string
	// ClientCA is a PEM file; clients need a certificate that one of its authorities has signed.
	ClientCA string
	// Hosts are names of the server beside addresses, localhost, the host name and those of the certificate.
	Hosts []string
	// Tried, if not nil, is called with the result of each further attempt to open an address that was in use.
	Tried func(address string, err error)
}

// Limits of clients.
const (
	maxConns     = 128
	sourceConns  = maxConns / 4 // per remote host
	laneConns    = 8            // additional ones for monitoring
	maxHeader    = 16 << 10
	maxBody      = 1 << 20
	maxLogin     = 8 << 10 // body of a request without a token
	headerTime   = 5 * time.Second
	requestTime  = 15 * time.Second
	responseTime = 60 * time.Second
	idleTime     = 30 * time.Second
	slowTime     = 2 * time.Second // as in httpserve.Limits
	stopTime     = 2 * time.Second
)

// Server serves the admin API and page.
type Server struct {
	cfg       Config
	log       *slog.Logger
	mux       *http.ServeMux // for authenticated requests
	public    *http.ServeMux // for everybody who can connect
	routes    []string       // patterns of mux
	auth      *auth
	hosts     hosts
	secure    bool     // TCP speaks HTTPS
	warnings  []string // about the configuration
	refusals  refusals
	listeners []*Listener
	once      sync.Once
}

// Listener is one address of a server.
type Listener struct {
	*listen.Listener
	address string // as configured
	secure  bool   // HTTPS; the TLSConfig belongs to http
	http    *http.Server
}

// place is an address for [net.Listen].
type place struct{ configured, network, address string }

// New opens the addresses of a server. The error is about the configuration, or about an address that cannot be opened. An
// address in use, or a socket whose directory is missing, is not an error: Run retries. Without an address nobody can reach the
// server.
func New(cfg Config, log *slog.Logger) (*Server, error) {
	s := &Server{cfg: cfg, log: log, mux: http.NewServeMux(), public: http.NewServeMux()}
	if len(cfg.Addresses) == 0 {
		return s, nil
	}
	places, tlsConfig, _, err := s.load()
	if err != nil {
		return nil, err
	}
	for _, w := range s.warnings {
		log.Warn(w)
	}
	for _, p := range places {
		l, err := s.open(p, tlsConfig)
		if err != nil {
			_ = s.Close()
			return nil, err
		}
		s.listeners = append(s.listeners, l)
	}
	s.Handle("/api/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		WriteError(w, http.StatusNotFound, fmt.Errorf("%s %s: no such call; GET /api/ lists all", r.Method, r.URL.Path))
	}))
	s.Handle("GET /api/{$}", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { WriteJSON(w, s.Routes()) }))
	s.Handle("GET "+WhoAmI, http.HandlerFunc(whoAmI))
	s.registerLogin()
	return s, nil
}

// open opens one address.
func (s *Server) open(p place, tlsConfig *tls.Config) (*Listener, error) {
	ln, err := listen.Open(p.network, p.address, func() (net.Listener, error) { return open(p.network, p.address) })
	if err != nil {
		return nil, err
	}
	if tried := s.cfg.Tried; tried != nil {
		ln.Tried = func(err error) { tried(p.configured, err) }
	}
	l := &Listener{ln, p.configured, p.network == "tcp" && tlsConfig != nil, &http.Server{
		Handler:           s.guard(),
		ConnContext:       withPeer,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       requestTime,
		WriteTimeout:      responseTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}}
	if l.secure {
		l.http.TLSConfig = tlsConfig.Clone()
	}
	return l, nil
}

// Check returns the errors of a configuration that would prevent the start, and the warnings, without opening the addresses.
func Check(cfg Config) (warnings []string, err error) {
	if len(cfg.Addresses) == 0 {
		return nil, nil
	}
	s := &Server{cfg: cfg}
	_, _, missing, err := s.load() // systemd creates a unit's directory when it starts
	return append(s.warnings, missing...), err
}

// load reads the files of the configuration, and returns what to open. missing has a line for each socket without a directory.
func (s *Server) load() (places []place, tlsConfig *tls.Config, missing []string, err error) {
	if tlsConfig, err = loadTLS(&s.cfg); err != nil {
		return nil, nil, nil, err
	}
	s.secure = tlsConfig != nil
	if s.auth, err = newAuth(s.cfg.TokenFile); err != nil {
		return nil, nil, nil, err
	}
	s.hosts = newHosts(&s.cfg, tlsConfig)
	for _, configured := range s.cfg.Addresses {
		network, address, err := s.place(configured)
		switch {
		case errors.Is(err, errNoDirectory):
			missing = append(missing, err.Error())
		case err != nil:
			return nil, nil, nil, err
		}
		places = append(places, place{configured, network, address})
	}
	return places, tlsConfig, missing, nil
}

// Handle registers a handler for a pattern of [http.ServeMux]. What changes something must not be a GET: other methods are
// accepted only from this origin and from known callers, and are logged with the beginning of the body, which must not contain
// secrets.
func (s *Server) Handle(pattern string, h http.Handler) {
	s.routes = append(s.routes, pattern)
	s.mux.Handle(pattern, h)
}

// Routes returns the patterns that Handle was called with.
func (s *Server) Routes() []string { return slices.Clone(s.routes) }

// Public registers a handler that needs no token. It must not reveal anything about the network, nor change anything.
func (s *Server) Public(pattern string, h http.Handler) {
	if !strings.HasPrefix(pattern, http.MethodGet+" ") {
		panic("admin: public handlers must be GET: " + pattern)
	}
	s.public.Handle(pattern, h)
}

// TokenNeeded reports whether requests need a token.
func (s *Server) TokenNeeded() bool { return s.auth != nil && s.auth.file != nil }

// LoginForm sets the handler that shows the login form, which posts "token" and "next" to /login.
func (s *Server) LoginForm(form func(w http.ResponseWriter, status int, next, complaint string)) {
	if s.auth != nil {
		s.auth.form = form
	}
}

// Enabled reports whether there is an address.
func (s *Server) Enabled() bool { return len(s.listeners) > 0 }

// Listeners returns the addresses in the order of the configuration.
func (s *Server) Listeners() []*Listener { return s.listeners }

// Listener returns the listener of a configured address; nil: there is none.
func (s *Server) Listener(address string) *Listener {
	for _, l := range s.listeners {
		if l.address == address {
			return l
		}
	}
	return nil
}

// URL returns the URL of the page, "" for a Unix socket.
func (l *Listener) URL() string {
	switch {
	case l.Addr().Network() != "tcp":
		return ""
	case l.secure:
		return "https://" + l.Addr().String() + "/"
	}
	return "http://" + l.Addr().String() + "/"
}

// Run serves until ctx ends, and then waits for running requests, at most 2 s. An address that fails before is logged.
func (s *Server) Run(ctx context.Context) {
	var running sync.WaitGroup
	for _, l := range s.listeners {
		running.Go(func() {
			ln := httpserve.Limit(l.http, l.Listener, httpserve.Limits{
				Conns: maxConns, SourceConns: sourceConns, Exempt: netip.Addr.IsLoopback, Slow: slowTime, Lane: laneConns, InLane: monitoring,
			})
			if err := httpserve.Run(ctx, l.http, ln, stopTime); err != nil {
				s.log.Error("admin server failed", "address", l.address, "err", err)
			}
		})
	}
	running.Wait()
	<-ctx.Done()
}

// monitoring reports whether a request is from monitoring, which is answered even when all connections are taken.
func monitoring(r *http.Request) bool {
	switch r.URL.Path {
	case "/healthz", "/readyz", "/metrics":
		return true
	}
	return false
}

// Close closes the addresses, and ends Run.
func (s *Server) Close() error {
	var errs []error
	s.once.Do(func() {
		for _, l := range s.listeners {
			l.http.Close()
			if err := l.Listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	})
	return errors.Join(errs...)
}

// WriteJSON answers with v.
func WriteJSON(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		WriteError(w, http.StatusInternalServerError, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n')) // the client may be gone
}

// WriteError answers with {"error": "…"}.
func WriteError(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct {
		Error string `json:"error"`
	}{err.Error()})
}
