package ldapdir

import (
	"testing"

	"dcs/render/internal/rendertest"
	"dcs/render/secret"
)

func TestNoPasswordShows(t *testing.T) {
	const password = "hunter2"
	s := &source{cfg: Config{BindDN: "cn=dcs"}, password: secret.New(password)}
	rendertest.NoSecret(t, password, s.password, s)
}
