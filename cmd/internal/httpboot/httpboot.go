// Package httpboot serves boot files over HTTP as GET /boot/NAME.
package httpboot

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"dcs/cmd/internal/httpserve"
	"dcs/cmd/internal/listen"
	"dcs/fastpath/source"
)

// Request asks for one file.
type Request struct {
	Name   string
	Client netip.Addr // the device's address
	Server netip.Addr // the local address of the connection
	Head   bool       // only the header is sent
}

// A Verdict says whether a client is served.
type Verdict uint8

// The verdicts.
const (
	Admit      Verdict = iota
	Forbidden          // the ACL does not allow it
	TooOften           // over the rate limit
	NotServing         // the server is starting or stopping
)

// Config configures a Server.
type Config struct {
	Address   string // host:port
	Cert, Key string // PEM files; with them the address speaks HTTPS
	// Render renders a file. Errors that wrap fs.ErrNotExist, fs.ErrPermission or syscall.EAGAIN get statuses of their own.
	// It is called concurrently.
	Render func(Request) (File, error)
	// Judge decides whether a device is served. It is called once for a request, with the device's address.
	Judge   func(netip.Addr) Verdict
	Proxies []netip.Prefix // whose X-Forwarded-For is trusted
	// Source returns the source that an address counts as; nil: the address itself, of IPv6 its /64.
	Source func(netip.Addr) netip.Addr
	// Host returns this host's addresses; nil: unknown.
	Host   func() *source.Host
	Log    *slog.Logger
	Limits Limits
	DSCP   uint8 // of answers, 0 to 63
	// Tried, if not nil, is called with the result of each further attempt to open an address that was in use.
	Tried func(error)
}

// Limits are the limits of clients. A zero field has its default.
type Limits struct {
	Conns       int           // concurrent connections; default 1,024
	SourceConns int           // per source, except proxies; default 128
	Header      time.Duration // time for a request; default 5 s
	Idle        time.Duration // between two requests; default 15 s
	Write       time.Duration // for each 32 KiB of an answer; default 10 s
	Slow        time.Duration // as in httpserve.Limits; default 2 s
}

const (
	prefix    = "/boot/"
	maxName   = 512 // as over TFTP
	maxHeader = 8 << 10
	stopTime  = 5 * time.Second
	retry     = "2" // seconds
)

// Server serves boot files.
type Server struct {
	cfg   Config
	http  *http.Server
	ln    *httpserve.Listener
	at    *listen.Listener   // below ln
	codes [600]atomic.Uint64 // requests by status
}

// New opens the address. If it is in use, Run retries.
func New(cfg Config) (*Server, error) {
	l := &cfg.Limits
	set(&l.Conns, 1024)
	set(&l.SourceConns, 128)
	set(&l.Header, 5*time.Second)
	set(&l.Idle, 15*time.Second)
	set(&l.Write, 10*time.Second)
	set(&l.Slow, 2*time.Second)
	s := &Server{cfg: cfg}
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		ReadHeaderTimeout: l.Header,
		ReadTimeout:       l.Header,
		IdleTimeout:       l.Idle,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
		Protocols:         new(http.Protocols),

		DisableGeneralOptionsHandler: true,
	}
	// One file needs no second stream, and HTTP/2 would need limits of its own.
	s.http.Protocols.SetHTTP1(true)
	var err error
	if s.http.TLSConfig, err = TLS(cfg.Cert, cfg.Key); err != nil {
		return nil, err
	}
	s.at, err = listen.Open("tcp", cfg.Address, func() (net.Listener, error) { return listen.MarkedTCP(cfg.Address, cfg.DSCP) })
	if err != nil {
		return nil, fmt.Errorf("http: %w", err)
	}
	s.at.Tried = cfg.Tried
	s.ln = httpserve.Limit(s.http, s.at, httpserve.Limits{
		Conns: l.Conns, SourceConns: l.SourceConns, Exempt: s.cfg.proxy, Source: s.cfg.Source, Slow: l.Slow,
	})
	return s, nil
}

