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

	"dcs/cmd/internal/httpboot"
	"dcs/cmd/internal/httpserve"
	"dcs/cmd/internal/listen"
	"dcs/cmd/internal/metrics"
	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
	"dcs/render"
	"dcs/render/device"
	"dcs/render/library"
)

// web is what the server serves over HTTP beside the admin page: metrics, and boot files. Both go on while running
// transfers come to their end, so that monitoring sees it and devices are told to come again.
type web struct {
	metricsAddr *listen.Listener // nil: there is none of its own
	boot        *httpboot.Server // nil: none
	stop        context.CancelFunc
	ended       chan struct{}
}

// Limits of what clients of the metrics may take: a few that scrape, and load balancers that ask whether we are ready.
const (
	MetricsConns = 64
	metricsIdle  = 90 * time.Second // a scraper that comes once a minute keeps its connection
	metricsSlow  = 2 * time.Second  // who takes longer makes room for the next, where all places are taken
)

// openWeb opens the addresses. One that somebody else uses is tried again later: modems on TFTP do not wait for it.
func (s *server) openWeb() error {
	w := &s.web
	var err error
	if s.cfg.Metrics != "" {
		w.metricsAddr, err = listen.Open("tcp", s.cfg.Metrics, func() (net.Listener, error) { return listen.TCP(s.cfg.Metrics) })
		if err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
		w.metricsAddr.Tried = s.tried("metrics", s.cfg.Metrics)
	}
	if s.cfg.HTTP == "" {
		return nil
	}
	w.boot, err = httpboot.New(httpboot.Config{
		Address: s.cfg.HTTP, Cert: s.cfg.HTTPCert, Key: s.cfg.HTTPKey,
		Render: s.httpRenderer(), Judge: s.httpJudge, Proxies: s.cfg.Devices.Proxies, Log: s.log,
		Source: s.limits.Source, Host: s.limits.Guard.Host,
		DSCP: s.cfg.DSCP.Value, Tried: s.tried("http", s.cfg.HTTP),
	})
	return err
}

// runWeb registers metrics and the log, and serves what was opened.
func (s *server) runWeb() {
	w := &s.web
	exposed := metrics.Handler(s.log, s.metricSources()...)
	s.admin.Handle("GET /metrics", exposed)
	s.handleHealth(s.admin.Public)
	s.registerLog()
	s.registerTop()

	ctx, stop := context.WithCancel(context.Background())
	w.stop, w.ended = stop, make(chan struct{}, 2)
	running := 0
	if w.metricsAddr != nil {
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", exposed)
		s.handleHealth(mux.Handle)
		metricsHTTP := &http.Server{
			Handler: mux, ReadTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: metricsIdle, MaxHeaderBytes: 8 << 10,
			ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		}
		ln := httpserve.Limit(metricsHTTP, w.metricsAddr, httpserve.Limits{Conns: MetricsConns, SourceConns: MetricsConns / 4, Exempt: netip.Addr.IsLoopback, Slow: metricsSlow})
		s.log.Info("metrics", "address", w.metricsAddr.Addr())
		running++
		go func() {
			if err := httpserve.Run(ctx, metricsHTTP, ln, time.Second); err != nil {
				s.log.Error("metrics are not served any more", "err", err)
			}
			w.ended <- struct{}{}
		}()
	}
	if w.boot != nil {
		s.log.Info("boot files over HTTP", "address", w.boot.Addr(), "tls", s.cfg.HTTPCert != "")
		running++
		go func() {
			if err := w.boot.Run(ctx); err != nil {
				s.log.Error("boot files are not served over HTTP any more", "err", err)
			}
			w.ended <- struct{}{}
		}()
	}
	w.stop = func() {
		stop()
		for range running {
			<-w.ended
		}
	}
}

// close ends what runs, and gives the addresses back.
func (w *web) close() {
	if w.stop != nil {
		w.stop()
	}
	if w.metricsAddr != nil {
		w.metricsAddr.Close()
	}
	if w.boot != nil {
		w.boot.Close()
	}
}

// httpRenderer returns what renders for HTTP: as many workers as there are processors, each for one request at a time, and as many
// for requests that want the header alone.
func (s *server) httpRenderer() func(httpboot.Request) (httpboot.File, error) {
	serving, probing := workerPool(s.engine.Worker), workerPool(s.engine.Prober)
	renderOne := func(r httpboot.Request) render.Request {
		free := serving
		if r.Head {
			free = probing
		}
		w := <-free
		defer func() { free <- w }()
		// The worker's own memory is done with when it returns: the body is in Buf, or in what nobody changes.
		reqs := []render.Request{{
			Requester: device.Requester{Name: []byte(r.Name), Client: r.Client}, Server: r.Server,
			Relayed: isProxy(s.cfg.Devices.Proxies, r.Client), Buf: make([]byte, 0, 4<<10),
		}}
		w.RenderBatch(time.Now().UnixNano(), reqs)
		if s.logs.Requests() && !r.Head {
			logRequests(s.logs, reqs)
		}
		return reqs[0]
	}
	return func(r httpboot.Request) (httpboot.File, error) {
		made := renderOne(r)
		file := httpboot.File{Body: made.Body, Hold: made.Hold}
		if static, ok := made.Hold.(*library.File); ok && made.Err == nil {
			file.Tag = static.Tag() // which may read all of a long file: no worker waits for it
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

// httpJudge has a request over HTTP judged by the limits of those over TFTP, in one and the same account.
func (s *server) httpJudge(client netip.Addr) httpboot.Verdict {
	if s.health.state() != "" {
		return httpboot.NotServing
	}
	p := [1]packet.Packet{{Peer: netip.AddrPortFrom(client, 1), Data: []byte{0, tftp.OpRRQ}, TID: 1}}
	s.limits.Guard.Judge(time.Now().UnixNano(), p[:], nil)
	switch {
	case p[0].Flags&packet.Denied != 0:
		return httpboot.Forbidden
	case p[0].Flags&packet.Limited != 0:
		return httpboot.TooOften
	}
	return httpboot.Admit
}
