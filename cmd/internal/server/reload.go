package server

import (
	"context"
	"os"
	"slices"
	"time"

	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/ingress"
	"dcs/render/library"
)

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
		s.log.Error("the configuration of before stays in force")
		return
	}
	s.tellLimits("limits set")
	s.logs.SetLevel(cfg.LogLevel)
	s.engine.SetIdentity(assemble.IdentityOf(&cfg.Devices))
	later := slices.DeleteFunc(s.cfg.Differences(&cfg), func(key string) bool { return slices.Contains(live, key) })
	if len(later) > 0 {
		s.log.Warn("these keys have changed, and wait for a restart", "keys", later)
	}
}

// setNames applies the roots and rules of a configuration that was read anew; the other keys wait for a restart.
func (s *server) setNames(c *config.Names) error {
	live := s.cfg.Names
	live.Roots, live.Rewrite = c.Roots, c.Rewrite
	names, err := assemble.NamingRules(&live, s.cfg.Static)
	if err == nil {
		s.engine.SetNames(names)
	}
	return err
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
		for _, e := range assemble.Flatten(err) {
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
	for _, line := range assemble.Unreadable(snap) {
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
