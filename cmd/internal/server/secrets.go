package server

import (
	"errors"
	"log/slog"
	"net/http"
	"sync"

	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/adminapi"
	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/config"
	"dcs/render"
	"dcs/render/mic"
)

// serverSecrets are the secrets that a running server signs with.
type serverSecrets struct {
	cfg    *config.Config
	log    *slog.Logger
	engine *render.Engine // set after the first read
	audit  *staticAudit

	mu  sync.Mutex // locked while secrets are read and applied, so that the later of two reads wins
	now *assemble.Secrets
}

// read reads the secrets when the server starts.
func (s *serverSecrets) read() (*mic.Keyring, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, err := assemble.ReadSecrets(s.cfg, nil)
	if err != nil {
		return nil, err
	}
	s.now = now
	for _, w := range now.Warnings {
		s.log.Warn(w)
	}
	return now.Ring, nil
}

// reload reads the secrets again and signs with them from now on. On an error the previous ones stay.
func (s *serverSecrets) reload() (adminapi.SecretsState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	previous := s.now
	now, err := assemble.ReadSecrets(s.cfg, previous)
	if err != nil {
		return previous.State, err
	}
	s.now = now
	s.engine.SetKeyring(now.Ring)
	for _, w := range now.Warnings {
		s.log.Warn(w)
	}
	if !assemble.SameSecrets(previous, now) {
		s.audit.request()
		s.log.Info("secrets changed", "generation", now.State.Generation, "secrets", len(now.State.Secrets), "default", now.State.Default)
	}
	return now.State, nil
}

// state describes the secrets that files are signed with.
func (s *serverSecrets) state() adminapi.SecretsState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now.State
}

// signing returns the secrets that static files may be signed under.
func (s *serverSecrets) signing() assemble.Signing {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now.Signing(s.cfg)
}

// secretState describes the secrets that files are signed with.
func (s *server) secretState() adminapi.SecretsState { return s.secrets.state() }

// registerSecrets registers the calls that show the state of the secrets and read them again.
func (s *server) registerSecrets() {
	s.admin.Handle("GET "+adminapi.SecretsPath, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		admin.WriteJSON(w, s.secretState())
	}))
	s.admin.Handle("POST "+adminapi.SecretsReloadPath, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		state, err := s.secrets.reload()
		if err != nil {
			s.log.Error("keeping the previous secrets", "err", err)
			admin.WriteError(w, http.StatusUnprocessableEntity, errors.New("keeping the previous secrets: "+err.Error()))
			return
		}
		admin.WriteJSON(w, state)
	}))
}
