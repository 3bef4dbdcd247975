package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/logging"
	"dcs/cmd/internal/metrics"
	"dcs/cmd/internal/sandbox"
	"dcs/fastpath"
	"dcs/render"
	"dcs/render/attr/store"
	"dcs/render/library"
)

func serveCommand(e env) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve a library of boot files over TFTP",
		Long: `Serve a library of boot files over TFTP. The configuration file is optional where
flags say what there is to serve; a flag goes before the file's key of that name.

SIGHUP reads the library, the static files, the secrets, the limits (allow, rate),
the keys bind, mac_in_name, root and rewrite and the log's keys anew, and so does a change of the
library or the static files; as long as something is wrong with them, the last good
ones are served. Other keys wait for a restart, and the log says which have changed.
SIGTERM and SIGINT let running transfers come to their end.`,
		Example: `  dcs serve --config /etc/dcs/dcs.yaml
  dcs serve --listen 127.0.0.1:6969 --library ./library`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().StringVarP(&file, "config", "c", "", "the configuration `file`")
	flags := config.AddFlags(cmd.Flags())
	cmd.RunE = func(*cobra.Command, []string) error {
		cfg, err := flags.Config(file)
		if err != nil {
			if file == "" {
				return usageError{err}
			}
			return err
		}
		stops, hangups := make(chan os.Signal, 1), make(chan os.Signal, 1)
		signal.Notify(stops, syscall.SIGTERM, syscall.SIGINT)
		signal.Notify(hangups, syscall.SIGHUP)
		defer signal.Stop(stops)
		defer signal.Stop(hangups)
		reread := func() (config.Config, error) { return flags.Config(file) }
		logs, err := openLog(e.stderr, &cfg)
		if err != nil {
			return err
		}
		defer logs.Close()
		return (&server{env: e, file: file, cfg: cfg, reread: reread, logs: logs, log: logs.Logger}).run(stops, hangups)
	}
	return cmd
}

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

	devices  *store.Store  // nil: there are none
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

// reloadWish asks for a reload. Its answer has room for the error.
type reloadWish struct {
	force  bool // whatever the library has lost
	answer chan<- error
}

// reloadDelay is how long files must have been left alone before a change of theirs is loaded.
const reloadDelay = 500 * time.Millisecond

// watch tells when the library or the static files have changed.
func (s *server) watch(ctx context.Context) (<-chan struct{}, error) {
	changed := make(chan struct{}, 1)
	dirs := append(slices.Clone(s.cfg.Library), s.cfg.Static...)
	err := library.Watch(ctx, dirs, reloadDelay, func() {
		select {
		case changed <- struct{}{}:
		default: // told already, and not yet looked at
		}
	}, func(err error) { s.log.Warn(err.Error()) })
	return changed, err
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

// keepLoaded reloads when a signal, a change of files or of devices, or the operator wishes it, until ctx ends. Nobody waits
// for a reload that takes long, and ctx's end does not either. What is wished while one runs is done by one more.
func (s *server) keepLoaded(ctx context.Context, hangups <-chan os.Signal, changed <-chan struct{}) {
	var wished, config, force, running bool
	var answers []chan<- error
	over := make(chan struct{}, 1)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
			wished, config = true, true
		case <-changed:
			wished = true
		case <-s.grown:
			wished = true
		case w := <-s.reloads:
			wished, force, answers = true, force || w.force, append(answers, w.answer)
		case <-over:
			running = false
		}
		if !wished || running {
			continue
		}
		go func(config, force bool, answers []chan<- error) {
			if config {
				s.rereadConfig()
				s.reloadDevices()
			}
			err := s.reload(force) // the log has told
			for _, answer := range answers {
				answer <- err
			}
			over <- struct{}{}
		}(config, force, answers)
		wished, config, force, running, answers = false, false, false, true, nil
	}
}

