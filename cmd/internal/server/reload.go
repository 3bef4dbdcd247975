package server

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/ingress"
	"dcs/render"
	"dcs/render/library"
)

// reloadRequest asks for a reload.
type reloadRequest struct {
	force  bool         // accept a library that has lost most of its names
	answer chan<- error // has room for the result
}

// reloadDelay is how long files must be unchanged before a change of theirs is loaded.
const reloadDelay = 500 * time.Millisecond

// watch returns a channel that receives when templates or static files have changed, until ctx ends.
func watch(ctx context.Context, cfg *config.Config, log *slog.Logger) (<-chan struct{}, error) {
	changed := make(chan struct{}, 1)
	dirs := slices.Concat(cfg.Library, cfg.Static)
	err := library.Watch(ctx, dirs, reloadDelay, func() { notify(changed) }, func(err error) { log.Warn(err.Error()) })
	return changed, err
}

// watchReloads reloads on a signal, on a change of files or devices, and on the operator's request, until ctx ends. One reload
// runs at a time; all requests that come meanwhile share the next one.
func (s *server) watchReloads(ctx context.Context, hangups <-chan os.Signal) {
	var pending, config, force, running bool
	var answers []chan<- error
	over := make(chan struct{}, 1)
	var reloads sync.WaitGroup
	defer reloads.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
			pending, config = true, true
		case <-s.changed:
			pending = true
		case <-s.grown:
			pending = true
		case r := <-s.reloads:
			pending, force, answers = true, force || r.force, append(answers, r.answer)
		case <-over:
			running = false
		}
		if !pending || running {
			continue
		}
		reread, forced, waiting := config, force, answers
		reloads.Go(func() {
			if reread {
				s.rereadConfig()
				s.reloadDevices()
			}
			err := s.loader.reload(forced) // logs the error
			for _, answer := range waiting {
				answer <- err
			}
			over <- struct{}{}
		})
		pending, config, force, running, answers = false, false, false, true, nil
	}
}

// live are the keys that SIGHUP applies. Files that other keys name are read again, but under their previous names.
var live = []string{
	"allow", "rate", "rate_burst", "rate_prefix_v4", "rate_prefix_v6", "log_level", "log_requests", "log_devices", "bind", "mac_in_name", "root", "rewrite",
}

// rereadConfig applies the keys of the configuration that can change while the server runs.
func (s *server) rereadConfig() {
	if s.reread == nil {
		return
	}
	cfg, err := s.reread()
	if err == nil {
		err = s.limits.Set(ingress.LimitsOf(&cfg))
	}
	if err == nil {
		err = s.logs.SetRules(logRules(&cfg))
	}
	if err == nil {
		err = s.setNames(&cfg.Names)
	}
	if err != nil {
		for _, e := range assemble.Flatten(err) {
			s.log.Error(e.Error())
		}
		s.log.Error("keeping the previous configuration")
		return
	}
	s.logLimits("limits set")
	s.logs.SetLevel(cfg.LogLevel)
	s.engine.SetIdentity(assemble.IdentityOf(&cfg.Devices))
	later := slices.DeleteFunc(s.cfg.Differences(&cfg), func(key string) bool { return slices.Contains(live, key) })
	if len(later) > 0 {
		s.log.Warn("configuration keys changed that need a restart", "keys", later)
	}
}

// setNames applies root and rewrite of a configuration; the other keys about names need a restart.
func (s *server) setNames(c *config.Names) error {
	live := s.cfg.Names
	live.Roots, live.Rewrite = c.Roots, c.Rewrite
	names, err := assemble.NamingRules(&live, s.cfg.Static)
	if err == nil {
		s.engine.SetNames(names)
	}
	return err
}

// loader loads the library and logs the result.
type loader struct {
	cfg     *config.Config
	log     *slog.Logger
	engine  *render.Engine
	status  *libraryStatus
	secrets *serverSecrets
	audit   *staticAudit
	manager *manager
}

// reload reads secrets and library again. With force it accepts a library that has lost most of its names.
func (l *loader) reload(force bool) error {
	defer l.manager.reloading()()
	if _, err := l.secrets.reload(); err != nil {
		l.log.Error("keeping the previous secrets", "err", err)
	}
	before := l.engine.Library()
	if err := l.engine.Reload(force); err != nil {
		l.status.note(err)
		for _, e := range assemble.Flatten(err) {
			l.log.Error(e.Error())
		}
		if l.engine.Library() == before {
			l.log.Error("reload failed: keeping the previous library")
		} else {
			l.log.Error("reload failed: serving the library without the templates that failed to load", "withheld", l.engine.Library().Broken())
		}
		return err
	}
	l.loaded("reloaded", nil)
	return nil
}

// loaded logs what there is to serve, after a load with this error.
func (l *loader) loaded(what string, err error) {
	l.status.note(err)
	snap := l.engine.Library()
	for _, line := range assemble.Unreadable(snap) {
		l.log.Error(line.String())
	}
	for _, w := range snap.Warnings {
		l.log.Warn(w.Error())
	}
	l.audit.request()
	l.log.Info(what, "templates", len(snap.Templates()), "static", snap.StaticFiles())
	if snap.Empty() {
		l.log.Error("nothing to serve: no template and no static file; /readyz is 503 until there is one", "library", l.cfg.Library, "static", l.cfg.Static)
	}
	if n := snap.Waiting(); n > 0 {
		l.log.Warn("templates are waiting for device attributes that no source has supplied yet", "templates", n)
	}
}
