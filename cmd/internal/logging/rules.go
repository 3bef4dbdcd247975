package logging

import (
	"fmt"
	"net/netip"
	"sync/atomic"

	"dcs/render/device"
)

// Rules say which requests get a line each.
type Rules struct {
	OneOf   int      // one request of so many; 0: none
	Devices []string // MAC addresses, addresses and prefixes of devices all of whose requests do
}

// matcher is immutable but for its counter.
type matcher struct {
	oneOf    uint64
	macs     map[device.MAC]bool
	prefixes []netip.Prefix
	seen     atomic.Uint64
}

// ParseDevice reads a MAC address, an address or a prefix, and returns its usual form.
func ParseDevice(s string) (string, error) {
	if mac, err := device.ParseMAC(s); err == nil {
		return mac.String(), nil
	}
	if p, ok := parsePrefix(s); ok {
		return p.String(), nil
	}
	return "", fmt.Errorf("%s is neither a MAC address such as 0a:01:02:03:04:05, nor an address or prefix such as 10.1.0.0/16", s)
}

func parsePrefix(s string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err == nil && !p.Addr().Is4In6()
}

// SetRules changes which requests get a line.
func (l *Log) SetRules(r Rules) error {
	m := &matcher{macs: map[device.MAC]bool{}}
	if r.OneOf < 0 {
		return fmt.Errorf("one of %d requests: the number must be positive, or 0 for none", r.OneOf)
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

// Rules returns what was set last.
func (l *Log) Rules() Rules { return *l.given.Load() }

// Requests tells whether any request may get a line: whoever handles many asks once for all of them.
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