// libraryConfig is what a library is loaded by. The error joins what is wrong with MIB modules; it can be loaded without them.
func libraryConfig(cfg *config.Config) (library.Config, error) {
	n := names{cfg.MIBPath, cfg.MIBPrefer}
	index, err := n.index()
	names, wrong := namesOf(&cfg.Names, cfg.Static)
	if wrong != nil {
		names = namesByDefault
		err = errors.Join(err, wrong)
	}
	return library.Config{
		Names: names,
		Dirs:  cfg.Library, Static: cfg.Static, Resign: cfg.Resign, Lenient: cfg.Lenient, MIB: index, Learned: learnedMemory(cfg),
		Timestamp: cfg.Timestamp, ModemAddress: cfg.ModemAddress,
	}, err
}

// live are the keys that SIGHUP applies; the others' files are read anew, but not their names.
var live = []string{
	"allow", "rate", "rate_burst", "rate_prefix_v4", "rate_prefix_v6", "log_level", "log_requests", "log_devices", "bind", "mac_in_name", "root", "rewrite",
}

// rereadConfig applies what the configuration says now, as far as that can be done while we serve.
func (s *server) rereadConfig() {
	if s.reread == nil {
		return
	}
	cfg, err := s.reread()
	if err == nil {
		err = s.limits.set(configured(&cfg))
	}
	if err == nil {
		err = s.logs.SetRules(logRules(&cfg))
	}
	if err == nil {
		err = s.setNames(&cfg.Names)
	}
	if err != nil {
		for _, e := range flatten(err) {
			s.log.Error(e.Error())
		}
		s.log.Error("the configuration of before stays in force")
		return
	}
	s.tellLimits("limits set")
	s.logs.SetLevel(cfg.LogLevel)
	s.engine.SetIdentity(identityOf(&cfg.Devices))
	later := slices.DeleteFunc(s.cfg.Differences(&cfg), func(key string) bool { return slices.Contains(live, key) })
	if len(later) > 0 {
		s.log.Warn("these keys have changed, and wait for a restart", "keys", later)
	}
}

// reload reads everything anew that may change while we serve. With force the library may have lost as many names as it likes.
func (s *server) reload(force bool) error {
	defer s.reloading()()
	if _, err := s.reloadSecrets(); err != nil {
		s.log.Error("the secrets stay as they are", "err", err)
	}
	before := s.engine.Library()
	if err := s.engine.Reload(force); err != nil {
		s.library.note(err)
		for _, e := range flatten(err) {
			s.log.Error(e.Error())
		}
		if s.engine.Library() == before {
			s.log.Error("reload failed: keeping the previous library")
		} else {
			s.log.Error("reload failed: serving the library without the templates that failed to load", "withheld", s.engine.Library().Broken())
		}
		return err
	}
	s.loaded("reloaded", nil)
	return nil
}

// loaded tells what there is to serve.
func (s *server) loaded(what string, err error) {
	s.library.note(err)
	snap := s.engine.Library()
	for _, line := range unreadable(snap) {
		s.log.Error(line)
	}
	for _, w := range snap.Warnings {
		s.log.Warn(w.Error())
	}
	go s.auditStatic()
	s.log.Info(what, "templates", len(snap.Templates()), "static", snap.StaticFiles())
	if snap.Empty() {
		s.log.Error("nothing to serve: no template and no static file; /readyz is 503 until there is one", "library", s.cfg.Library, "static", s.cfg.Static)
	}
	if n := snap.Waiting(); n > 0 {
		s.log.Warn("templates wait for attributes of devices that no source has told yet", "templates", n)
	}
}

// greet tells a human how to fetch.
func (s *server) greet(w io.Writer, addr netip.AddrPort) {
	for _, tmpl := range s.engine.Library().Templates() {
		if len(tmpl.Names) > 0 {
			fmt.Fprintf(w, "\nFetch from another terminal, and stop with Ctrl-C:\n\n    dcs get %s %s --decode\n\n", addr, fileName(tmpl))
			return
		}
	}
}

// flatten takes joined errors apart.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}
