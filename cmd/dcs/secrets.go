package main

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"sync"

	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/cmts"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/keyring"
	"dcs/render/mic"
)

// secrets is what files are signed with, and the names that belong to it.
type secrets struct {
	ring    *mic.Keyring
	byName  map[string]*mic.Secret
	state   secretsState
	warning string // for the operator; empty: none
}

// secretsState tells about the secrets all but the secrets.
type secretsState struct {
	Generation uint64        `json:"generation"` // of the keyring; 0: there is none, or nothing has written it yet
	Default    string        `json:"default"`
	Secrets    []secretState `json:"secrets"`
	CMTS       []holderState `json:"cmts"`
}

type secretState struct {
	Name  string `json:"name"`
	Since uint64 `json:"since"` // the generation that brought it
	Used  bool   `json:"used"`
}

type holderState struct {
	Name     string         `json:"name"` // empty: prefixes without a CMTS of the fleet
	Secret   string         `json:"secret"`
	Prefixes []netip.Prefix `json:"prefixes"`
}

// theSecret is the name of the secret that stands without a keyring.
const theSecret = "secret"

// readSecrets reads what the configuration signs with. A secret that former has under the same name stays
// the same one, so that what is worked out for it is not worked out anew.
func readSecrets(cfg *config.Config, former *secrets) (*secrets, error) {
	s := &secrets{byName: map[string]*mic.Secret{}}
	var old map[string]*mic.Secret
	if former != nil {
		old = former.byName
	}
	add := func(name string, key []byte) *mic.Secret {
		secret := mic.NewSecret(key)
		if same := old[name]; same != nil && same.Equal(secret) {
			secret = same
		}
		s.byName[name] = secret
		return secret
	}
	if cfg.Secrets == "" {
		var key []byte
		if cfg.SecretFile != "" {
			var err error
			if key, s.warning, err = readSecret(cfg.SecretFile); err != nil {
				return nil, err
			}
		}
		s.ring = mic.KeyringOf(add(theSecret, key))
		s.state = secretsState{Default: theSecret, Secrets: []secretState{{Name: theSecret, Used: true}}}
		return s, nil
	}

	file, err := keyring.Load(cfg.Secrets)
	if err != nil {
		return nil, err
	}
	fleet, err := file.LoadFleet()
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(file.Secrets)) {
		text, err := file.Reveal(name)
		switch {
		case err == nil:
			add(name, []byte(text.Reveal()))
		case file.Used(name):
			return nil, err
		default: // a secret that is not used may be missing
			continue
		}
		s.state.Secrets = append(s.state.Secrets, secretState{name, file.Secrets[name].Since, file.Used(name)})
	}
	s.state.Generation, s.state.Default = file.Generation, file.Default
	if s.ring, err = ringOf(file, fleet, s.byName); err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Secrets, err)
	}
	for i := range fleet {
		s.state.CMTS = append(s.state.CMTS, holderState{fleet[i].Name, file.Holds(fleet[i].Name), fleet[i].Prefixes})
	}
	for _, p := range slices.SortedFunc(maps.Keys(file.Prefixes), netip.Prefix.Compare) {
		s.state.CMTS = append(s.state.CMTS, holderState{Secret: file.Prefixes[p], Prefixes: []netip.Prefix{p}})
	}
	return s, nil
}

// ringOf says which secret is whose.
func ringOf(file *keyring.File, fleet []cmts.CMTS, byName map[string]*mic.Secret) (*mic.Keyring, error) {
	var prefixes []mic.Prefix
	for i := range fleet {
		for _, p := range fleet[i].Prefixes {
			prefixes = append(prefixes, mic.Prefix{Addresses: p, Secret: byName[file.Holds(fleet[i].Name)], CMTS: fleet[i].Name})
		}
	}
	for p, name := range file.Prefixes {
		prefixes = append(prefixes, mic.Prefix{Addresses: p, Secret: byName[name]})
	}
	return mic.NewKeyring(byName[file.Default], prefixes...)
}

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

// sameSecrets tells whether a and b sign alike.
func sameSecrets(a, b *secrets) bool {
	same := func(x, y *mic.Secret) bool { return x.Same(y) }
	return a.state.Generation == b.state.Generation && a.state.Default == b.state.Default && maps.EqualFunc(a.byName, b.byName, same) &&
		slices.EqualFunc(a.state.CMTS, b.state.CMTS, func(x, y holderState) bool {
			return x.Secret == y.Secret && slices.Equal(x.Prefixes, y.Prefixes)
		})
}

// secretState tells about the secrets that files are signed with.
func (s *server) secretState() secretsState {
	s.secrets.mu.Lock()
	defer s.secrets.mu.Unlock()
	return s.secrets.now.state
}

// The calls of the admin API about secrets.
const (
	secretsPath       = "/api/secrets"
	secretsReloadPath = "/api/secrets/reload"
)

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
