package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/logging"
	"dcs/cmd/internal/metrics"
	"dcs/cmd/internal/sandbox"
	"dcs/fastpath"
	"dcs/render"
	"dcs/render/attr"
)

type server struct {
	env
	file   string // of the configuration; "": there is none
	cfg    config.Config
	reread func() (config.Config, error) // the configuration as it is now; nil: it does not change
	logs   *logging.Log
	log    *slog.Logger // of logs
	engine *render.Engine
	admin  *admin.Server
	front  *fastpath.Server

	web     web
	metrics *metrics.Set
	health  health
	faults  faultRing

	library libraryStatus
	reloads chan reloadWish // of the admin page
	manager manager
	limits  *limits
	in      *ingress
	sandbox sandbox.Result
	writes  []string // the directories that it writes to

	addresses addresses
	captures  captures

	secrets serverSecrets
	static  staticAudit

	devices  *attr.Store   // nil: there are none
	grown    chan struct{} // holds one when devices have attributes that the library has not seen
	prebuild chan struct{} // holds one when there are new files of devices
}

// run serves until one of stops says to stop. Each of hangups asks for a reload, as SIGHUP does.
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
	lib, err := libraryConfig(&s.cfg)
	for _, e := range flatten(err) {
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
		Identity: identityOf(&s.cfg.Devices), OnIdentity: s.mismatch,
	}); err != nil {
		if s.engine == nil {
			return err
		}
		for _, e := range flatten(err) {
			s.log.Error(e.Error())
		}
		s.log.Error("serving the library without the templates that failed to load", "withheld", s.engine.Library().Broken())
	}
	s.loaded("loaded", err)

	in, err := s.openTransports()
	if err != nil {
		return err
	}
	s.in = in
	defer func() { _ = in.close() }() // the workers have told what they could not do
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
	s.registerCapture(ctx)
	defer s.web.close()
	if err := s.openWeb(); err != nil {
		return err
	}
	s.openAddresses()
	vrfs := s.watchVRFs(in)
	s.dropPrivileges(in)
	if !s.startsPlugins() {
		s.enterSandbox(in.steering != nil)
	}
	if in.steering != nil {
		go in.steering.keep(ctx)
	}
	start := time.Now()
	s.front = fastpath.NewServer(s.serverConfig(in, start), in.transports, renderer, monotonic(start))
	s.openConsole(ctx)
	s.runWeb()
	ended := make(chan error, 1)
	go func() { ended <- s.front.Run(ctx) }()
	go s.runAdmin(ctx)
	go every(ctx, lookEvery, s.addresses.look)
	go s.followHost(ctx, vrfs)
	go s.keepPrebuilt(ctx)
	go s.watchdog(ctx)
	go s.keepLoaded(ctx, hangups, changed)
	s.health.phase.Store(serving)
	s.log.Info("serving", in.told()...)
	s.tellManager(daemon.SdNotifyReady)
	if isTerminal(s.stderr) {
		s.greet(s.stderr, in.addrs[0])
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
