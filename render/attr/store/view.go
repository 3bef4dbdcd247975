package store

import (
	"net/netip"
	"runtime"

	"dcs/render/attr"
	"dcs/render/attr/localdb"
	"dcs/render/device"
	"dcs/render/mapped"
)

// View is an immutable snapshot of all devices. It is safe for concurrent use. A nil View has no devices.
//
// Values returned by look-ups may point into a mapped file, which remains mapped as long as the View is reachable: callers must
// retain the View while they use them.
type View struct {
	schema *attr.Schema
	base   *localdb.DB // its attributes are the first of the schema; nil: none
	over   *overlay    // changes since base was written; nil: none
}

// Schema returns the attributes of the View's records. The schema of a later View of the same Store begins with the same names in
// the same order.
func (v *View) Schema() *attr.Schema {
	if v == nil {
		return nil
	}
	return v.schema
}

// Lookup finds the device with a MAC address. It appends its record to dst[:0], and reports whether there is such a device. It
// does not allocate if dst has the capacity for the schema.
func (v *View) Lookup(mac device.MAC, dst attr.Record) (attr.Record, bool) {
	if v == nil {
		return dst[:0], false
	}
	if v.over != nil {
		if e := v.over.byMAC(mac); e != nil {
			return append(dst[:0], e.values...), !e.gone
		}
	}
	if v.base == nil {
		return dst[:0], false
	}
	r, ok := v.base.Lookup(mac, dst)
	runtime.KeepAlive(v)
	return r, ok
}

// LookupIP finds the device with an IP address, as Lookup does, and also returns its MAC address, if any.
func (v *View) LookupIP(ip netip.Addr, dst attr.Record) (r attr.Record, mac device.MAC, ok bool) {
	if v == nil {
		return dst[:0], mac, false
	}
	ip = ip.Unmap()
	if v.over != nil {
		if e := v.over.byIP(ip); e != nil {
			return append(dst[:0], e.values...), e.mac, !e.gone
		}
	}
	if v.base == nil {
		return dst[:0], mac, false
	}
	r, mac, ok = v.base.LookupIP(ip, dst)
	if ok && !mac.IsZero() && v.over != nil {
		if e := v.over.byMAC(mac); e != nil && e.has(ip) {
			r = append(r[:0], e.values...)
		} else if e != nil {
			r, mac, ok = r[:0], device.MAC{}, false
		}
	}
	runtime.KeepAlive(v)
	return r, mac, ok
}

// Query looks up one device; LookupBatch answers it.
type Query = attr.Query

// LookupBatch answers queries as Lookup and LookupIP do, all at once, which is faster than one after another. It sets Damaged if
// a device is not found because a file cannot be read, and ignores Asking. It does not allocate if Values have the capacity for
// the schema.
func (v *View) LookupBatch(queries []attr.Query) {
	if v == nil || v.base == nil {
		for i := range queries {
			q := &queries[i]
			q.Values, q.Found, q.Owner, q.Damaged, q.Addr = q.Values[:0], false, device.MAC{}, false, netip.Addr{}
		}
	} else {
		v.base.LookupBatch(queries)
	}
	if v == nil || v.over == nil {
		return
	}
	for i := range queries {
		q := &queries[i]
		if !q.MAC.IsZero() {
			if e := v.over.byMAC(q.MAC); e != nil {
				q.Values, q.Found, q.Damaged, q.Addr = e.answer(q), !e.gone, e.unsure, e.addr()
			}
		} else if e := v.over.byIP(q.IP.Unmap()); e != nil {
			q.Values, q.Owner, q.Found = e.answer(q), e.mac, !e.gone
			q.Damaged = e.unsure
		} else if !q.Owner.IsZero() { // as LookupIP has it
			if e := v.over.byMAC(q.Owner); e != nil && e.has(q.IP.Unmap()) {
				q.Values = e.answer(q)
			} else if e != nil {
				q.Values, q.Owner, q.Found, q.Damaged = q.Values[:0], device.MAC{}, false, e.unsure
			}
		}
	}
	runtime.KeepAlive(v)
}

// Fault reports whether addr, which could not be read, is in the mapped file. If so, it marks the file as damaged, so that
// look-ups return only what is intact.
func (v *View) Fault(addr uintptr) bool {
	if v == nil || v.base == nil || !v.base.Contains(addr) {
		return false
	}
	v.base.MarkDamaged(mapped.ErrCut)
	return true
}

// Each calls yield for every device, in no particular order, and stops at the first error of yield, which it returns. The Device
// is valid during the call only.
func (v *View) Each(yield func(*attr.Device) error) error {
	if v == nil {
		return nil
	}
	if v.base != nil {
		err := v.base.Each(func(d *attr.Device) error {
			if v.over != nil && (!d.MAC.IsZero() && v.over.byMAC(d.MAC) != nil || d.MAC.IsZero() && v.over.byIP(d.IP) != nil) {
				return nil
			}
			return yield(d)
		})
		if err != nil {
			return err
		}
	}
	if v.over == nil {
		return nil
	}
	seen := func(table *overlayTable, mine func(*entry) bool) error {
		for _, b := range table {
			if b == nil {
				continue
			}
			for _, e := range b.entries {
				if e.gone || !mine(e) {
					continue
				}
				if err := yield(&attr.Device{MAC: e.mac, IP: e.ip, Values: e.values}); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if err := seen(&v.over.macs, func(*entry) bool { return true }); err != nil {
		return err
	}
	return seen(&v.over.ips, func(e *entry) bool { return e.mac.IsZero() })
}
