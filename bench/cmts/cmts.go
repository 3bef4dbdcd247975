// Package cmts simulates cable modem termination systems: their command lines over SSH, their SNMP agents, and the
// registration of modems against the secrets that they hold.
package cmts

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Make is whose command line or MIB a CMTS has.
type Make string

// The makes that are simulated.
const (
	Cisco Make = "cisco"        // one primary secret for each interface, and secondary ones
	C4    Make = "arris-c4"     // one primary, one secondary; both hidden
	BSR   Make = "motorola-bsr" // one secret, never shown
	C3    Make = "arris-c3"     // SNMP: rows 1 to 16 for each interface; never shown
)

// Config is what a CMTS is made with.
type Config struct {
	Name       string // host name in prompts
	Make       Make
	Interfaces []string // of a Cisco, such as Cable5/0/0, or of a C3, ifIndex; others have none
	Secret     string   // the primary one, on all interfaces; empty: none

	User, Password string
	Enable         string // empty: a session is privileged from its start
	AuthorizedKey  []byte // in the format of authorized_keys; empty: none

	// ProcessingTime is how far TLV 19 may be off the CMTS's clock; 0: 30 s.
	ProcessingTime time.Duration
	// Encrypted makes a Cisco show secrets in its type 7 encoding, as with "service password-encryption".
	Encrypted bool
	// NotInPlace refuses an SNMP SET that changes the text of an active row (inconsistentValue).
	NotInPlace bool
	// Interactive asks for the SSH password in the way that is called keyboard-interactive (RFC 4256).
	Interactive bool
	// Legacy knows only what SSH servers of 2005 knew: a key of RSA with SHA-1, diffie-hellman-group1, CBC.
	Legacy bool
}

// CMTS is one simulated system. It is safe for concurrent use.
type CMTS struct {
	cfg Config

	mu      sync.Mutex
	slots   map[slot]string
	rows    map[slot]int // RowStatus of a C3's rows
	version atomic.Uint64
	keys    atomic.Pointer[keyring]
	faults  atomic.Pointer[Faults]
	log     []string // command lines as they came
	saves   int

	accepted atomic.Uint64
	rejected [numReasons]atomic.Uint64
}

// slot is a place for a secret: 0 is the primary one, others are secondary; the rows of a C3 count from 1.
type slot struct {
	iface string
	index int
}

// New returns a CMTS that nobody can reach yet.
func New(cfg Config) *CMTS {
	if cfg.ProcessingTime == 0 {
		cfg.ProcessingTime = 30 * time.Second
	}
	if len(cfg.Interfaces) == 0 {
		cfg.Interfaces = []string{""}
	}
	c := &CMTS{cfg: cfg, slots: map[slot]string{}, rows: map[slot]int{}}
	c.faults.Store(&Faults{})
	c.keys.Store(&keyring{})
	if cfg.Secret != "" {
		for _, i := range cfg.Interfaces {
			if cfg.Make == C3 {
				c.rows[slot{i, 1}] = rowActive
				c.set(slot{i, 1}, cfg.Secret)
			} else {
				c.set(slot{i, 0}, cfg.Secret)
			}
		}
	}
	return c
}

// Name returns the host name.
func (c *CMTS) Name() string { return c.cfg.Name }

func (c *CMTS) set(at slot, secret string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if secret == "" {
		delete(c.slots, at)
	} else {
		c.slots[at] = secret
	}
	c.version.Add(1)
}

// Secrets returns the different secrets that modems of an interface may use, sorted; the interface of a CMTS that has
// none is "".
func (c *CMTS) Secrets(iface string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.secrets(iface)
}

func (c *CMTS) secrets(iface string) []string {
	var all []string
	for at, s := range c.slots {
		if at.iface == iface && (c.cfg.Make != C3 || c.rows[at] == rowActive) && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	slices.Sort(all)
	return all
}

// Saves tells how often the configuration was written to permanent storage.
func (c *CMTS) Saves() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.saves
}

// Lines returns the command lines that came, secrets and all.
func (c *CMTS) Lines() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.log)
}

// Faults are what goes wrong, from the next command on.
type Faults struct {
	Slow       time.Duration // before each answer
	DropAfter  int           // the session ends when so many lines have come; 0: never
	ErrorOn    string        // commands that contain it are refused
	Flood      bool          // an endless answer
	Garbage    bool          // binary rubbish in place of answers
	Silent     bool          // no answer at all
	Paging     bool          // pages of ten lines, whatever the terminal was told
	Banner     string        // before the first prompt
	Chatter    bool          // messages of the system behind prompts
	ReadOnly   bool          // SNMP: SET is refused (notWritable)
	TooBig     bool          // SNMP: SET is refused (tooBig)
	LoseAnswer bool          // SNMP: every other request is done, and its answer lost
}

// SetFaults switches what goes wrong; the zero value is nothing.
func (c *CMTS) SetFaults(f Faults) { c.faults.Store(&f) }
