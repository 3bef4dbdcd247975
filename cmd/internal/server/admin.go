package server

import (
	"context"
	"time"

	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/admin/console"
	"dcs/cmd/internal/assemble"
)

// openAdmin opens the operator's addresses. Parts of the server register what they have to
// show and to be told on s.admin; nothing is served before run begins to.
func (s *server) openAdmin() error {
	cfg := assemble.AdminConfig(&s.cfg)
	cfg.Tried = func(address string, err error) {
		s.tried("admin", address)(err)
		// Nobody could tell us of a rotation so far.
		if _, err := s.reloadSecrets(); err != nil {
			s.log.Error("the secrets stay as they are", "err", err)
		}
	}
	var err error
	s.admin, err = admin.New(cfg, s.log)
	return err
}

// runAdmin serves the operator until the context ends. Modems are served on whatever becomes of it.
func (s *server) runAdmin(ctx context.Context) {
	for _, l := range s.admin.Listeners() {
		if l.Err() == nil {
			s.log.Info("admin", "address", l.Addr(), "url", l.URL())
		}
	}
	s.admin.Run(ctx)
}

// openConsole registers what an operator sees, and begins to gather it.
func (s *server) openConsole(ctx context.Context) {
	s.reloads = make(chan reloadWish)
	if !s.admin.Enabled() {
		return
	}
	c := console.New(s.admin, &backend{s: s, front: s.front, started: time.Now()}, time.Now)
	go c.Run(ctx)
}
