// Package cmts sets the shared secrets of cable modem termination systems, over SSH or SNMP, as a description of each
// make's dialogue or MIB says.
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

// CMTS is one entry of the fleet: how it is reached, and which modems are behind it.
type CMTS struct {
	Name     string         `yaml:"name"`
	Address  string         `yaml:"address"`  // host or host:port; the port is 22, 23 or 161 where none is given
	Driver   string         `yaml:"driver"`   // the name of a description: cisco, arris-c4, …
	Prefixes []netip.Prefix `yaml:"prefixes"` // of its modems' addresses

	Slots      int               `yaml:"slots"`      // 0: as the description says; may only be less than that
	Interfaces []string          `yaml:"interfaces"` // where secrets belong to interfaces: Cable5/0/0, or an ifIndex for SNMP
	Vars       map[string]string `yaml:"vars"`       // values that the description leaves open, such as the index of the secondary secret
	Timeout    time.Duration     `yaml:"timeout"`    // for one step of a dialogue, or one SNMP answer with its retries; 0: 10 s, which connecting has in any case
	Save       *bool             `yaml:"save"`       // whether the configuration is written to permanent storage; unset: yes

	// SSH and telnet.
	User               string `yaml:"user"`
	PasswordFile       string `yaml:"password_file"`
	KeyFile            string `yaml:"key_file"` // OpenSSH or PEM
	PassphraseFile     string `yaml:"passphrase_file"`
	EnablePasswordFile string `yaml:"enable_password_file"`
	KnownHosts         string `yaml:"known_hosts"` // empty: Options.KnownHosts
	LegacySSH          bool   `yaml:"legacy_ssh"`  // offer the algorithms, broken by now, that old systems are left with
	Telnet             bool   `yaml:"telnet"`      // in clear text over the network: only where there is nothing else

	SNMP SNMP `yaml:"snmp"`
}

// SNMP is how an agent is asked. With a community it is version 2c, with a user version 3, authPriv.
type SNMP struct {
	CommunityFile string `yaml:"community_file"`

	User             string `yaml:"user"`
	Auth             string `yaml:"auth"` // sha (default), sha224, sha256, sha384, sha512 or md5
	AuthPasswordFile string `yaml:"auth_password_file"`
	Priv             string `yaml:"priv"` // aes (default), aes192, aes256, aes192c, aes256c or des
	PrivPasswordFile string `yaml:"priv_password_file"`
	Context          string `yaml:"context"`

	Retries *int `yaml:"retries"` // unset: 2
}

// Driver tells one CMTS its secrets. Every method but the first four goes over the network, connects anew, and has
// ended the session when it returns; all of them may be repeated: a step done twice leaves what it leaves when done
// once. After an error it is not known what the CMTS holds: ask Verify, or repeat the step. A Driver is not for use by
// several goroutines at once.
type Driver interface {
	Slots() int     // how many secrets the CMTS holds at once: 1 or 2
	MaxLen() int    // longest secret that it takes, in octets
	Readable() bool // whether Verify can read secrets back; else it only tells what is filled, if even that
	// Check tells why the CMTS would not take secret: its length, a character. Nothing is sent.
	Check(secret secret.Text) error

	// Add makes the CMTS hold secret: next to the present one where it has two slots, else in its place.
	Add(ctx context.Context, secret secret.Text) error
	// Remove makes the CMTS hold keep alone. Where keep is held already, it is held at every moment. The zero keep
	// leaves the CMTS without a secret.
	//
	// It needs keep, because a CMTS with two slots has a primary and a secondary: the one that stays becomes the
	// primary. It does not need the one that goes, nor does it matter which that was: Remove(ctx, new) ends a rotation,
	// and Remove(ctx, old) takes Add back.
	Remove(ctx context.Context, keep secret.Text) error
	// Verify reads what the CMTS holds. With no secrets to look for it still shows whether the CMTS can be reached and
	// takes our credentials.
	Verify(ctx context.Context, want []secret.Text) (State, error)
	Close() error
}

// Holding is whether a CMTS holds a secret.
type Holding uint8

// Where secrets belong to interfaces, a CMTS holds one partly if some of its interfaces do.
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

// State is what Verify found.
type State struct {
	Holds []Holding // of each secret that was asked for
	// Filled is how many slots are filled, on the interface where most are; -1 if that cannot be read.
	Filled int
	// Note says why something is unknown, in words for the operator; else it is empty.
	Note string
}

// Options are what all CMTSes have in common.
type Options struct {
	Descriptions []string // directories of the operator's own descriptions, which win over those that are built in
	KnownHosts   string   // file of SSH host keys, for those that name none
	Log          *slog.Logger
}

// ErrUnreachable is wrapped by errors of a CMTS that did not answer at all.
var ErrUnreachable = errors.New("unreachable")

// ErrDenied is wrapped by errors of a CMTS that did not take our credentials, or whose host key is not the one we know.
var ErrDenied = errors.New("denied")
