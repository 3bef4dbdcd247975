package plugin

import (
	"testing"

	"dcs/render/internal/rendertest"
	"dcs/render/secret"
)

func TestNoSecretShows(t *testing.T) {
	const password = "hunter2"
	cfg := Config{Argv: []string{"devices"}, Env: []secret.Text{secret.New("PASSWORD=" + password)}}
	p := &process{cfg: &cfg}
	rendertest.NoSecret(t, password, cfg, &cfg, &Plugin{cfg: cfg}, p.cfg, p)
}
