package sqldb

import (
	"testing"

	"dcs/render/internal/rendertest"
	"dcs/render/secret"
)

func TestNoPasswordShows(t *testing.T) {
	const password = "hunter2"
	cfg := Config{DSN: secret.New("dcs:" + password + "@tcp(127.0.0.1)/dcs")}
	s := &source{cfg: cfg, dsn: cfg.DSN, secrets: []secret.Text{secret.New(password)}}
	rendertest.NoSecret(t, password, cfg, &cfg, s.dsn, s.secrets, s.cfg, s)
}
