package main

import (
	"net/netip"
)

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

// The calls of the admin API about secrets.
const (
	secretsPath       = "/api/secrets"
	secretsReloadPath = "/api/secrets/reload"
)
