package adminapi

import "net/netip"

// SecretsState describes the secrets in use, without their values.
type SecretsState struct {
	Generation uint64        `json:"generation"`       // of the keyring; 0: there is none, or it was never written
	Single     bool          `json:"single,omitempty"` // there is no keyring: the secret is that of secret_file, or empty
	Default    string        `json:"default"`
	Secrets    []SecretState `json:"secrets"`
	CMTS       []HolderState `json:"cmts"`
}

// SecretState describes one secret.
type SecretState struct {
	Name  string `json:"name"`
	Since uint64 `json:"since"` // the generation that added it
	Used  bool   `json:"used"`  // by a CMTS, a prefix or as the default
}

// HolderState says which secret signs the files of a CMTS, or of prefixes without one.
type HolderState struct {
	Name     string         `json:"name"` // empty: prefixes without a CMTS of the fleet
	Secret   string         `json:"secret"`
	Prefixes []netip.Prefix `json:"prefixes"`
}

// SecretsPath is the call for a [SecretsState], SecretsReloadPath the one that reads the keyring again.
const (
	SecretsPath       = "/api/secrets"
	SecretsReloadPath = "/api/secrets/reload"
)
