package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"dcs/cmd/internal/config"
	"dcs/cmd/internal/httpboot"
	"dcs/cmd/internal/httpserve"
	"dcs/cmd/internal/ingress"
	"dcs/cmd/internal/listen"
	"dcs/cmd/internal/logging"
	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
	"dcs/render"
	"dcs/render/device"
	"dcs/render/library"
)

// web is what the server serves over HTTP beside the admin page: metrics and boot files. Both continue while transfers drain:
// monitoring sees the state, and devices are asked to retry.
type web struct {
	metricsAddr *listen.Listener // nil: there is none of its own
	boot        *httpboot.Server // nil: none
}

// Limits of the metrics' clients: a few scrapers, and load balancers that ask for readiness.
const (
	metricsConns = 64
	metricsIdle  = 90 * time.Second // so that a scraper that comes once a minute retains its connection
	metricsSlow  = 2 * time.Second  // a request that takes longer makes room for another if all connections are taken
)

// openWeb opens the addresses. One that is in use is tried again later, so that TFTP does not wait for it.
func openWeb(cfg *config.Config, logs *logging.Log, engine *render.Engine, gate *httpGate) (_ *web, err error) {
	w, log := new(web), logs.Logger
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if cfg.Metrics != "" {
		w.metricsAddr, err = listen.Open("tcp", cfg.Metrics, func() (net.Listener, error) { return listen.TCP(cfg.Metrics) })
		if err != nil {
			return nil, fmt.Errorf("metrics: %w", err)
		}
		w.metricsAddr.Tried = tried(log, "metrics", cfg.Metrics)
	}
	if cfg.HTTP == "" {
		return w, nil
	}
	w.boot, err = httpboot.New(httpboot.Config{
		Address: cfg.HTTP, Cert: cfg.HTTPCert, Key: cfg.HTTPKey,
		Render: httpRenderer(engine, logs, cfg.Devices.Proxies), Judge: gate.judge, Proxies: cfg.Devices.Proxies, Log: log,
		Source: gate.limits.Source, Host: gate.limits.Guard().Host,
		DSCP: cfg.DSCP.Value, Tried: tried(log, "http", cfg.HTTP),
	})
	return w, err
}

// runWeb serves what was opened until ctx ends, by goroutines of all.
func (s *server) runWeb(ctx context.Context, all *errgroup.Group) {
	if l := s.web.metricsAddr; l != nil {
		s.log.Info("metrics", "address", l.Addr())
		all.Go(func() error { s.serveMetrics(ctx, l); return nil })
	}
	if boot := s.web.boot; boot != nil {
		s.log.Info("boot files over HTTP", "address", boot.Addr(), "tls", s.cfg.HTTPCert != "")
		all.Go(func() error {
			if err := boot.Run(ctx); err != nil {
				s.log.Error("HTTP server for boot files failed", "err", err)
			}
			return nil
		})
	}
}

// serveMetrics serves metrics and health on an address of their own.
func (s *server) serveMetrics(ctx context.Context, l *listen.Listener) {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics)
	s.handleHealth(mux.Handle)
	srv := &http.Server{
		Handler: mux, ReadTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: metricsIdle, MaxHeaderBytes: 8 << 10,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	limited := httpserve.Limit(srv, l, httpserve.Limits{Conns: metricsConns, SourceConns: metricsConns / 4, Exempt: netip.Addr.IsLoopback, Slow: metricsSlow})
	if err := httpserve.Run(ctx, srv, limited, time.Second); err != nil {
		s.log.Error("metrics server failed", "err", err)
	}
}

// close closes the addresses.
func (w *web) close() {
	if w.metricsAddr != nil {
		w.metricsAddr.Close()
	}
	if w.boot != nil {
		w.boot.Close()
	}
}

// httpRenderer returns a function that renders for HTTP. It has one worker per CPU for GET, and as many for HEAD, each for one
// request at a time.
func httpRenderer(engine *render.Engine, logs *logging.Log, proxies []netip.Prefix) func(httpboot.Request) (httpboot.File, error) {
	serving, probing := workerPool(engine.Worker), workerPool(engine.Prober)
	renderOne := func(r httpboot.Request) render.Request {
		free := serving
		if r.Head {
			free = probing
		}
		w := <-free
		defer func() { free <- w }()
		// The answer does not refer to the worker's memory: the body is in Buf, or immutable.
		reqs := []render.Request{{
			Requester: device.Requester{Name: []byte(r.Name), Client: r.Client}, Server: r.Server,
			Relayed: isProxy(proxies, r.Client), Buf: make([]byte, 0, 4<<10),
		}}
		w.RenderBatch(time.Now().UnixNano(), reqs)
		if logs.Requests() && !r.Head {
			logRequests(logs, reqs)
		}
		return reqs[0]
	}
	return func(r httpboot.Request) (httpboot.File, error) {
		made := renderOne(r)
		file := httpboot.File{Body: made.Body, Hold: made.Hold}
		if static, ok := made.Hold.(*library.File); ok && made.Err == nil {
			file.Tag = static.Tag() // may read all of a long file, so the worker is released first
		}
		return file, made.Err
	}
}

func workerPool(open func() *render.Worker) chan *render.Worker {
	free := make(chan *render.Worker, runtime.GOMAXPROCS(0))
	for range cap(free) {
		free <- open()
	}
	return free
}

// httpGate decides which requests over HTTP are served.
type httpGate struct {
	health *health
	limits *ingress.Limits
}

// judge applies the ACL and the rate limit of TFTP to a client's request over HTTP; both protocols count together.
func (g *httpGate) judge(client netip.Addr) httpboot.Verdict {
	if g.health.state() != "" {
		return httpboot.NotServing
	}
	p := [1]packet.Packet{{Peer: netip.AddrPortFrom(client, 1), Data: []byte{0, tftp.OpRRQ}, TID: 1}}
	g.limits.Guard().Judge(time.Now().UnixNano(), p[:], nil)
	switch {
	case p[0].Flags&packet.Denied != 0:
		return httpboot.Forbidden
	case p[0].Flags&packet.Limited != 0:
		return httpboot.TooOften
	}
	return httpboot.Admit
}
