package main

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

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

// sameSecrets tells whether a and b sign alike.
func sameSecrets(a, b *secrets) bool {
	same := func(x, y *mic.Secret) bool { return x.Same(y) }
	return a.state.Generation == b.state.Generation && a.state.Default == b.state.Default && maps.EqualFunc(a.byName, b.byName, same) &&
		slices.EqualFunc(a.state.CMTS, b.state.CMTS, func(x, y holderState) bool {
			return x.Secret == y.Secret && slices.Equal(x.Prefixes, y.Prefixes)
		})
}
