// Package server runs the server: devices, library, transports, the operator's pages, reloads.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/check"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/ingress"
	"dcs/cmd/internal/logging"
	"dcs/cmd/internal/sandbox"
	"dcs/cmd/internal/server/capture"
	"dcs/fastpath"
	"dcs/render"
	"dcs/render/attr/store"
	"dcs/render/library"
)

// Options are what a server is started with.
type Options struct {
	File   string // of the configuration; "": there is none
	Config config.Config
	// Reread returns the configuration as it is now. If nil, it does not change.
	Reread func() (config.Config, error)
	Log    io.Writer
	// Serving is called once requests are answered, if it is not nil.
	Serving func(addr netip.AddrPort, lib *library.Snapshot)
}

// Run serves until one of stops says to stop. Each of hangups asks for a reload, as SIGHUP does.
func Run(o Options, stops, hangups <-chan os.Signal) error {
	logs, err := openLog(o.Log, &o.Config)
	if err != nil {
		return err
	}
	defer logs.Close()
	return (&server{file: o.File, cfg: o.Config, reread: o.Reread, serving: o.Serving, logs: logs, log: logs.Logger}).run(stops, hangups)
}

type server struct {
	file    string // of the configuration; "": there is none
	cfg     config.Config
	reread  func() (config.Config, error) // the configuration as it is now; nil: it does not change
	serving func(netip.AddrPort, *library.Snapshot)
	logs    *logging.Log
	log     *slog.Logger // of logs
	engine  *render.Engine
	admin   *admin.Server
	front   *fastpath.Server

	web    web
	health health
	faults faultRing

	library libraryStatus
	reloads chan reloadWish // of the admin page
	manager manager
	limits  *ingress.Limits
	in      *ingress.Ingress
	sandbox sandbox.Result
	writes  []string // the directories that it writes to

	addresses addresses
	captures  *capture.Service

	secrets serverSecrets
	static  staticAudit

	devices  *store.Store  // nil: there are none
	grown    chan struct{} // holds one when devices have attributes that the library has not seen
	prebuild chan struct{} // holds one when there are new files of devices
}

func (s *server) run(stops, hangups <-chan os.Signal) error {
	if err := s.becomeUser(); err != nil {
		return err
	}
	if s.startsPlugins() {
		s.enterSandbox(true) // which opening takes
	}
	s.limitMemory()
	s.warnUnsafe()
	keyring, err := s.keyring()
	if err != nil {
		return err
	}
	lib, err := assemble.Library(&s.cfg)
	for _, e := range assemble.Flatten(err) {
		s.log.Error("MIB module left out", "err", e)
	}
	if err := s.openDevices(); err != nil {
		return err
	}
	defer s.closeDevices()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	changed, err := s.watch(ctx)
	if err != nil {
		return err
	}
	if s.engine, err = render.NewEngine(render.Config{
		Library: lib, Keyring: keyring, Devices: s.rendererDevices(), OnFault: s.fault, Journal: s.journal(), Now: time.Now,
		Identity: assemble.IdentityOf(&s.cfg.Devices), OnIdentity: s.mismatch,
	}); err != nil {
		if s.engine == nil {
			return err
		}
		for _, e := range assemble.Flatten(err) {
			s.log.Error(e.Error())
		}
		s.log.Error("serving the library without the templates that failed to load", "withheld", s.engine.Library().Broken())
	}
	s.loaded("loaded", err)

	in, err := ingress.Open(&s.cfg, s.log, assemble.WorkersOf(&s.cfg))
	if err != nil {
		return err
	}
	s.in, s.limits = in, in.Limits
	defer func() { _ = in.Close() }() // the workers have told what they could not do
	renderer := func(int) fastpath.Renderer {
		return &adapter{worker: s.engine.Worker(), proxies: s.cfg.Devices.Proxies, logs: s.logs}
	}
	if err := s.openAdmin(); err != nil {
		return err
	}
	defer s.admin.Close()
	if err := s.openSecrets(); err != nil {
		return err
	}
	s.registerLimits()
	s.captures = &capture.Service{Log: s.log, Steering: in.Steering}
	s.captures.Register(ctx, s.admin)
	defer s.web.close()
	if err := s.openWeb(); err != nil {
		return err
	}
	s.openAddresses()
	in.WatchVRFs()
	s.dropPrivileges(in)
	if !s.startsPlugins() {
		s.enterSandbox(in.Steering != nil)
	}
	if in.Steering != nil {
		go in.Steering.Keep(ctx)
	}
	start := time.Now()
	s.front = fastpath.NewServer(s.serverConfig(in, start), in.Transports, renderer, monotonic(start))
	s.openConsole(ctx)
	s.runWeb()
	ended := make(chan error, 1)
	go func() { ended <- s.front.Run(ctx) }()
	go s.runAdmin(ctx)
	go ingress.Every(ctx, ingress.LookEvery, s.addresses.look)
	go in.FollowHost(ctx)
	go s.keepPrebuilt(ctx)
	go s.watchdog(ctx)
	go s.keepLoaded(ctx, hangups, changed)
	s.health.phase.Store(serving)
	s.log.Info("serving", in.Told()...)
	s.tellManager(daemon.SdNotifyReady)
	if s.serving != nil {
		s.serving(in.Addrs[0], s.engine.Library())
	}
	return s.wait(stops, cancel, ended)
}

// wait answers signals to stop until the workers have ended.
func (s *server) wait(stops <-chan os.Signal, stop func(), ended <-chan error) error {
	stopping := false
	var cut error
	for {
		select {
		case sig := <-stops:
			if stopping {
				// The workers end before what they work with is given back.
				cut = fmt.Errorf("a second %v: transfers were cut off", sig)
				s.front.Cut()
				continue
			}
			s.log.Info("stopping", "signal", sig, "drain", s.cfg.Drain)
			stopping = true
			s.health.phase.Store(draining)
			s.tellManager(daemon.SdNotifyStopping)
			stop()
		case err := <-ended:
			return errors.Join(cut, err)
		}
	}
}

// warnUnsafe logs what is unsafe about the configuration, once at the start.
func (s *server) warnUnsafe() {
	for _, line := range check.Unsafe(&s.cfg) {
		s.log.Warn(line)
	}
}
