package attr

import (
	"errors"
	"net/netip"

	"dcs/render/device"
)

// Device is one device. It has a MAC address or an IP address or both.
type Device struct {
	MAC    device.MAC
	IP     netip.Addr // invalid: the device has none
	Values []string   // by attribute; "": the device lacks it
}

// ErrDevice is wrapped by what Add returns for a device that it does not take.
var ErrDevice = errors.New("not a device")

// Query asks for one device by its MAC address or, if it has none, by its IP address.
type Query struct {
	MAC  device.MAC
	IP   netip.Addr
	Peek bool // only whose an address is, and where a device is, is wanted: no values

	Values  []string // in: memory for them; out: the device's values, none if it was not found
	Found   bool
	Addr    netip.Addr // the IP address that the record of a device found by its MAC address has; zero: none
	Owner   device.MAC // the MAC address of a device that was found by its IP address
	Damaged bool       // what the file says of the device cannot be read: nobody knows whether it has it
	Asking  bool       // not of a DB's concern: the device is being asked for elsewhere
}
