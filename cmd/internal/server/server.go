// Package server runs the server: it opens devices, library, transports and the admin page, serves, and reloads.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sync/errgroup"

	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/admin/console"
	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/check"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/ingress"
	"dcs/cmd/internal/logging"
	"dcs/cmd/internal/metrics"
	"dcs/cmd/internal/server/capture"
	"dcs/cmd/internal/spare"
	"dcs/fastpath"
	"dcs/render"
	"dcs/render/attr/store"
	"dcs/render/ber/mib"
	"dcs/render/library"
)

// Options configure a server.
type Options struct {
	File   string // configuration file; "": there is none
	Config config.Config
	// Reread reads the configuration again; nil: it does not change.
	Reread func() (config.Config, error)
	Log    io.Writer
	// Lower puts all threads of the process but the workers' behind them, for good.
	Lower bool
	// Serving, if not nil, is called once requests are answered.
	Serving func(addr netip.AddrPort, lib *library.Snapshot)
}

// closeTimeout is how long Run waits for goroutines that read files: a hanging file server must not prevent the exit.
const closeTimeout = 5 * time.Second

// Run serves until stops sends: after the first signal it drains running transfers; a second one, unless it comes within
// signalEcho, cuts them off. Each signal from hangups reloads configuration, devices and library. No goroutine outlives Run
// except one that hangs in reading a file.
func Run(o Options, stops, hangups <-chan os.Signal) error {
	logs, err := openLog(o.Log, &o.Config)
	if err != nil {
		return err
	}
	defer logs.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s, err := open(ctx, &o, logs)
	if err != nil {
		return err
	}
	defer s.opened.close()
	return s.serve(ctx, cancel, stops, hangups)
}

// server is a server with everything open.
type server struct {
	cfg    config.Config
	reread func() (config.Config, error) // nil: the configuration does not change
	logs   *logging.Log
	log    *slog.Logger // of logs
	opened closers

	process *process
	health  *health
	faults  *faultRing
	manager *manager

	devices  *store.Store  // nil: there are no sources
	grown    chan struct{} // receives when devices have attributes that the library has not seen
	prebuild chan struct{} // receives when devices were loaded or merged

	engine  *render.Engine
	mib     *mib.Index
	library *libraryStatus
	loader  *loader
	changed <-chan struct{}    // receives when templates or static files have changed
	reloads chan reloadRequest // from the admin page
	secrets *serverSecrets
	static  *staticAudit

	in     *ingress.Ingress
	limits *ingress.Limits
	front  *fastpath.Server

	admin     *admin.Server
	console   *console.Console // nil: there is no admin address
	judging   *judging         // nil without a console
	web       *web
	metrics   http.Handler
	addresses *addresses
	captures  *capture.Service

	serving func(netip.AddrPort, *library.Snapshot)
}

// closers close what was opened, in reverse order.
type closers []func()

func (c *closers) add(f func()) { *c = append(*c, f) }

func (c closers) close() {
	for _, f := range slices.Backward(c) {
		f()
	}
}

