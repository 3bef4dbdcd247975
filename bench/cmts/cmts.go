// Package cmts simulates cable modem termination systems: their command lines over SSH, their SNMP agents, and the
// registration of modems against the secrets that they hold.
package cmts

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Make is the make of a CMTS, which determines its command line or MIB.
type Make string

// Simulated makes.
const (
	Cisco Make = "cisco"        // a primary secret and secondary ones for each interface
	C4    Make = "arris-c4"     // one primary, one secondary; both hidden
	BSR   Make = "motorola-bsr" // one secret, never shown
	C3    Make = "arris-c3"     // SNMP: rows 1 to 16 for each interface; never shown
)

// Config is the configuration of a CMTS.
type Config struct {
	Name       string // host name in prompts
	Make       Make
	Interfaces []string // names such as Cable5/0/0 for Cisco, ifIndex for C3; none for others
	Secret     string   // the primary secret of all interfaces; empty: none

	User, Password string
	Enable         string // enable password; empty: sessions are privileged
	AuthorizedKey  []byte // in the format of authorized_keys; empty: none

	// ProcessingTime is by how much TLV 19 may differ from the CMTS's clock; 0: 30 s.
	ProcessingTime time.Duration
	// Encrypted makes a Cisco show secrets in its type 7 encoding, as with "service password-encryption".
	Encrypted bool
	// NotInPlace refuses an SNMP SET that changes the text of an active row (inconsistentValue).
	NotInPlace bool
	// Interactive asks for the SSH password with the method keyboard-interactive (RFC 4256).
	Interactive bool
	// Legacy offers only what SSH servers of 2005 had: RSA with SHA-1, diffie-hellman-group1, CBC.
	Legacy bool
}

// CMTS is a simulated CMTS. It is safe for concurrent use.
type CMTS struct {
	cfg Config

	mu      sync.Mutex
	slots   map[slot]string
	rows    map[slot]int // RowStatus of a C3's rows
	version atomic.Uint64
	keys    atomic.Pointer[keyring]
	faults  atomic.Pointer[Faults]
	log     []string // command lines received
	saves   int

	accepted atomic.Uint64
	rejected [numReasons]atomic.Uint64
}

// slot is the place of a secret: index 0 is the primary one, others are secondary; the rows of a C3 count from 1.
type slot struct {
	iface string
	index int
}

// New returns a CMTS that does not listen yet.
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

// Secrets returns the distinct secrets that an interface accepts, sorted. For a CMTS without interfaces, iface is "".
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

// Saves returns how often the configuration was written to permanent storage.
func (c *CMTS) Saves() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.saves
}

// Lines returns the command lines received, including secrets.
func (c *CMTS) Lines() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.log)
}

// Faults are faults to simulate, from the next command on.
type Faults struct {
	Slow       time.Duration // delay of each answer
	DropAfter  int           // the session ends after so many lines; 0: never
	ErrorOn    string        // commands that contain it are refused
	Flood      bool          // an endless answer
	Garbage    bool          // random octets instead of answers
	Silent     bool          // no answer at all
	Paging     bool          // pages of ten lines, whatever the session has set
	Banner     string        // before the first prompt
	Chatter    bool          // system messages after prompts
	ReadOnly   bool          // SNMP: SET is refused (notWritable)
	TooBig     bool          // SNMP: SET is refused (tooBig)
	LoseAnswer bool          // SNMP: every other request is executed, but not answered
}

// SetFaults sets the faults to simulate; the zero value has none.
func (c *CMTS) SetFaults(f Faults) { c.faults.Store(&f) }
