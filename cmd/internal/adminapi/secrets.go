package adminapi

import (
	"net/netip"
)

// SecretsState tells about the secrets all but the secrets.
type SecretsState struct {
	Generation uint64        `json:"generation"` // of the keyring; 0: there is none, or nothing has written it yet
	Single     bool          `json:"single,omitempty"` // there is no keyring: the secret is that of secret_file, or empty
	Default    string        `json:"default"`
	Secrets    []SecretState `json:"secrets"`
	CMTS       []HolderState `json:"cmts"`
}

type SecretState struct {
	Name  string `json:"name"`
	Since uint64 `json:"since"` // the generation that brought it
	Used  bool   `json:"used"`
}

type HolderState struct {
	Name     string         `json:"name"` // empty: prefixes without a CMTS of the fleet
	Secret   string         `json:"secret"`
	Prefixes []netip.Prefix `json:"prefixes"`
}

// The calls of the admin API about secrets.
const (
	SecretsPath       = "/api/secrets"
	SecretsReloadPath = "/api/secrets/reload"
)
