package store

import (
	"net/netip"

	"dcs/render/attr"
	"dcs/render/device"
)

// Explanation is a device, and the sources of its attributes.
type Explanation struct {
	attr.Device          // Values by schema index
	From        []string // name of the source by attribute, "" if none has it
	Known       []string // sources that have the device
	Schema      *attr.Schema
}

// Explain finds a device as a View does, by its MAC address or, if that is zero, by its IP address.
func (s *Store) Explain(mac device.MAC, ip netip.Addr) (Explanation, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var m merged
	e := s.fleet.lookup(func() (merged, bool) {
		var ok bool
		if !mac.IsZero() {
			m, ok = s.fleet.byMAC(mac)
		} else {
			m, ok = s.fleet.byIP(ip.Unmap())
		}
		return m, ok
	})
	ok := !e.gone
	x := Explanation{Device: attr.Device{MAC: m.MAC, IP: m.IP, Values: e.values}, Schema: s.schema}
	for i := range e.values {
		name := ""
		if j := m.from[i]; j >= 0 && e.values[i] != "" {
			name = s.srcs[j].Name()
		}
		x.From = append(x.From, name)
	}
	for i := range s.fleet {
		_, known := s.fleet[i].byMAC(m.MAC)
		if m.MAC.IsZero() || !known && m.IP.IsValid() {
			var d attr.Device
			d, known = s.fleet[i].byIP(m.IP)
			known = known && d.MAC.IsZero()
		}
		if known && ok {
			x.Known = append(x.Known, s.srcs[i].Name())
		}
	}
	return x, ok
}
