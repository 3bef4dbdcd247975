package store

import (
	"maps"
	"net/netip"

	"dcs/render/attr"
	"dcs/render/attr/localdb"
	"dcs/render/device"
)

// rows are the devices of one source: a file, and changes since it was written.
type rows struct {
	base *localdb.DB // nil: none
	cols []int       // schema index by attribute of base; nil: the same
	macs map[device.MAC]*change
	ips  map[netip.Addr]*change
}

// change is a change of a device. It is immutable.
type change struct {
	attr.Device        // Values is a Record of the Store's schema
	gone        bool   // by MAC address if it has one
	seq         uint64 // number among all changes of the Store
}

func (r *rows) clone() rows {
	return rows{base: r.base, cols: r.cols, macs: maps.Clone(r.macs), ips: maps.Clone(r.ips)}
}

// changed returns the number of changes.
func (r *rows) changed() int { return len(r.macs) + len(r.ips) }

// byMAC finds a device. Its IP address is set only if the device is found by it.
func (r *rows) byMAC(mac device.MAC) (attr.Device, bool) {
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
	if _, changed := r.macs[d.MAC]; !d.MAC.IsZero() && changed {
		return attr.Device{}, false
	}
	d.Values = r.record(d.Values)
	return d, true
}

// record returns values of base in the order of the schema.
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
		r.macs, r.ips = make(map[device.MAC]*change), make(map[netip.Addr]*change)
	}
	if old := r.macs[c.MAC]; !c.MAC.IsZero() && old != nil && r.ips[old.IP] == old {
		delete(r.ips, old.IP)
	}
	if c.IP.IsValid() && !(c.gone && !c.MAC.IsZero()) {
		if old := r.ips[c.IP]; old != nil && !old.MAC.IsZero() && !(!c.MAC.IsZero() && old.MAC == c.MAC) {
			without := *old
			without.IP = netip.Addr{}
			r.macs[old.MAC] = &without
		}
		r.ips[c.IP] = c
	}
	if !c.MAC.IsZero() {
		r.macs[c.MAC] = c
	}
}

// forget drops changes up to number seq, which are in the file by now.
func (r *rows) forget(seq uint64) {
	maps.DeleteFunc(r.macs, func(_ device.MAC, c *change) bool { return c.seq <= seq })
	maps.DeleteFunc(r.ips, func(_ netip.Addr, c *change) bool { return c.seq <= seq })
}

// each calls yield for every device. The Device is valid during the call only.
func (r *rows) each(yield func(*attr.Device) error) error {
	if r.base != nil {
		err := r.base.Each(func(d *attr.Device) error {
			_, taken := r.ips[d.IP]
			if !d.MAC.IsZero() {
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
		if c.gone || !c.MAC.IsZero() {
			continue
		}
		if err := yield(&c.Device); err != nil {
			return err
		}
	}
	return nil
}
