package server

import (
	"context"
	"log/slog"

	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/config"
)

// openAdmin opens the admin addresses. Nothing is served before the server runs.
func openAdmin(c *config.Config, log *slog.Logger, secrets *serverSecrets) (*admin.Server, error) {
	cfg := assemble.AdminConfig(c)
	cfg.Tried = func(address string, err error) {
		tried(log, "admin", address)(err)
		// A rotation could not be announced so far.
		if _, err := secrets.reload(); err != nil {
			log.Error("keeping the previous secrets", "err", err)
		}
	}
	return admin.New(cfg, log)
}

// runAdmin serves the admin page and API until ctx ends. Its failure does not stop the server.
func (s *server) runAdmin(ctx context.Context) {
	for _, l := range s.admin.Listeners() {
		switch url := l.URL(); {
		case l.Err() != nil:
		case url == "":
			s.log.Info("admin", "socket", l.Addr())
		default:
			s.log.Info("admin", "address", l.Addr(), "url", url)
		}
	}
	s.admin.Run(ctx)
}
