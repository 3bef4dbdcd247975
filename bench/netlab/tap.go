package netlab

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// Tap makes a device whose wire is a file (/dev/net/tun), for a virtual machine that the host starts, and assigns it
// addresses, each with a /24 or a /64; none for a port of a bridge. It is down until the machine opens it, and ends
// with the host.
func (h *Host) Tap(name string, addrs ...netip.Addr) error {
	return h.run(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = name
		tap := &netlink.Tuntap{LinkAttrs: attrs, Mode: netlink.TUNTAP_MODE_TAP}
		if err := netlink.LinkAdd(tap); err != nil {
			return fmt.Errorf("netlab: tap %s: %w", name, err)
		}
		if err := netlink.LinkSetUp(tap); err != nil {
			return fmt.Errorf("netlab: tap %s: %w", name, err)
		}
		return address(name, addrs...)
	})
}

// Bridge makes a bridge of devices of the host. It forwards from the start, also multicast groups without members.
func (h *Host) Bridge(name string, ports ...string) error {
	return h.run(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = name
		snooping := false
		bridge := &netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &snooping}
		if err := netlink.LinkAdd(bridge); err != nil {
			return fmt.Errorf("netlab: bridge %s: %w", name, err)
		}
		for _, p := range ports {
			port, err := netlink.LinkByName(p)
			if err != nil {
				return err
			}
			if err := netlink.LinkSetMaster(port, bridge); err != nil {
				return fmt.Errorf("netlab: port %s of %s: %w", p, name, err)
			}
		}
		return netlink.LinkSetUp(bridge)
	})
}

// Address assigns more addresses to a device of the host, each with a /24 or a /64.
func (h *Host) Address(device string, addrs ...netip.Addr) error {
	return h.run(func() error { return address(device, addrs...) })
}