// TLS reads a certificate with its chain, and its key; it returns nil without a certificate.
func TLS(cert, key string) (*tls.Config, error) {
	if cert == "" {
		return nil, nil
	}
	pair, err := httpserve.KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("http_cert: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

func set[T int | time.Duration](p *T, value T) {
	if *p <= 0 {
		*p = value
	}
}

// Err returns why the address is not open; nil if it is.
func (s *Server) Err() error { return s.at.Err() }

// Addr returns the open address, or the configured one until it is open.
func (s *Server) Addr() net.Addr { return s.ln.Addr() }

// Requests returns the number of requests by status.
func (s *Server) Requests() map[int]uint64 {
	m := map[int]uint64{}
	for code := range s.codes {
		if n := s.codes[code].Load(); n > 0 {
			m[code] = n
		}
	}
	return m
}

// Connections returns the number of connections.
func (s *Server) Connections() int { return s.ln.Connections() }

// Cut returns how many connections were closed for another one, and how many were refused.
func (s *Server) Cut() (cut, turned uint64) { return s.ln.Cut() }

// Run serves until ctx ends; it then waits for running requests, at most 5 s.
func (s *Server) Run(ctx context.Context) error {
	if err := httpserve.Run(ctx, s.http, s.ln, stopTime); err != nil {
		return fmt.Errorf("http: %w", err)
	}
	return nil
}

// Close closes the address, whether or not Run was called.
func (s *Server) Close() error {
	s.http.Close()
	if err := s.ln.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	// A body is not read, and its connection may be replaced by that of a client without one.
	if r.ContentLength != 0 {
		h.Set("Connection", "close")
		defer httpserve.Yield(r)
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		s.refuse(w, http.StatusMethodNotAllowed)
		return
	}
	name, ok := strings.CutPrefix(r.URL.Path, prefix)
	switch {
	case !ok || name == "":
		s.refuse(w, http.StatusNotFound)
		return
	case len(name) > maxName:
		s.refuse(w, http.StatusRequestURITooLong)
		return
	case strings.IndexByte(name, 0) >= 0:
		s.refuse(w, http.StatusBadRequest)
		return
	}
	server := serverAddr(r)
	client, err := s.client(r, server)
	if err != nil {
		s.cfg.Log.Debug("HTTP request without a device's address", "from", r.RemoteAddr, "err", err)
		s.refuse(w, http.StatusBadRequest)
		return
	}
	switch s.cfg.Judge(client) {
	case Forbidden:
		s.refuse(w, http.StatusForbidden)
		return
	case TooOften:
		h.Set("Retry-After", retry)
		s.refuse(w, http.StatusTooManyRequests)
		return
	case NotServing:
		h.Set("Retry-After", retry)
		h.Set("Connection", "close")
		s.refuse(w, http.StatusServiceUnavailable)
		return
	}
	file, err := s.cfg.Render(Request{Name: name, Client: client, Server: server, Head: r.Method == http.MethodHead})
	switch {
	case err == nil:
		s.answer(w, r, file)
	case errors.Is(err, fs.ErrNotExist):
		s.refuse(w, http.StatusNotFound)
	case errors.Is(err, fs.ErrPermission):
		s.refuse(w, http.StatusForbidden)
	case errors.Is(err, syscall.EAGAIN):
		h.Set("Retry-After", retry)
		s.refuse(w, http.StatusServiceUnavailable)
	default:
		s.refuse(w, http.StatusInternalServerError)
	}
}

// refuse answers with a status only. The cause is for the server's log, not for the client.
func (s *Server) refuse(w http.ResponseWriter, code int) {
	s.codes[code].Add(1)
	deadline(w, s.cfg.Limits.Write)
	http.Error(w, http.StatusText(code), code)
}

func deadline(w http.ResponseWriter, d time.Duration) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d))
}

func (c *Config) proxy(a netip.Addr) bool {
	for _, p := range c.Proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func serverAddr(r *http.Request) netip.Addr {
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		if ap, err := netip.ParseAddrPort(a.String()); err == nil {
			return ap.Addr().Unmap().WithZone("")
		}
	}
	return netip.Addr{}
}
