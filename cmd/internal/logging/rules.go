package logging

import (
	"fmt"
	"net/netip"
	"sync/atomic"

	"dcs/render/device"
)

// Rules choose the requests that get a line each.
type Rules struct {
	OneOf   int      // one request in so many; 0: none
	Devices []string // MAC addresses, IP addresses and prefixes whose requests are all logged
}

// matcher is compiled Rules; immutable except for its counter.
type matcher struct {
	oneOf    uint64
	macs     map[device.MAC]bool
	prefixes []netip.Prefix
	seen     atomic.Uint64
}

// ParseDevice parses a MAC address, IP address or prefix, and returns its canonical form.
func ParseDevice(s string) (string, error) {
	if mac, err := device.ParseMAC(s); err == nil {
		return mac.String(), nil
	}
	if p, ok := parsePrefix(s); ok {
		return p.String(), nil
	}
	return "", fmt.Errorf("%q: not a MAC address, IP address or prefix; write 0a:01:02:03:04:05, 10.1.2.3 or 10.1.0.0/16", s)
}

func parsePrefix(s string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err == nil && !p.Addr().Is4In6()
}

// SetRules replaces the rules.
func (l *Log) SetRules(r Rules) error {
	m := &matcher{macs: map[device.MAC]bool{}}
	if r.OneOf < 0 {
		return fmt.Errorf("one request in %d: out of range; 0 is none", r.OneOf)
	}
	m.oneOf = uint64(r.OneOf)
	devices := make([]string, 0, len(r.Devices))
	for _, d := range r.Devices {
		name, err := ParseDevice(d)
		if err != nil {
			return err
		}
		devices = append(devices, name)
		if mac, err := device.ParseMAC(name); err == nil {
			m.macs[mac] = true
		} else if p, ok := parsePrefix(name); ok {
			m.prefixes = append(m.prefixes, p)
		}
	}
	r.Devices = devices
	l.given.Store(&r)
	if m.oneOf == 0 && len(devices) == 0 {
		m = nil
	}
	l.rules.Store(m)
	return nil
}

// Rules returns the current rules.
func (l *Log) Rules() Rules { return *l.given.Load() }

// Requests reports whether any request may get a line. It is checked once for a batch.
func (l *Log) Requests() bool { return l.rules.Load() != nil }

// Wants reports whether this request of a device gets a line; mac is zero if it is unknown. It does not allocate.
func (l *Log) Wants(ip netip.Addr, mac device.MAC) bool {
	m := l.rules.Load()
	if m == nil {
		return false
	}
	if m.oneOf > 0 && m.seen.Add(1)%m.oneOf == 0 {
		return true
	}
	if m.macs[mac] {
		return true
	}
	ip = ip.Unmap()
	for _, p := range m.prefixes {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}
