// Package cmts sets the shared secrets of cable modem termination systems over SSH, telnet or SNMP. A description of each
// make says which commands or objects to use.
package cmts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"dcs/render/secret"
)

// CMTS is an entry of the fleet file: how to reach the CMTS, and which modems are behind it.
type CMTS struct {
	Name     string         `yaml:"name"`
	Address  string         `yaml:"address"`  // host or host:port; the default port is 22 (telnet 23, SNMP 161)
	Driver   string         `yaml:"driver"`   // name of a description: cisco, arris-c4, …
	Prefixes []netip.Prefix `yaml:"prefixes"` // of the addresses of its modems

	Slots      int               `yaml:"slots"`      // 0: as the description says; may only be lower
	Interfaces []string          `yaml:"interfaces"` // if secrets belong to interfaces: names such as Cable5/0/0, or ifIndex for SNMP
	Vars       map[string]string `yaml:"vars"`       // override those of the description, such as the index of the secondary secret
	Timeout    time.Duration     `yaml:"timeout"`    // of a step of a dialogue, or an SNMP request with its retries; 0: 10 s, the minimum for connecting
	Save       *bool             `yaml:"save"`       // write the configuration to permanent storage; nil: yes

	// SSH and telnet.
	User               string `yaml:"user"`
	PasswordFile       string `yaml:"password_file"`
	KeyFile            string `yaml:"key_file"` // OpenSSH or PEM
	PassphraseFile     string `yaml:"passphrase_file"`
	EnablePasswordFile string `yaml:"enable_password_file"`
	KnownHosts         string `yaml:"known_hosts"` // empty: Options.KnownHosts
	LegacySSH          bool   `yaml:"legacy_ssh"`  // also offer broken algorithms, for old systems
	Telnet             bool   `yaml:"telnet"`      // in clear text: only if there is nothing else

	SNMP SNMP `yaml:"snmp"`
}

// SNMP is the access to an SNMP agent: version 2c with a community, version 3 (authPriv) with a user.
type SNMP struct {
	CommunityFile string `yaml:"community_file"`

	User             string `yaml:"user"`
	Auth             string `yaml:"auth"` // sha (default), sha224, sha256, sha384, sha512 or md5
	AuthPasswordFile string `yaml:"auth_password_file"`
	Priv             string `yaml:"priv"` // aes (default), aes192, aes256, aes192c, aes256c or des
	PrivPasswordFile string `yaml:"priv_password_file"`
	Context          string `yaml:"context"`

	Retries *int `yaml:"retries"` // nil: 2
}

// Driver sets the secrets of one CMTS. Add, Remove and Verify open a connection of their own and close it before they
// return. They are idempotent. After an error it is unknown what the CMTS holds: call Verify, or repeat the step. A Driver is
// not safe for concurrent use.
type Driver interface {
	Slots() int     // secrets that the CMTS holds at once: 1 or 2
	MaxLen() int    // of a secret, in octets
	Readable() bool // whether Verify can read secrets; else it reports at most which slots are in use
	// Check returns why the CMTS would not accept secret, such as its length or a character. It sends nothing.
	Check(secret secret.Text) error

	// Add sets secret: beside the present one if the CMTS has two slots, else in its place.
	Add(ctx context.Context, secret secret.Text) error
	// Remove removes all secrets but remaining, which becomes the primary one. If the CMTS holds it already, it does so at
	// every moment. If remaining is zero, the CMTS has no secret afterwards.
	//
	// Remove(ctx, new) ends a rotation; Remove(ctx, old) undoes Add(ctx, new).
	Remove(ctx context.Context, remaining secret.Text) error
	// Verify reads whether the CMTS holds the secrets in want. If that is empty, it still checks that the CMTS can be reached
	// and accepts the credentials.
	Verify(ctx context.Context, want []secret.Text) (State, error)
	Close() error
}

// Holding says whether a CMTS holds a secret.
type Holding uint8

// If secrets belong to interfaces, a CMTS holds one partly if only some of its interfaces do.
const (
	Unknown Holding = iota
	No
	Partly
	Yes
)

// String returns unknown, no, partly or yes.
func (h Holding) String() string {
	switch h {
	case Unknown:
		return "unknown"
	case No:
		return "no"
	case Partly:
		return "partly"
	case Yes:
		return "yes"
	}
	return fmt.Sprintf("Holding(%d)", uint8(h))
}

// State is what Verify has read.
type State struct {
	Holds []Holding // for each secret in want
	// Filled is the number of slots in use, on the interface with most; -1: it cannot be read.
	Filled int
	// Note says why something is unknown, in words for the operator; may be empty.
	Note string
}

// Options are common to all CMTSes.
type Options struct {
	Descriptions []string // directories of descriptions, which override the built-in ones
	KnownHosts   string   // file of SSH host keys, for CMTSes that name none
	Log          *slog.Logger

	loginQuiet time.Duration // 0: the constant of this name; less in tests whose CMTS prints no banner
}

// ErrUnreachable is wrapped by errors of a CMTS that did not answer.
var ErrUnreachable = errors.New("unreachable")

// ErrDenied is wrapped by errors of a CMTS that refused the credentials, or whose host key is unknown or has changed.
var ErrDenied = errors.New("denied")
