package main

import (
	"errors"
	"net/http"
	"sync"

	"dcs/cmd/internal/admin"
	"dcs/render/mic"
)

// serverSecrets are the secrets of a running server.
type serverSecrets struct {
	mu  sync.Mutex // held while they are read and put into force, so that of two readers the later one's stay
	now *secrets
}

// keyring reads what files are signed with, when the server starts.
func (s *server) keyring() (*mic.Keyring, error) {
	s.secrets.mu.Lock()
	defer s.secrets.mu.Unlock()
	now, err := readSecrets(&s.cfg, nil)
	if err != nil {
		return nil, err
	}
	s.secrets.now = now
	if now.warning != "" {
		s.log.Warn(now.warning)
	}
	return now.ring, nil
}

// reloadSecrets reads the secrets anew and signs with them from now on. On an error the former ones stay.
func (s *server) reloadSecrets() (secretsState, error) {
	s.secrets.mu.Lock()
	defer s.secrets.mu.Unlock()
	former := s.secrets.now
	now, err := readSecrets(&s.cfg, former)
	if err != nil {
		return former.state, err
	}
	s.secrets.now = now
	s.engine.SetKeyring(now.ring)
	if now.warning != "" {
		s.log.Warn(now.warning)
	}
	if !sameSecrets(former, now) {
		go s.auditStatic()
		s.log.Info("secrets changed", "generation", now.state.Generation, "secrets", len(now.state.Secrets), "default", now.state.Default)
	}
	return now.state, nil
}

// secretState tells about the secrets that files are signed with.
func (s *server) secretState() secretsState {
	s.secrets.mu.Lock()
	defer s.secrets.mu.Unlock()
	return s.secrets.now.state
}

// openSecrets lets the operator see which secrets there are, and switch them. The keyring is read once more, now that
// whoever changes it can tell us: what was changed since we read it first has been told to nobody.
func (s *server) openSecrets() error {
	s.admin.Handle("GET "+secretsPath, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		admin.WriteJSON(w, s.secretState())
	}))
	s.admin.Handle("POST "+secretsReloadPath, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
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
