package assemble

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"dcs/cmd/internal/adminapi"
	"dcs/cmd/internal/cmts"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/keyring"
	"dcs/render/mic"
	"dcs/render/secret"
)

// Secrets are what files are signed with.
type Secrets struct {
	Ring     *mic.Keyring
	byName   map[string]*mic.Secret
	State    adminapi.SecretsState
	Warnings []string // for the operator
}

// singleSecret is the name of the secret of a configuration without a keyring.
const singleSecret = "secret"

// ReadSecrets reads the secrets of a configuration. An unchanged secret stays the same value as in previous, which may be nil, so
// that everything cached for it stays valid.
func ReadSecrets(cfg *config.Config, previous *Secrets) (*Secrets, error) {
	s := &Secrets{byName: map[string]*mic.Secret{}}
	var old map[string]*mic.Secret
	if previous != nil {
		old = previous.byName
	}
	add := func(name string, key []byte) *mic.Secret {
		signs := mic.NewSecret(key)
		if same := old[name]; same != nil && same.Equal(signs) {
			signs = same
		}
		s.byName[name] = signs
		return signs
	}
	if cfg.Secrets == "" {
		var key []byte
		if cfg.SecretFile != "" {
			var warning string
			var err error
			if key, warning, err = ReadSecret(cfg.SecretFile); err != nil {
				return nil, fmt.Errorf("secret_file: %w", err)
			}
			if warning != "" {
				s.Warnings = append(s.Warnings, warning)
			}
		}
		s.Ring = mic.KeyringOf(add(singleSecret, key))
		s.State = adminapi.SecretsState{Single: true, Default: singleSecret, Secrets: []adminapi.SecretState{{Name: singleSecret, Used: true}}}
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
			if why := secret.Oddity(text.Reveal()); why != "" {
				s.Warnings = append(s.Warnings, odd(cfg.Secrets+": secret "+name, why))
			}
		case file.Used(name):
			return nil, err
		default: // an unused secret may be missing
			continue
		}
		s.State.Secrets = append(s.State.Secrets, adminapi.SecretState{Name: name, Since: file.Secrets[name].Since, Used: file.Used(name)})
	}
	s.State.Generation, s.State.Default = file.Generation, file.Default
	if s.Ring, err = ringOf(file, fleet, s.byName); err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Secrets, err)
	}
	for i := range fleet {
		s.State.CMTS = append(s.State.CMTS, adminapi.HolderState{Name: fleet[i].Name, Secret: file.Holds(fleet[i].Name), Prefixes: fleet[i].Prefixes})
	}
	for _, p := range slices.SortedFunc(maps.Keys(file.Prefixes), netip.Prefix.Compare) {
		s.State.CMTS = append(s.State.CMTS, adminapi.HolderState{Secret: file.Prefixes[p], Prefixes: []netip.Prefix{p}})
	}
	return s, nil
}

// ringOf returns the keyring that assigns secrets to CMTSes and prefixes.
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

// SameSecrets reports whether a and b sign alike.
func SameSecrets(a, b *Secrets) bool {
	same := func(x, y *mic.Secret) bool { return x.Same(y) }
	return a.State.Generation == b.State.Generation && a.State.Default == b.State.Default && maps.EqualFunc(a.byName, b.byName, same) &&
		slices.EqualFunc(a.State.CMTS, b.State.CMTS, func(x, y adminapi.HolderState) bool {
			return x.Secret == y.Secret && slices.Equal(x.Prefixes, y.Prefixes)
		})
}