// open opens everything in order; on an error nothing stays open. The library's files are watched until ctx ends.
func open(ctx context.Context, o *Options, logs *logging.Log) (_ *server, err error) {
	var opened closers
	defer func() {
		if err != nil {
			opened.close()
		}
	}()
	cfg, log := &o.Config, logs.Logger
	p := &process{file: o.File, cfg: cfg, reread: o.Reread, log: log}
	if err := p.begin(); err != nil {
		return nil, err
	}
	for _, line := range check.Unsafe(cfg) {
		log.Warn(line)
	}
	audit := &staticAudit{cfg: cfg, log: log, wanted: make(chan struct{}, 1)}
	secrets := &serverSecrets{cfg: cfg, log: log, audit: audit}
	keyring, err := secrets.read()
	if err != nil {
		return nil, err
	}
	lib, err := assemble.Library(cfg)
	for _, e := range assemble.Flatten(err) {
		log.Error("MIB modules not loaded", "err", e)
	}
	for _, w := range lib.MIB.Warnings() {
		log.Warn("MIB object left out", "why", w)
	}
	devices, err := openDevices(&cfg.Devices, log)
	if err != nil {
		return nil, err
	}
	opened.add(devices.close)
	changed, err := watch(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	events := &events{logs: logs, faults: new(faultRing)}
	engine, err := render.NewEngine(render.Config{
		Library: lib, Spare: spare.Do, Keyring: keyring, Devices: devices.renderer(), OnFault: events.fault, Journal: journal(cfg), Now: time.Now,
		Identity: assemble.IdentityOf(&cfg.Devices), OnIdentity: events.mismatch,
	})
	if engine == nil {
		return nil, err
	}
	secrets.engine, audit.engine, audit.secrets = engine, engine, secrets
	status, manager := new(libraryStatus), &manager{log: log}
	loader := &loader{cfg: cfg, log: log, engine: engine, status: status, secrets: secrets, audit: audit, manager: manager}
	if err != nil {
		for _, e := range assemble.Flatten(err) {
			log.Error(e.Error())
		}
		log.Error("serving the library without the templates that failed to load", "withheld", engine.Library().Broken())
	}
	loader.loaded("loaded", err)

	in, err := ingress.Open(cfg, log, assemble.WorkersOf(cfg))
	if err != nil {
		return nil, err
	}
	opened.add(func() { _ = in.Close() }) // the workers have reported their errors
	engine.SetReloaders(spareCPUs(len(in.Transports())))
	adm, err := openAdmin(cfg, log, secrets)
	if err != nil {
		return nil, err
	}
	opened.add(func() { adm.Close() })
	if adm.Enabled() {
		// The admin API is open from here on. Read the keyring again: changes made since the first read were not announced.
		if _, err := secrets.reload(); err != nil {
			return nil, err
		}
	}
	health := new(health)
	web, err := openWeb(cfg, logs, engine, &httpGate{health: health, limits: in.Limits()})
	if err != nil {
		return nil, err
	}
	opened.add(web.close)
	addresses := newAddresses(cfg, log, adm, web)
	in.WatchVRFs()
	p.restrict(in, addresses)

	start := time.Now()
	workers := workerConfig(cfg, in, start)
	if o.Lower {
		workers.Started = func(threads []int) {
			if err := lowerThreads(threads); err != nil {
				log.Warn("loading and reloading compete with the workers for their CPUs", "err", err)
			}
		}
	}
	s := &server{
		cfg: *cfg, reread: o.Reread, serving: o.Serving, logs: logs, log: log, opened: opened,
		process: p, health: health, faults: events.faults, manager: manager,
		devices: devices.store, grown: devices.grown, prebuild: devices.files,
		engine: engine, mib: lib.MIB, library: status, loader: loader, changed: changed, reloads: make(chan reloadRequest), secrets: secrets, static: audit,
		in: in, limits: in.Limits(),
		front: fastpath.NewServer(workers, in.Transports(), func(int) fastpath.Renderer {
			return &adapter{worker: engine.Worker(), proxies: cfg.Devices.Proxies, logs: logs}
		}, monotonic(start)),
		admin: adm, web: web, addresses: addresses, captures: &capture.Service{Log: log, Steering: in.Steering()},
	}
	s.register(ctx)
	return s, nil
}

// register registers everything that is served on the admin addresses, and the metrics.
func (s *server) register(ctx context.Context) {
	s.registerSecrets()
	s.registerLimits()
	s.captures.Register(ctx, s.admin)
	if s.admin.Enabled() {
		s.judging = newJudging(&s.cfg, s.engine, s.mib, s.devices)
		s.console = console.New(s.admin, &backend{s: s, front: s.front, started: time.Now()}, time.Now)
	}
	s.metrics = metrics.Handler(s.log, s.metricSources()...)
	s.admin.Handle("GET /metrics", s.metrics)
	s.handleHealth(s.admin.Public)
	s.registerLog()
	s.registerTop()
}

// serve runs what was opened until stops sends and the workers have ended. stop ends ctx.
func (s *server) serve(ctx context.Context, stop func(), stops, hangups <-chan os.Signal) error {
	// HTTP continues while transfers drain: monitoring sees the state, and devices are asked to retry.
	webCtx, stopWeb := context.WithCancel(context.Background())
	defer stopWeb()
	var all errgroup.Group
	run := func(f func(context.Context)) {
		all.Go(func() error { f(ctx); return nil })
	}
	ended := make(chan error, 1)
	if s.in.Steering() != nil {
		run(s.in.Steering().Run)
	}
	if s.console != nil {
		run(s.console.Run)
		run(s.judging.run)
	}
	s.runWeb(webCtx, &all)
	all.Go(func() error { ended <- s.front.Run(ctx); return nil })
	run(s.runAdmin)
	run(s.addresses.follow)
	run(s.in.FollowHost)
	run(s.watchPrebuilt)
	run(s.watchdog)
	run(s.static.run)
	run(func(ctx context.Context) { s.watchReloads(ctx, hangups) })
	s.health.phase.Store(serving)
	s.log.Info("serving", s.in.LogArgs()...)
	s.manager.notify(daemon.SdNotifyReady)
	if s.serving != nil {
		s.serving(s.in.Addrs()[0], s.engine.Library())
	}
	err := s.wait(stops, stop, ended)
	stop()
	stopWeb()
	if !waitFor(&all, closeTimeout) {
		s.log.Warn("goroutines still running at exit", "waited", closeTimeout)
	}
	if err == nil {
		s.log.Info("stopped")
	}
	return err
}

// waitFor waits for the goroutines of a group, at most d, and reports whether they have ended.
func waitFor(g *errgroup.Group, d time.Duration) bool {
	done := make(chan struct{})
	go func() {
		_ = g.Wait() // each reports its errors itself
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-time.After(d):
		return false
	}
}

// signalEcho is how long after the first signal a second one counts as its copy: timeout(1) and terminals signal a process and its
// group.
const signalEcho = 100 * time.Millisecond

// wait handles signals to stop until the workers have ended.
func (s *server) wait(stops <-chan os.Signal, stop func(), ended <-chan error) error {
	var stopping time.Time // zero: not yet
	var cut error
	for {
		select {
		case sig := <-stops:
			if !stopping.IsZero() {
				if time.Since(stopping) < signalEcho {
					continue
				}
				// The workers end before what they use is closed.
				cut = fmt.Errorf("second signal (%v): running transfers were cut off", sig)
				s.front.Cut()
				continue
			}
			s.log.Info("stopping", "signal", sig, "drain", s.cfg.Drain)
			stopping = time.Now()
			s.health.phase.Store(draining)
			s.manager.notify(daemon.SdNotifyStopping)
			stop()
		case err := <-ended:
			return errors.Join(cut, err)
		}
	}
}
