package cmts

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"dcs/cmd/internal/strictyaml"
	"dcs/render/secret"
)

const defaultTimeout = 10 * time.Second

// ParseFleet reads the entries of a fleet, a YAML list. The entries are valid by themselves and among each other;
// descriptions and credentials are looked at by Open. The name of the file stands in errors, and relative paths begin
// where it is.
func ParseFleet(file string, src []byte) ([]CMTS, error) {
	var fleet []CMTS
	if err := decodeYAML(file, src, &fleet); err != nil {
		return nil, err
	}
	var errs []error
	names := map[string]bool{}
	owner := map[netip.Prefix]string{}
	for i := range fleet {
		c := &fleet[i]
		for _, f := range []*string{
			&c.PasswordFile, &c.KeyFile, &c.PassphraseFile, &c.EnablePasswordFile, &c.KnownHosts,
			&c.SNMP.CommunityFile, &c.SNMP.AuthPasswordFile, &c.SNMP.PrivPasswordFile,
		} {
			if *f != "" && !filepath.IsAbs(*f) {
				*f = filepath.Join(filepath.Dir(file), *f)
			}
		}
		if c.Name == "" {
			errs = append(errs, fmt.Errorf("%s: CMTS %d has no name", file, i+1))
			continue
		}
		if err := c.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", file, err))
		}
		if names[c.Name] {
			errs = append(errs, fmt.Errorf("%s: there are two CMTSes of the name %s", file, c.Name))
		}
		names[c.Name] = true
		for _, p := range c.Prefixes {
			if other := owner[p.Masked()]; other != "" {
				errs = append(errs, fmt.Errorf("%s: %s: prefix %s belongs to %s already", file, c.Name, p, other))
			}
			owner[p.Masked()] = c.Name
		}
	}
	return fleet, errors.Join(errs...)
}

// LoadFleet reads a fleet's file.
func LoadFleet(file string) ([]CMTS, error) {
	src, err := strictyaml.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return ParseFleet(file, src)
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// Validate tells what is wrong with an entry by itself.
func (c *CMTS) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(c.Name+": "+format, args...)) }
	if !plainName.MatchString(c.Name) {
		return fmt.Errorf("CMTS %q: a name is made of letters, digits, dots, dashes and underscores", c.Name)
	}
	if c.Address == "" {
		fail("no address")
	} else if _, _, err := splitAddress(c.Address, "22"); err != nil {
		fail("address: %w", err)
	}
	if c.Driver == "" {
		fail("no driver: there are %s", strings.Join(Descriptions(nil), ", "))
	}
	for _, p := range c.Prefixes {
		if p != p.Masked() {
			fail("prefix %s has bits beyond its length: is %s meant?", p, p.Masked())
		}
	}
	if c.Slots < 0 || c.Slots > 2 {
		fail("slots is %d: it may be 1 or 2", c.Slots)
	}
	if c.Timeout < 0 {
		fail("timeout is negative")
	}
	if r := c.SNMP.Retries; r != nil && (*r < 0 || *r > 20) {
		fail("snmp.retries is %d: it may be 0 to 20", *r)
	}
	text := func(key, s string) {
		if strings.ContainsFunc(s, unicode.IsControl) {
			fail("%s has a control character", key)
		}
	}
	for _, s := range c.Interfaces {
		if strings.TrimSpace(s) == "" {
			fail("interfaces has an empty name")
		}
		text("interfaces", s)
	}
	for k, v := range c.Vars {
		text("vars."+k, v)
	}
	text("user", c.User)
	return errors.Join(errs...)
}

func splitAddress(address, port string) (string, string, error) {
	host := address
	if ip, err := netip.ParseAddr(strings.Trim(address, "[]")); err == nil {
		host = ip.String()
	} else if strings.Contains(address, ":") {
		if host, port, err = net.SplitHostPort(address); err != nil {
			return "", "", fmt.Errorf("%q is not host:port", address)
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", "", fmt.Errorf("%q is not a port", port)
	}
	if host == "" || strings.ContainsAny(host, " \t\n/") {
		return "", "", fmt.Errorf("%q has no host", address)
	}
	return host, port, nil
}

// Open returns the driver of one CMTS. It reads the description and the credentials, and sends nothing yet.
func Open(cfg CMTS, opt Options) (Driver, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	d, err := open(cfg, opt)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Name, err)
	}
	return d, nil
}

func open(cfg CMTS, opt Options) (Driver, error) {
	desc, err := findDescription(cfg.Driver, opt.Descriptions)
	if err != nil {
		return nil, err
	}
	if cfg.Slots > desc.Slots {
		return nil, fmt.Errorf("slots is %d, but %s says %d", cfg.Slots, cfg.Driver, desc.Slots)
	}
	if desc.perInterface && len(cfg.Interfaces) == 0 {
		return nil, fmt.Errorf("interfaces is not set: with %s a secret belongs to an interface", cfg.Driver)
	}
	if !desc.perInterface && len(cfg.Interfaces) > 0 {
		return nil, fmt.Errorf("interfaces is set, but with %s a secret belongs to the whole CMTS", cfg.Driver)
	}
	vars := maps.Clone(desc.Vars)
	if vars == nil {
		vars = map[string]string{}
	}
	for k, v := range cfg.Vars {
		if _, ok := vars[k]; !ok {
			return nil, fmt.Errorf("vars: %s has no %q", cfg.Driver, k)
		}
		vars[k] = v
	}
	b := base{cfg: cfg, desc: desc, vars: vars, slots: desc.Slots, timeout: defaultTimeout, log: opt.Log}
	if cfg.Slots > 0 {
		b.slots = cfg.Slots
	}
	if cfg.Timeout > 0 {
		b.timeout = cfg.Timeout
	}
	if b.log == nil {
		b.log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	b.log = b.log.With("cmts", cfg.Name)
	if desc.MIB != nil {
		return openSNMP(b)
	}
	return openCLI(b, opt)
}

// base is what the drivers have in common.
type base struct {
	cfg     CMTS
	desc    *description
	vars    map[string]string
	slots   int
	timeout time.Duration
	log     *slog.Logger
	secrets []secret.Text // what is to be kept out of errors: our credentials
}

func (b *base) Slots() int  { return b.slots }
func (b *base) MaxLen() int { return b.desc.Secret.MaxLength }

func (b *base) Check(secret secret.Text) error {
	if err := b.desc.Secret.check(secret); err != nil {
		return fmt.Errorf("%s: %w", b.cfg.Name, err)
	}
	return nil
}

func (b *base) Close() error { return nil }

// scrubber knows our credentials and the secrets at hand, as they are and as the dialogue writes them.
func (b *base) scrubber(secrets ...secret.Text) *scrubber {
	s := &scrubber{}
	for _, c := range b.secrets {
		s.hide(c.Reveal())
	}
	for _, c := range secrets {
		s.hide(c.Reveal())
		if !c.IsZero() {
			s.hide(b.desc.Secret.write(c))
		}
	}
	return s
}

func (b *base) where(op, address string) string {
	return fmt.Sprintf("%s (%s, %s): %s", b.cfg.Name, b.cfg.Driver, address, op)
}

// merge counts one interface's answer to whether it holds a secret into that of the CMTS.
func merge(sum *Holding, first bool, one Holding) {
	switch {
	case first:
		*sum = one
	case *sum == one:
	case one == Unknown || *sum == Unknown:
		*sum = Unknown
	default:
		*sum = Partly
	}
}
