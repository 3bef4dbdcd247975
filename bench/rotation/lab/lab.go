// Package lab simulates a plant for rotations of shared secrets: CMTSes, a dcs that signs for their modems, and modems that
// fetch files and register continuously.
package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"dcs/bench/cmts"
)

// Kind is a kind of CMTS.
type Kind uint8

// Kinds. The first three have two slots, the others one.
const (
	Cisco Kind = iota
	C4
	C3
	BSR
	SmallC3
)

// CMTS is a CMTS of the plant.
type CMTS struct {
	*cmts.CMTS
	Name   string
	Kind   Kind
	Slots  int
	Prefix netip.Prefix // of its modems

	iface string
	mu    sync.Mutex
	first time.Time // of the first rejection
	last  time.Time // of the last one
	count int
	why   string
	late  int
}

// perCMTS is the number of modems of a CMTS. They are few because the load goes through all modems in turn: so each CMTS
// registers one often.
const perCMTS = 16

// Secrets that must not appear anywhere. They are unlike any word.
const (
	Password  = "zqLOGIN-3317-rtk"
	Enable    = "zqENABLE-5526-wpl"
	Community = "zqCOMMUNITY-6071"
	First     = "zqFIRST-7781-kwv" // the shared secret at the beginning
)

// Lab is the plant.
type Lab struct {
	Dir     string // with secrets.yaml and its files
	Secrets string // the keyring's file
	Admin   string // the server's admin address
	CMTS    []*CMTS

	// Drain is the drain time of the rotations. Rejections of modems with an older file are counted separately, unless it
	// is 0.
	Drain time.Duration

	binary  string
	port    int
	closers []func() error

	mu      sync.Mutex
	outputs []*Output
	texts   map[string]bool // all secrets so far
}

