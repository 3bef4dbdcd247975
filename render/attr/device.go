package attr

import (
	"errors"
	"net/netip"

	"dcs/render/device"
)

// Device is one device. It has a MAC address, an IP address, or both.
type Device struct {
	MAC    device.MAC
	IP     netip.Addr // the zero Addr: none
	Values []string   // by attribute; "": the device does not have it
}

// ErrDevice is wrapped by errors about a single device that is not valid.
var ErrDevice = errors.New("not a device")

// Query looks up one device by its MAC address or, if that is zero, by its IP address.
type Query struct {
	MAC  device.MAC
	IP   netip.Addr
	Peek bool // return Owner and Addr only, no values

	Values  []string // in: memory for the values; out: the device's values, none if it was not found
	Found   bool
	Addr    netip.Addr // IP address of a device that was found by its MAC address; the zero Addr: none
	Owner   device.MAC // MAC address of a device that was found by its IP address
	Damaged bool       // the part of the file that would hold the device cannot be read; it may exist
	Asking  bool       // the device is being looked up in a source; set by the caller, ignored by files
}
