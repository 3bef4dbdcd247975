package server

import (
	"context"
	"log/slog"

	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/config"
)

// openAdmin opens the operator's addresses. Nothing is served before the server runs.
func openAdmin(c *config.Config, log *slog.Logger, secrets *serverSecrets) (*admin.Server, error) {
	cfg := assemble.AdminConfig(c)
	cfg.Tried = func(address string, err error) {
		tried(log, "admin", address)(err)
		// Nobody could tell us of a rotation so far.
		if _, err := secrets.reload(); err != nil {
			log.Error("keeping the previous secrets", "err", err)
		}
	}
	return admin.New(cfg, log)
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
