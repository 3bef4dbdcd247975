package cmts

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"dcs/cmd/internal/strictyaml"
)

// parseFleet reads the entries of a fleet, a YAML list, and checks them. Descriptions and credentials are read by [Open]. file
// is the name in errors; relative paths start at its directory.
func parseFleet(file string, src []byte) ([]CMTS, error) {
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
			errs = append(errs, fmt.Errorf("%s: CMTS %d: name is not set", file, i+1))
			continue
		}
		if err := c.validate(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", file, err))
		}
		if names[c.Name] {
			errs = append(errs, fmt.Errorf("%s: two CMTSes are called %s", file, c.Name))
		}
		names[c.Name] = true
		for _, p := range c.Prefixes {
			if other := owner[p.Masked()]; other != "" {
				errs = append(errs, fmt.Errorf("%s: %s: prefix %s already belongs to %s", file, c.Name, p, other))
			}
			owner[p.Masked()] = c.Name
		}
	}
	return fleet, errors.Join(errs...)
}

// LoadFleet reads and checks a fleet file. It reads no descriptions and credentials: [Open] does.
func LoadFleet(file string) ([]CMTS, error) {
	src, err := strictyaml.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return parseFleet(file, src)
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// validate returns what is wrong with an entry.
func (c *CMTS) validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(c.Name+": "+format, args...)) }
	if !plainName.MatchString(c.Name) {
		return fmt.Errorf("CMTS %q: invalid name; want letters, digits, dots, dashes and underscores", c.Name)
	}
	if c.Address == "" {
		fail("address is not set")
	} else if _, _, err := splitAddress(c.Address, "22"); err != nil {
		fail("address: %w", err)
	}
	if c.Driver == "" {
		fail("driver is not set; want one of: %s", strings.Join(descriptionNames(nil), ", "))
	}
	for _, p := range c.Prefixes {
		if p != p.Masked() {
			fail("prefix %s has bits set beyond its length; want %s", p, p.Masked())
		}
	}
	if c.Slots < 0 || c.Slots > 2 {
		fail("slots: %d: want 1 or 2", c.Slots)
	}
	if c.Timeout < 0 {
		fail("timeout: negative")
	}
	if r := c.SNMP.Retries; r != nil && (*r < 0 || *r > 20) {
		fail("snmp.retries: %d: want 0 to 20", *r)
	}
	text := func(key, s string) {
		if strings.ContainsFunc(s, unicode.IsControl) {
			fail("%s: contains a control character", key)
		}
	}
	for _, s := range c.Interfaces {
		if strings.TrimSpace(s) == "" {
			fail("interfaces: empty name")
		}
		text("interfaces", s)
	}
	for k, v := range c.Vars {
		text("vars."+k, v)
	}
	text("user", c.User)
	return errors.Join(errs...)
}

// splitAddress splits host or host:port; port is the default.
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
