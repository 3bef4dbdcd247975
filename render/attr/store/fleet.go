package store

import (
	"net/netip"
	"strings"

	"dcs/render/attr"
	"dcs/render/attr/localdb"
	"dcs/render/device"
)

// A fleet is the devices of all sources, in the order of the configuration.
type fleet []rows

// single returns the file that equals the merge of all files: the only one with devices, or nil if there are no files. ok is false
// if several have devices, or if the file's attributes are not the first of the schema.
func (f fleet) single() (db *localdb.DB, ok bool) {
	for i := range f {
		base := f[i].base
		if base == nil || db != nil && base.Stats().Devices == 0 {
			continue
		}
		if db != nil && db.Stats().Devices > 0 {
			return nil, false
		}
		db, ok = base, f[i].cols == nil
	}
	return db, ok || db == nil
}

// merged is a device with the merged attributes of all sources.
type merged struct {
	attr.Device
	from []int // source by attribute, -1 for none
}

// take adds attributes that the device does not have yet.
func (m *merged) take(source int, values attr.Record) {
	for len(m.Values) < len(values) {
		m.Values = append(m.Values, "")
		m.from = append(m.from, -1)
	}
	for i, v := range values {
		if v != "" && m.Values[i] == "" {
			m.Values[i], m.from[i] = v, source
		}
	}
}

// address returns the IP address of a device in the first source that has one.
func (f fleet) address(mac device.MAC) netip.Addr {
	for i := range f {
		if d, ok := f[i].byMAC(mac); ok && d.IP.IsValid() {
			return d.IP
		}
	}
	return netip.Addr{}
}

// owner returns the MAC address of the device that has an IP address: that of the first source with the address, unless an
// earlier source has another address for that device.
func (f fleet) owner(ip netip.Addr) (mac device.MAC, ok bool) {
	for i := range f {
		if d, ok := f[i].byIP(ip); ok && !d.MAC.IsZero() && f.address(d.MAC) == ip {
			return d.MAC, true
		}
	}
	return mac, false
}

// byMAC merges a device. A source that does not have its MAC address contributes what it has for its IP address alone.
func (f fleet) byMAC(mac device.MAC) (merged, bool) {
	m := merged{Device: attr.Device{MAC: mac}}
	m.IP = f.address(mac)
	if m.IP.IsValid() {
		if own, ok := f.owner(m.IP); !ok || own != mac {
			m.IP = netip.Addr{}
		}
	}
	found := false
	for i := range f {
		d, ok := f[i].byMAC(mac)
		found = found || ok
		if !ok && m.IP.IsValid() {
			d, ok = f[i].byIP(m.IP)
			ok = ok && d.MAC.IsZero()
		}
		if ok {
			m.take(i, d.Values)
		}
	}
	return m, found
}

// byIP merges the device that has an IP address.
func (f fleet) byIP(ip netip.Addr) (merged, bool) {
	if mac, ok := f.owner(ip); ok {
		return f.byMAC(mac)
	}
	m := merged{Device: attr.Device{IP: ip}}
	found := false
	for i := range f {
		if d, ok := f[i].byIP(ip); ok && d.MAC.IsZero() {
			found = true
			m.take(i, d.Values)
		}
	}
	return m, found
}

// each calls yield for every device, merged.
func (f fleet) each(yield func(*attr.Device) error) error {
	for i := range f {
		err := f[i].each(func(d *attr.Device) error {
			for j := range i { // skip devices of earlier sources
				var known bool
				if !d.MAC.IsZero() {
					_, known = f[j].byMAC(d.MAC)
				} else if e, ok := f[j].byIP(d.IP); ok {
					known = e.MAC.IsZero()
				}
				if known {
					return nil
				}
			}
			var m merged
			var ok bool
			if !d.MAC.IsZero() {
				m, ok = f.byMAC(d.MAC)
			} else if m, ok = f.byIP(d.IP); !m.MAC.IsZero() {
				return nil // part of the device that has the address
			}
			if !ok {
				return nil
			}
			return yield(&m.Device)
		})
		if err != nil {
			return err
		}
	}
	for i := range f { // a damaged file hides devices
		if f[i].base == nil {
			continue
		}
		if err := f[i].base.Damaged(); err != nil {
			return err
		}
	}
	return nil
}

// entry returns a copy of the device.
func (m *merged) entry(ok bool) *entry {
	e := &entry{mac: m.MAC, ip: m.IP, gone: !ok}
	for _, v := range m.Values {
		e.values = append(e.values, strings.Clone(v))
	}
	return e
}
