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

// serverSecrets are the secrets of a running server.
type serverSecrets struct {
	cfg    *config.Config
	log    *slog.Logger
	engine *render.Engine // set once the first were read
	audit  *staticAudit

	mu  sync.Mutex // held while they are read and put into force, so that of two readers the later one's stay
	now *assemble.Secrets
}

// read reads what files are signed with, when the server starts.
func (s *serverSecrets) read() (*mic.Keyring, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, err := assemble.ReadSecrets(s.cfg, nil)
	if err != nil {
		return nil, err
	}
	s.now = now
	if now.Warning != "" {
		s.log.Warn(now.Warning)
	}
	return now.Ring, nil
}

// reload reads the secrets anew and signs with them from now on. On an error the former ones stay.
func (s *serverSecrets) reload() (adminapi.SecretsState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	former := s.now
	now, err := assemble.ReadSecrets(s.cfg, former)
	if err != nil {
		return former.State, err
	}
	s.now = now
	s.engine.SetKeyring(now.Ring)
	if now.Warning != "" {
		s.log.Warn(now.Warning)
	}
	if !assemble.SameSecrets(former, now) {
		s.audit.want()
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

// registerSecrets lets the operator see which secrets there are, and switch them.
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
