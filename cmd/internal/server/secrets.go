package server

import (
	"errors"
	"net/http"
	"sync"

	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/adminapi"
	"dcs/cmd/internal/assemble"
	"dcs/render/mic"
)

// serverSecrets are the secrets of a running server.
type serverSecrets struct {
	mu  sync.Mutex // held while they are read and put into force, so that of two readers the later one's stay
	now *assemble.Secrets
}

// keyring reads what files are signed with, when the server starts.
func (s *server) keyring() (*mic.Keyring, error) {
	s.secrets.mu.Lock()
	defer s.secrets.mu.Unlock()
	now, err := assemble.ReadSecrets(&s.cfg, nil)
	if err != nil {
		return nil, err
	}
	s.secrets.now = now
	if now.Warning != "" {
		s.log.Warn(now.Warning)
	}
	return now.Ring, nil
}

// reloadSecrets reads the secrets anew and signs with them from now on. On an error the former ones stay.
func (s *server) reloadSecrets() (adminapi.SecretsState, error) {
	s.secrets.mu.Lock()
	defer s.secrets.mu.Unlock()
	former := s.secrets.now
	now, err := assemble.ReadSecrets(&s.cfg, former)
	if err != nil {
		return former.State, err
	}
	s.secrets.now = now
	s.engine.SetKeyring(now.Ring)
	if now.Warning != "" {
		s.log.Warn(now.Warning)
	}
	if !assemble.SameSecrets(former, now) {
		go s.auditStatic()
		s.log.Info("secrets changed", "generation", now.State.Generation, "secrets", len(now.State.Secrets), "default", now.State.Default)
	}
	return now.State, nil
}

// secretState tells about the secrets that files are signed with.
func (s *server) secretState() adminapi.SecretsState {
	s.secrets.mu.Lock()
	defer s.secrets.mu.Unlock()
	return s.secrets.now.State
}

// openSecrets lets the operator see which secrets there are, and switch them. The keyring is read once more, now that
// whoever changes it can tell us: what was changed since we read it first has been told to nobody.
func (s *server) openSecrets() error {
	s.admin.Handle("GET "+adminapi.SecretsPath, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		admin.WriteJSON(w, s.secretState())
	}))
	s.admin.Handle("POST "+adminapi.SecretsReloadPath, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		state, err := s.reloadSecrets()
		if err != nil {
			s.log.Error("the secrets stay as they are", "err", err)
			admin.WriteError(w, http.StatusUnprocessableEntity, errors.New("the secrets stay as they are: "+err.Error()))
			return
		}
		admin.WriteJSON(w, state)
	}))
	if !s.admin.Enabled() {
		return nil
	}
	_, err := s.reloadSecrets()
	return err
}