// New creates a plant with these kinds of CMTSes, and in dir the files for the dcs at the path binary.
func New(dir, binary string, kinds []Kind) (*Lab, error) {
	if len(kinds) > 65536/perCMTS {
		return nil, fmt.Errorf("at most %d CMTSes: their modems are below 127.18.0.0/16", 65536/perCMTS)
	}
	l := &Lab{
		Dir: dir, Secrets: filepath.Join(dir, "secrets.yaml"), Admin: "unix:" + filepath.Join(dir, "admin.sock"), binary: binary,
		texts: map[string]bool{First: true, Password: true, Enable: true, Community: true},
	}
	if err := l.build(kinds); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Lab) build(kinds []Kind) error {
	files := map[string]string{
		"password": Password + "\n", "enable": Enable + "\n", "community": Community + "\n",
		"secrets.yaml": "# Made for a test.\ngeneration: 1\ndefault: main\nsecrets:\n  main: {text: \"" + First + "\"}\nfleet: cmts.yaml\nknown_hosts: known_hosts\n",
		"modem.dcs": `Main ~ "^modem[0-9]+\.bin$" { NetworkAccess 1; MaxCPE 4; UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; MaxRateSustained 5M; }
DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; MaxRateSustained 50M; } TftpTimestamp $time; TftpModemAddress $ip; }
`,
	}
	var fleet, hosts strings.Builder
	for i, kind := range kinds {
		c, err := l.add(i, kind, &fleet, &hosts)
		if err != nil {
			return err
		}
		l.CMTS = append(l.CMTS, c)
	}
	files["cmts.yaml"], files["known_hosts"] = fleet.String(), hosts.String()
	library := filepath.Join(l.Dir, "library")
	if err := os.Mkdir(library, 0o755); err != nil {
		return err
	}
	for name, text := range files {
		path := filepath.Join(l.Dir, name)
		if strings.HasSuffix(name, ".dcs") {
			path = filepath.Join(library, name)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// add starts a CMTS, and writes its entry of the fleet file and its host key.
func (l *Lab) add(i int, kind Kind, fleet, hosts *strings.Builder) (*CMTS, error) {
	make := map[Kind]cmts.Make{Cisco: cmts.Cisco, C4: cmts.C4, C3: cmts.C3, BSR: cmts.BSR, SmallC3: cmts.C3}[kind]
	c := &CMTS{
		Name: fmt.Sprintf("%s-%03d", make, i), Kind: kind, Slots: 2,
		Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 18, byte(i * perCMTS >> 8), byte(i * perCMTS)}), 28),
	}
	cfg := cmts.Config{Name: c.Name, Make: make, Secret: First, User: "dcs", Password: Password, Enable: Enable}
	switch kind {
	case Cisco:
		cfg.Interfaces = []string{"Cable5/0/0", "Cable6/0/0"}
	case C3, SmallC3:
		cfg.Interfaces = []string{"3"}
	case C4, BSR:
	}
	if kind == BSR || kind == SmallC3 {
		c.Slots = 1
	}
	c.CMTS = cmts.New(cfg)
	fmt.Fprintf(fleet, "- name: %s\n  driver: %s\n  slots: %d\n  prefixes: [%s]\n  timeout: 60s\n", c.Name, make, c.Slots, c.Prefix)
	if len(cfg.Interfaces) > 0 {
		c.iface = cfg.Interfaces[0]
		fmt.Fprintf(fleet, "  interfaces: [\"%s\"]\n", strings.Join(cfg.Interfaces, `", "`))
	}
	if make == cmts.C3 {
		a, err := c.ServeSNMP("127.0.0.1:0", Community)
		if err != nil {
			return nil, err
		}
		l.closers = append(l.closers, a.Close)
		fmt.Fprintf(fleet, "  address: %s\n  snmp: {community_file: %s/community}\n", a.Addr, l.Dir)
		return c, nil
	}
	s, err := c.ServeSSH("127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l.closers = append(l.closers, s.Close)
	hosts.WriteString(s.KnownHosts() + "\n")
	fmt.Fprintf(fleet, "  address: %s\n  user: dcs\n  password_file: %s/password\n  enable_password_file: %[2]s/enable\n", s.Addr, l.Dir)
	return c, nil
}

// Close stops the CMTSes.
func (l *Lab) Close() error {
	var errs []error
	for _, c := range slices.Backward(l.closers) {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// Journal returns the journal's text.
func (l *Lab) Journal() string {
	b, _ := os.ReadFile(l.Secrets + ".journal")
	return string(b)
}

// Look records the secrets of the CMTSes for [Lab.Leaks], and returns them by the name of the CMTS, whatever interface they
// are on.
func (l *Lab) Look() map[string][]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	secrets := map[string][]string{}
	for _, c := range l.CMTS {
		ifaces := []string{c.iface}
		if c.Kind == Cisco {
			ifaces = []string{"Cable5/0/0", "Cable6/0/0"}
		}
		for _, i := range ifaces {
			for _, s := range c.CMTS.Secrets(i) {
				l.texts[s] = true
				if !slices.Contains(secrets[c.Name], s) {
					secrets[c.Name] = append(secrets[c.Name], s)
				}
			}
		}
	}
	return secrets
}

// Leaks searches the output of all processes, journal and lock, and more, for the secrets that [Lab.Look] has recorded, passwords
// and communities, and returns where any was found.
func (l *Lab) Leaks(more map[string]string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string]string{}
	for _, o := range l.outputs {
		all[o.What] += o.String()
	}
	for _, suffix := range []string{".journal", ".journal.old", ".lock"} {
		b, _ := os.ReadFile(l.Secrets + suffix)
		all["secrets.yaml"+suffix] = string(b)
	}
	for what, text := range more {
		all[what] += text
	}
	var found []string
	for what, text := range all {
		for secret := range l.texts {
			if strings.Contains(text, secret) {
				found = append(found, what)
				break
			}
		}
	}
	slices.Sort(found)
	return found
}
