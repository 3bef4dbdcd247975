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
	"slices"
	"strings"
	"sync"
	"time"

	"dcs/cmd/internal/httpserve"
	"dcs/cmd/internal/listen"
)

// Config says where the operator is served, and whom.
type Config struct {
	// Addresses are each host:port, or unix: and the path of a socket; none: nobody is served.
	// Without a token or client certificates only loopback addresses and sockets will do, and
	// only sockets take changes.
	Addresses []string
	// TokenFile holds the token that a request has to bring, as "Authorization: Bearer …"
	// or, from the page, by the login form's cookie. It is read anew for each request, and
	// sessions end when it changes. Empty: none is asked for.
	TokenFile string
	// Cert and Key are PEM files; both or neither. With them, TCP speaks HTTPS.
	Cert, Key string
	// ClientCA is a PEM file; a client has to bring a certificate that one of its authorities has signed.
	ClientCA string
	// Hosts are names by which the server may be asked, beside addresses, localhost, the
	// machine's own name and those of the certificate.
	Hosts []string
	// Tried, if not nil, is called after every further attempt to open an address that somebody else uses, with its error.
	Tried func(address string, err error)
}

// Limits of what a client may take.
const (
	maxConns     = 128
	sourceConns  = maxConns / 4 // of one other machine
	laneConns    = 8            // for monitoring, while all others are taken
	maxHeader    = 16 << 10
	maxBody      = 1 << 20
	maxLogin     = 8 << 10 // of a body that anybody may send
	headerTime   = 5 * time.Second
	requestTime  = 15 * time.Second
	responseTime = 60 * time.Second
	idleTime     = 30 * time.Second
	slowTime     = 2 * time.Second // after which a request makes room where all connections are taken
	stopTime     = 2 * time.Second
)

// Server serves an operator.
type Server struct {
	cfg    Config
	log    *slog.Logger
	mux    *http.ServeMux // for those who may
	public *http.ServeMux // for everybody who can connect
	routes []string       // the patterns of mux
	auth   *auth
	hosts  hosts
	secure bool // TCP speaks HTTPS
	// warnings are about a configuration that works, but not as it should.
	warnings  []string
	refusals  refusals
	listeners []*Listener
	once      sync.Once
}

// Listener is one address of a server.
type Listener struct {
	*listen.Listener
	address string // as it is configured
	secure  bool   // HTTPS; the http.Server's TLSConfig is its own to change
	http    *http.Server
}

// place is what an address has opened.
type place struct{ configured, network, address string }

// New makes a server and opens its addresses. The error says what is wrong with the configuration, or why an address cannot
// be had. One that somebody else uses, or a socket whose directory is missing, is no error: Run goes on trying. Without an
// address the server is there, but nobody can reach it.
func New(cfg Config, log *slog.Logger) (*Server, error) {
	s := &Server{cfg: cfg, log: log, mux: http.NewServeMux(), public: http.NewServeMux()}
	if len(cfg.Addresses) == 0 {
		return s, nil
	}
	places, tlsConfig, _, err := s.settle()
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
		WriteError(w, http.StatusNotFound, fmt.Errorf("%s %s: there is no such call; GET /api/ lists them", r.Method, r.URL.Path))
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

// Check tells what is wrong with a configuration, without opening the addresses; the warnings are
// no reason not to start.
func Check(cfg Config) (warnings []string, err error) {
	if len(cfg.Addresses) == 0 {
		return nil, nil
	}
	s := &Server{cfg: cfg}
	_, _, missing, err := s.settle() // a unit's directory is made when it starts
	return append(s.warnings, missing...), err
}

// settle reads what the configuration points to, and says what is to be opened. missing says of each socket
// without a directory that it is.
func (s *Server) settle() (places []place, tlsConfig *tls.Config, missing []string, err error) {
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
		case errors.Is(err, errNoPlace):
			missing = append(missing, err.Error())
		case err != nil:
			return nil, nil, nil, err
		}
		places = append(places, place{configured, network, address})
	}
	return places, tlsConfig, missing, nil
}

// Handle registers a handler for a pattern of [http.ServeMux]. What may change something has a method other than GET: such
// requests are taken from this origin and from known callers alone, and the log has a line about each, with the beginning of its
// body; a secret must not be there.
func (s *Server) Handle(pattern string, h http.Handler) {
	s.routes = append(s.routes, pattern)
	s.mux.Handle(pattern, h)
}

// Routes returns the patterns that Handle was called with.
func (s *Server) Routes() []string { return slices.Clone(s.routes) }

// Public registers a handler that needs no token: it must not tell anything about the network, nor change anything.
func (s *Server) Public(pattern string, h http.Handler) {
	if !strings.HasPrefix(pattern, http.MethodGet+" ") {
		panic("admin: what is public is a GET: " + pattern)
	}
	s.public.Handle(pattern, h)
}

// TokenNeeded tells whether one is.
func (s *Server) TokenNeeded() bool { return s.auth != nil && s.auth.file != nil }

// LoginForm sets what shows the form that asks for a token: it posts "token" and "next" to /login.
func (s *Server) LoginForm(form func(w http.ResponseWriter, status int, next, complaint string)) {
	if s.auth != nil {
		s.auth.form = form
	}
}

// Enabled tells whether there is an address.
func (s *Server) Enabled() bool { return len(s.listeners) > 0 }

// Listeners returns the addresses in the order of the configuration.
func (s *Server) Listeners() []*Listener { return s.listeners }

// Listener returns the one of a configured address; nil: there is none.
func (s *Server) Listener(address string) *Listener {
	for _, l := range s.listeners {
		if l.address == address {
			return l
		}
	}
	return nil
}

// URL returns where a browser finds the page, "" where it cannot.
func (l *Listener) URL() string {
	switch {
	case l.Addr().Network() != "tcp":
		return ""
	case l.secure:
		return "https://" + l.Addr().String() + "/"
	}
	return "http://" + l.Addr().String() + "/"
}

// Run serves until the context ends; then it lets running requests end, for a while. An address that is not served any more
// before that is logged.
func (s *Server) Run(ctx context.Context) {
	var running sync.WaitGroup
	for _, l := range s.listeners {
		running.Go(func() {
			ln := httpserve.Limit(l.http, l.Listener, httpserve.Limits{
				Conns: maxConns, SourceConns: sourceConns, Exempt: netip.Addr.IsLoopback, Slow: slowTime, Lane: laneConns, InLane: monitoring,
			})
			if err := httpserve.Run(ctx, l.http, ln, stopTime); err != nil {
				s.log.Error("admin address not served any more", "address", l.address, "err", err)
			}
		})
	}
	running.Wait()
	<-ctx.Done()
}

// monitoring reports a request by which the server is watched. It is answered while all connections are taken.
func monitoring(r *http.Request) bool {
	switch r.URL.Path {
	case "/healthz", "/readyz", "/metrics":
		return true
	}
	return false
}

// Close gives the addresses back. Run returns.
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
