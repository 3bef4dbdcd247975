package localdb

import (
	"net/netip"
	"runtime/debug"

	"dcs/render/attr"
	"dcs/render/device"
)

// Lookup finds the device with a MAC address. It appends its values, one for each name, to dst[:0], and reports whether there is
// such a device. It does not allocate if dst has the capacity. See DB for how long the values are valid.
func (db *DB) Lookup(mac device.MAC, dst []string) ([]string, bool) {
	q := [1]attr.Query{{MAC: mac, Values: dst}}
	db.LookupBatch(q[:])
	return q[0].Values, q[0].Found
}

// LookupIP finds the device with an IP address, as Lookup does, and also returns its MAC address, if any.
func (db *DB) LookupIP(ip netip.Addr, dst []string) (values []string, mac device.MAC, ok bool) {
	q := [1]attr.Query{{IP: ip, Values: dst}}
	db.LookupBatch(q[:])
	return q[0].Values, q[0].Owner, q[0].Found
}

// Get looks a device up by MAC address, with its IP address.
func (db *DB) Get(mac device.MAC, dst []string) (attr.Device, bool) {
	d := attr.Device{MAC: mac}
	var ok bool
	if d.Values, ok = db.Lookup(mac, dst); ok {
		d.IP = db.addressOf(mac)
	}
	return d, ok
}

// GetIP looks a device up by IP address.
func (db *DB) GetIP(ip netip.Addr, dst []string) (attr.Device, bool) {
	values, mac, ok := db.LookupIP(ip, dst)
	return attr.Device{MAC: mac, IP: ip.Unmap(), Values: values}, ok
}

// addressOf returns the IP address that a device is found by.
func (db *DB) addressOf(mac device.MAC) (ip netip.Addr) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer db.recovered()
	if at, ok := db.find(mac); ok {
		ip = db.owned(at)
	}
	return ip
}
