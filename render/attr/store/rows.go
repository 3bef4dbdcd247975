package store

import (
	"maps"
	"net/netip"
	"strings"

	"dcs/render/attr"
	"dcs/render/attr/localdb"
)

// rows is what one source told of its devices: a file, and what has changed since it was made.
type rows struct {
	base *localdb.DB // nil: none
	cols []int       // by attribute of base: its index in the Store's schema; nil: the same
	macs map[[6]byte]*change
	ips  map[netip.Addr]*change
}

// change is what has become of a device. It is immutable.
type change struct {
	attr.Device        // Values is a Record of the Store's schema
	gone        bool   // by MAC address if it has one
	seq         uint64 // of all changes of the Store
}

func (r *rows) clone() rows {
	return rows{base: r.base, cols: r.cols, macs: maps.Clone(r.macs), ips: maps.Clone(r.ips)}
}

// changed returns how many changes there are.
func (r *rows) changed() int { return len(r.macs) + len(r.ips) }

// byMAC finds a device. Its IP address is the one that it is found by, if any.
func (r *rows) byMAC(mac [6]byte) (attr.Device, bool) {
	if c, ok := r.macs[mac]; ok {
		return c.Device, !c.gone
	}
	if r.base == nil {
		return attr.Device{}, false
	}
	d, ok := r.base.Get(mac, nil)
	if !ok {
		return attr.Device{}, false
	}
	if _, taken := r.ips[d.IP]; taken {
		d.IP = netip.Addr{}
	}
	d.Values = r.record(d.Values)
	return d, true
}

// byIP finds a device. ip is unmapped.
func (r *rows) byIP(ip netip.Addr) (attr.Device, bool) {
	if c, ok := r.ips[ip]; ok {
		return c.Device, !c.gone
	}
	if r.base == nil {
		return attr.Device{}, false
	}
	d, ok := r.base.GetIP(ip, nil)
	if !ok {
		return attr.Device{}, false
	}
	if _, changed := r.macs[d.MAC]; d.HasMAC && changed {
		return attr.Device{}, false
	}
	d.Values = r.record(d.Values)
	return d, true
}

// record puts values of base in the order of the schema.
func (r *rows) record(values []string) attr.Record {
	if r.cols == nil {
		return values
	}
	n := 0
	for _, i := range r.cols {
		n = max(n, i+1)
	}
	rec := make(attr.Record, n)
	for i, v := range values {
		rec[r.cols[i]] = v
	}
	return rec
}

// set applies a change.
func (r *rows) set(c *change) {
	if r.macs == nil {
		r.macs, r.ips = make(map[[6]byte]*change), make(map[netip.Addr]*change)
	}
	if old := r.macs[c.MAC]; c.HasMAC && old != nil && r.ips[old.IP] == old {
		delete(r.ips, old.IP)
	}
	if c.IP.IsValid() && !(c.gone && c.HasMAC) {
		if old := r.ips[c.IP]; old != nil && old.HasMAC && !(c.HasMAC && old.MAC == c.MAC) {
			without := *old
			without.IP = netip.Addr{}
			r.macs[old.MAC] = &without
		}
		r.ips[c.IP] = c
	}
	if c.HasMAC {
		r.macs[c.MAC] = c
	}
}

// forget drops changes up to number seq: they are in the file now.
func (r *rows) forget(seq uint64) {
	maps.DeleteFunc(r.macs, func(_ [6]byte, c *change) bool { return c.seq <= seq })
	maps.DeleteFunc(r.ips, func(_ netip.Addr, c *change) bool { return c.seq <= seq })
}

// each calls yield for every device. The Device is valid during the call only.
func (r *rows) each(yield func(*attr.Device) error) error {
	if r.base != nil {
		err := r.base.Each(func(d *attr.Device) error {
			_, taken := r.ips[d.IP]
			if d.HasMAC {
				if _, changed := r.macs[d.MAC]; changed {
					return nil
				}
				if taken {
					d.IP = netip.Addr{}
				}
			} else if taken {
				return nil
			}
			e := *d
			e.Values = r.record(d.Values)
			return yield(&e)
		})
		if err != nil {
			return err
		}
	}
	for _, c := range r.macs {
		if c.gone {
			continue
		}
		if err := yield(&c.Device); err != nil {
			return err
		}
	}
	for _, c := range r.ips {
		if c.gone || c.HasMAC {
			continue
		}
		if err := yield(&c.Device); err != nil {
			return err
		}
	}
	return nil
}

// A fleet is all sources in their order.
type fleet []rows

// single returns the file that is the merge of all files: the only one that has devices, or nil if there is none at all. ok is
// false if there are several, or the file's attributes are not the schema's first.
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

// merged is a device as all sources together know it.
type merged struct {
	attr.Device
	from []int // by attribute: which source gave it, -1 for none
}

// take takes over attributes that the device lacks.
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

// address returns the IP address that the first source to know one gives to a device.
func (f fleet) address(mac [6]byte) netip.Addr {
	for i := range f {
		if d, ok := f[i].byMAC(mac); ok && d.IP.IsValid() {
			return d.IP
		}
	}
	return netip.Addr{}
}

// owner returns the MAC address of the device that an IP address belongs to: the first that a
// source gives it to, unless an earlier source gives another address to that device.
func (f fleet) owner(ip netip.Addr) (mac [6]byte, ok bool) {
	for i := range f {
		if d, ok := f[i].byIP(ip); ok && d.HasMAC && f.address(d.MAC) == ip {
			return d.MAC, true
		}
	}
	return mac, false
}

// byMAC merges what sources know of a device. What a source knows of its IP address alone
// counts where the source does not know its MAC address.
func (f fleet) byMAC(mac [6]byte) (merged, bool) {
	m := merged{Device: attr.Device{MAC: mac, HasMAC: true}}
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
			ok = ok && !d.HasMAC
		}
		if ok {
			m.take(i, d.Values)
		}
	}
	return m, found
}

// byIP merges what sources know of the device that has an IP address.
func (f fleet) byIP(ip netip.Addr) (merged, bool) {
	if mac, ok := f.owner(ip); ok {
		return f.byMAC(mac)
	}
	m := merged{Device: attr.Device{IP: ip}}
	found := false
	for i := range f {
		if d, ok := f[i].byIP(ip); ok && !d.HasMAC {
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
			for j := range i { // an earlier source has brought the device already
				var known bool
				if d.HasMAC {
					_, known = f[j].byMAC(d.MAC)
				} else if e, ok := f[j].byIP(d.IP); ok {
					known = !e.HasMAC
				}
				if known {
					return nil
				}
			}
			var m merged
			var ok bool
			if d.HasMAC {
				m, ok = f.byMAC(d.MAC)
			} else if m, ok = f.byIP(d.IP); m.HasMAC {
				return nil // it comes, or came, with the device that has the address
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
	for i := range f { // where a file is damaged, devices were not found
		if f[i].base == nil {
			continue
		}
		if err := f[i].base.Damaged(); err != nil {
			return err
		}
	}
	return nil
}

// entry returns the device in memory of its own.
func (m *merged) entry(ok bool) *entry {
	e := &entry{mac: m.MAC, hasMAC: m.HasMAC, ip: m.IP, gone: !ok}
	for _, v := range m.Values {
		e.values = append(e.values, strings.Clone(v))
	}
	return e
}
