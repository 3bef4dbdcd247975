package netlab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
)

// The addresses of the host behind the load, and of the load on that side.
var (
	FarAddr4 = netip.MustParseAddr("198.19.1.2")
	FarAddr6 = netip.MustParseAddr("fd00:198:19:1::2")

	nearAddr4 = netip.MustParseAddr("198.19.1.1")
	nearAddr6 = netip.MustParseAddr("fd00:198:19:1::1")

	farMAC  = net.HardwareAddr{2, 0, 0xc6, 0x13, 1, 2}
	nearMAC = net.HardwareAddr{2, 0, 0xc6, 0x13, 1, 1}
)

// Far makes the load a router and returns a host behind it, over a link with that MTU in bytes: 1280 or more. It ends
// with the lab; a lab can have one.
func (l *Lab) Far(mtu int) (*Host, error) {
	far, err := newHost()
	if err != nil {
		return nil, fmt.Errorf("netlab: %w", err)
	}
	l.far = far
	const device = "far0" // on the router
	if err := wire(end{l.Load, device, nearMAC}, end{far, Device, farMAC}, mtu, 1); err != nil {
		return nil, fmt.Errorf("netlab: %w", err)
	}
	err = errors.Join(
		l.Load.run(func() error {
			for _, key := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
				if err := os.WriteFile("/proc/sys/net/"+key, []byte("1"), 0o644); err != nil {
					return err
				}
			}
			return errors.Join(address(device, nearAddr4, nearAddr6), neighbour(device, farMAC, FarAddr4, FarAddr6))
		}),
		far.run(func() error {
			return errors.Join(
				address(Device, FarAddr4, FarAddr6), neighbour(Device, nearMAC, nearAddr4, nearAddr6),
				route(netip.PrefixFrom(ServerAddr4, 24), nearAddr4), route(netip.PrefixFrom(ServerAddr6, 64), nearAddr6))
		}),
		l.Server.run(func() error {
			return errors.Join(
				route(netip.PrefixFrom(FarAddr4, 24), LoadAddr4), route(netip.PrefixFrom(FarAddr6, 64), LoadAddr6))
		}))
	if err != nil {
		return nil, fmt.Errorf("netlab: host behind the load: %w", err)
	}
	return far, far.Do(func() error { return usable(FarAddr6) })
}
