// Package source decides which source and destination addresses a datagram can have. Its tests and those of the XDP
// program share testdata/sources.csv.
package source

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// Possible reports whether a datagram can have come from one address and port to another (RFC 1122, section 3.2.1.3;
// RFC 4291, sections 2.5 and 2.7; RFC 1112, section 4 for 240.0.0.0/4): both are unicast, they are not the same address
// and port, and loopback addresses occur only together.
func Possible(from, to netip.AddrPort) bool {
	f, t := from.Addr(), to.Addr()
	if f.Is4() && t.Is4() { // same as below, without its conversions
		a, b := f.As4(), t.As4()
		return from.Port() != 0 && (a[0] == 127) == (b[0] == 127) && a[0]-1 < 223 && b[0]>>4 != 14 && b != [4]byte{255, 255, 255, 255} && from != to
	}
	if from.Port() == 0 || from == to || f.IsLoopback() != t.IsLoopback() {
		return false
	}
	return Unicast(f) && !t.IsMulticast() && !limited(t)
}

// Unicast reports whether a host can have an address: it is not unspecified, multicast, reserved or IPv4-mapped.
func Unicast(a netip.Addr) bool {
	if a.Is4() {
		b := a.As4()
		return b[0] != 0 && b[0] < 224
	}
	return a.Is6() && !a.IsUnspecified() && !a.IsMulticast() && !a.Is4In6()
}

// limited reports whether a is the limited broadcast address.
func limited(a netip.Addr) bool { return a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) }

// A Host is the set of this host's addresses. It is immutable; changes make a new one. A nil Host has no addresses.
type Host struct {
	own        []netip.Addr
	broadcasts []netip.Addr
	// hint has a bit set for the last octet of each broadcast address, so that almost all other addresses take one
	// lookup.
	hint [1024 / 64]uint64
}

// NewHost returns a Host with these addresses, each with the prefix length of its subnet.
func NewHost(own []netip.Prefix) *Host {
	h := new(Host)
	for _, p := range own {
		a := p.Addr().Unmap().WithZone("")
		h.own = append(h.own, a)
		if b, ok := broadcast(p); ok && !slices.Contains(h.broadcasts, b) {
			h.broadcasts = append(h.broadcasts, b)
			word, bit := place(b)
			h.hint[word] |= bit
		}
	}
	return h
}

// broadcast returns the broadcast address of an address's IPv4 subnet. A subnet of one or two addresses has none (RFC
// 3021).
func broadcast(p netip.Prefix) (netip.Addr, bool) {
	if !p.Addr().Is4() || p.Bits() < 0 || p.Bits() > 30 {
		return netip.Addr{}, false
	}
	b := p.Addr().As4()
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])|(1<<(32-p.Bits())-1))
	return netip.AddrFrom4(b), true
}

// place returns the hint bit of an IPv4 address.
func place(a netip.Addr) (word int, bit uint64) {
	b := a.As4()
	low := (uint(b[2])<<8 | uint(b[3])) % 1024
	return int(low / 64), 1 << (low % 64)
}

// Owns reports whether the host has an address.
func (h *Host) Owns(a netip.Addr) bool { return h != nil && slices.Contains(h.own, a) }

// Broadcasts reports whether an address is the broadcast address of one of the host's subnets.
func (h *Host) Broadcasts(a netip.Addr) bool {
	if h == nil || !a.Is4() {
		return false
	}
	word, bit := place(a)
	return h.hint[word]&bit != 0 && slices.Contains(h.broadcasts, a)
}
