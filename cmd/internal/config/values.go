package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

func parseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "on", "true":
		return true, nil
	case "off", "false":
		return false, nil
	}
	return false, fmt.Errorf("%s is neither on nor off", s)
}

func parseName(s string) (string, error) {
	if s == "" || strings.ContainsAny(s, " \t,") {
		return "", fmt.Errorf("%q is not the name of a module", s)
	}
	return s, nil
}

func parseListen(s string) (netip.AddrPort, error) {
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		return a, fmt.Errorf("%s is not an address and port such as 0.0.0.0:69 or [::]:69", s)
	}
	return a, nil
}

// parseWeb parses a host's address with a port, or the empty text, which means none.
func parseWeb(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	if strings.HasPrefix(s, ":") { // all addresses
		s = "[::]" + s
	}
	if _, err := netip.ParseAddrPort(s); err != nil {
		return "", fmt.Errorf("%s is not an address and port such as 127.0.0.1:9100 or [::1]:9100", s)
	}
	return s, nil
}

func parseHost(s string) (string, error) {
	if s == "" || strings.ContainsAny(s, "/:@ \t") {
		return "", fmt.Errorf("%q is not a host name", s)
	}
	return s, nil
}

// ParsePrefix parses a prefix, or an address, which counts as a prefix of full length.
func ParsePrefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if a, e := netip.ParseAddr(s); e == nil && a.Zone() == "" {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	switch {
	case err != nil:
		return p, fmt.Errorf("%s is not a prefix such as 10.0.0.0/8 or fd00::/8", s)
	case p.Addr().Is4In6():
		return p, fmt.Errorf("%s is an IPv4-mapped prefix; write it as an IPv4 prefix", s)
	case p != p.Masked():
		return p, fmt.Errorf("%s has host bits set; write %s or %s", s, p.Masked(), p.Addr())
	}
	return p, nil
}

// options are the TFTP options that a client may be granted (RFC 2348, RFC 2349, RFC 7440).
var options = []string{"blksize", "timeout", "tsize", "windowsize"}

func parseOption(s string) (string, error) {
	if !slices.Contains(options, s) {
		return "", fmt.Errorf("%s is not an option; use some of %s", s, strings.Join(options, ", "))
	}
	return s, nil
}
