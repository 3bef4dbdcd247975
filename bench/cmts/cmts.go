// Package cmts simulates cable modem termination systems: their command lines over SSH, their SNMP agents, and the
// registration of modems against the secrets that they hold.
package cmts

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"dcs/render/mic"
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

// Reason is why a modem was rejected.
type Reason uint8

// Reasons to reject a modem.
const (
	BadFile Reason = iota
	BadMIC
	BadCMTSMIC
	BadTime
	BadAddress
	numReasons
)

// String returns the reason in words.
func (r Reason) String() string {
	switch r {
	case BadFile:
		return "not a boot file"
	case BadMIC:
		return "CM MIC"
	case BadCMTSMIC:
		return "CMTS MIC"
	case BadTime:
		return "timestamp"
	case BadAddress:
		return "modem address"
	case numReasons:
	}
	return fmt.Sprintf("Reason(%d)", uint8(r))
}

// Rejection is the error of a modem that may not register.
type Rejection struct {
	Reason Reason
	Detail string
}

func (r *Rejection) Error() string { return "rejected: " + r.Reason.String() + ": " + r.Detail }

// Counts are registrations so far.
type Counts struct {
	Accepted, Rejected uint64
	Reasons            map[Reason]uint64
}

// Counts returns how many modems were accepted and rejected.
func (c *CMTS) Counts() Counts {
	n := Counts{Accepted: c.accepted.Load(), Reasons: map[Reason]uint64{}}
	for r := range c.rejected {
		if v := c.rejected[r].Load(); v > 0 {
			n.Rejected += v
			n.Reasons[Reason(r)] = v
		}
	}
	return n
}

// keyring is the secrets of all interfaces, ready for use, as of one version.
type keyring struct {
	version uint64
	keys    map[string][]*mic.Secret
}

func (c *CMTS) secretsFor(iface string) []*mic.Secret {
	k := c.keys.Load()
	if k.keys == nil || k.version != c.version.Load() {
		c.mu.Lock()
		k = &keyring{c.version.Load(), map[string][]*mic.Secret{}}
		for _, i := range c.cfg.Interfaces {
			for _, s := range c.secrets(i) {
				k.keys[i] = append(k.keys[i], mic.NewSecret([]byte(s)))
			}
			if k.keys[i] == nil {
				// Without a secret the MIC is still checked, under an empty key.
				k.keys[i] = []*mic.Secret{mic.NewSecret(nil)}
			}
		}
		c.mu.Unlock()
		c.keys.Store(k)
	}
	return k.keys[iface]
}

// Register decides about a modem on the first interface as a CMTS does: see RegisterOn.
func (c *CMTS) Register(file []byte, modem netip.Addr, now time.Time) error {
	return c.RegisterOn(c.cfg.Interfaces[0], file, modem, now)
}

// RegisterOn decides whether a modem of that address, which got this boot file, may register now. It must have a valid
// CM MIC, a CMTS MIC under one of the interface's secrets, a TLV 19, if any, within the processing time, and a TLV 20 or
// 59, if any, that is the modem's address. The error is a *Rejection.
func (c *CMTS) RegisterOn(iface string, file []byte, modem netip.Addr, now time.Time) error {
	err := c.judge(iface, file, modem, now)
	var r *Rejection
	if errors.As(err, &r) {
		c.rejected[r.Reason].Add(1)
	} else {
		c.accepted.Add(1)
	}
	return err
}

// epoch1900 is the Unix epoch in seconds since 1900 (RFC 868).
const epoch1900 = 2208988800

func (c *CMTS) judge(iface string, file []byte, modem netip.Addr, now time.Time) error {
	reject := func(r Reason, format string, args ...any) error {
		return &Rejection{r, fmt.Sprintf(format, args...)}
	}
	secrets := c.secretsFor(iface)
	if secrets == nil {
		return reject(BadFile, "there is no interface %q", iface)
	}
	valid := false
	for _, s := range secrets {
		rep, err := mic.Verify(file, s)
		if err != nil {
			return reject(BadFile, "%v", err)
		}
		if rep.CM.Verdict != mic.Valid {
			return reject(BadMIC, "it is %s", rep.CM.Verdict)
		}
		if rep.CMTS.Verdict == mic.Valid && rep.Extended.Verdict != mic.Invalid {
			valid = true
			break
		}
	}
	if !valid {
		return reject(BadCMTSMIC, "it is under none of the %d secrets", len(secrets))
	}
	modem = modem.Unmap()
	var verdict error
	err := mic.Walk(file, func(off, hdr, end int, code uint8) bool {
		value := file[off+hdr : end]
		switch code {
		case 19:
			if len(value) != 4 {
				verdict = reject(BadTime, "TLV 19 has %d octets", len(value))
				break
			}
			at := time.Unix(int64(binary.BigEndian.Uint32(value))-epoch1900, 0)
			if d := now.Sub(at); d > c.cfg.ProcessingTime || d < -c.cfg.ProcessingTime {
				verdict = reject(BadTime, "TLV 19 is off by %s", d.Round(time.Second))
			}
		case 20, 59:
			at, ok := netip.AddrFromSlice(value)
			if !ok || at.Is4() != (code == 20) || at != modem {
				verdict = reject(BadAddress, "TLV %d is %v, the modem %v", code, at, modem)
			}
		}
		return verdict == nil
	})
	if err != nil {
		return reject(BadFile, "%v", err)
	}
	return verdict
}
