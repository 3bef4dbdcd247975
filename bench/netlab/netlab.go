// Package netlab builds two hosts from network namespaces, joined by one wire or more, for tests and benchmarks.
//
// The namespaces have no names and end with the process, so labs never conflict and leave nothing behind. Links,
// addresses and routes are set by rtnetlink (github.com/vishvananda/netlink): it needs no program on the machine, and
// can move one end of a veth pair into a namespace that only a file descriptor refers to.
//
//	load 198.19.0.2 fd00:198:19::2  ── wire ──  server 198.19.0.1 fd00:198:19::1
//
// The server reaches the modems' networks, 198.18.0.0/16 and fd00:198:18::/64, through a gateway on the load's side
// that is only a hardware address. An AF_PACKET socket on the load's device receives the modems' packets; the load's
// own kernel drops them, as they are addressed to another host.
package netlab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Addresses of every lab, from the ranges for benchmarks (RFC 2544) and unique local addresses.
var (
	ServerAddr4 = netip.MustParseAddr("198.19.0.1")
	ServerAddr6 = netip.MustParseAddr("fd00:198:19::1")
	LoadAddr4   = netip.MustParseAddr("198.19.0.2")
	LoadAddr6   = netip.MustParseAddr("fd00:198:19::2")
	ModemNet4   = netip.MustParsePrefix("198.18.0.0/16")
	ModemNet6   = netip.MustParsePrefix("fd00:198:18::/64")

	ServerMAC  = net.HardwareAddr{2, 0, 0xc6, 0x13, 0, 1}
	LoadMAC    = net.HardwareAddr{2, 0, 0xc6, 0x13, 0, 2}
	GatewayMAC = net.HardwareAddr{2, 0, 0xc6, 0x12, 0, 1} // gateway to the modems, whose address no kernel owns

	gateway4 = netip.MustParseAddr("198.19.0.3")
	gateway6 = netip.MustParseAddr("fd00:198:19::3")
)

// Device is the name of the device in both hosts.
const Device = "lab0"

// Config describes a lab. The zero value is a plain wire without faults, with an MTU of 1500 bytes, whose receive work
// is done by any CPU.
type Config struct {
	MTU    int // bytes, default 1500; at least 1280
	Queues int // receive and send queues of each device, default 1

	// Threaded makes each host's CPU do that host's receive work in a kernel thread of its own (threaded NAPI), which
	// polls batches as a network card's driver does; it needs Linux 6.8. Otherwise a veth charges the receiver's work to
	// the sender's CPU.
	Threaded           bool
	ServerCPU, LoadCPU int
	Faults             *Faults // nil: none
	FaultCPU           int     // CPU of the thread that forwards packets with faults; used if Threaded is set
}

// Lab is two hosts and the wire between them.
type Lab struct {
	Server, Load *Host
	MTU          int

	middle *Host
	shim   *shim
	far    *Host
}

// New builds a lab. It needs root (CAP_SYS_ADMIN and CAP_NET_ADMIN).
func New(cfg Config) (*Lab, error) {
	if cfg.MTU == 0 {
		cfg.MTU = 1500
	}
	if cfg.MTU < 1280 {
		return nil, fmt.Errorf("netlab: an MTU of %d is below IPv6's least, 1280", cfg.MTU)
	}
	l := &Lab{MTU: cfg.MTU}
	if err := l.build(cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("netlab: %w", err), l.Close())
	}
	return l, nil
}

func (l *Lab) build(cfg Config) error {
	var err error
	queues := max(cfg.Queues, 1)
	if l.Server, err = newHost(); err != nil {
		return err
	}
	if l.Load, err = newHost(); err != nil {
		return err
	}
	server := end{l.Server, Device, ServerMAC}
	load := end{l.Load, Device, LoadMAC}
	if cfg.Faults == nil {
		err = wire(load, server, cfg.MTU, queues)
	} else {
		if l.middle, err = newHost(); err != nil {
			return err
		}
		err = errors.Join(
			wire(load, end{l.middle, "load", nil}, cfg.MTU, queues),
			wire(server, end{l.middle, "server", nil}, cfg.MTU, queues))
	}
	if err != nil {
		return err
	}
	for _, h := range []*Host{l.Server, l.Load} {
		if err := h.run(func() error { return configure(h == l.Server) }); err != nil {
			return err
		}
	}
	for h, own := range map[*Host]netip.Addr{l.Server: ServerAddr6, l.Load: LoadAddr6} {
		if err := h.Do(func() error { return usable(own) }); err != nil {
			return err
		}
	}
	if cfg.Threaded {
		err := errors.Join(threaded(l.Server, Device, cfg.ServerCPU), threaded(l.Load, Device, cfg.LoadCPU))
		if err != nil {
			return err
		}
	}
	if cfg.Faults != nil {
		if l.shim, err = startShim(l.middle, cfg); err != nil {
			return err
		}
	}
	return nil
}

// Close kills the processes started in the lab and removes it. Call Wait on them to reap them.
func (l *Lab) Close() error {
	var errs []error
	if l.shim != nil {
		l.shim.stop()
	}
	for _, h := range []*Host{l.Server, l.Load, l.middle, l.far} {
		if h != nil {
			errs = append(errs, h.close())
		}
	}
	return errors.Join(errs...)
}

// FaultStats returns the faults so far; zeros without faults.
func (l *Lab) FaultStats() FaultStats {
	if l.shim == nil {
		return FaultStats{}
	}
	return l.shim.stats()
}

type end struct {
	host *Host
	name string
	mac  net.HardwareAddr
}

// wire joins two hosts by a veth pair without checksum and segmentation offload, so that an AF_PACKET socket reads what
// a cable would carry.
func wire(a, b end, mtu, queues int) error {
	err := a.host.run(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU, attrs.HardwareAddr = a.name, mtu, a.mac
		attrs.NumTxQueues, attrs.NumRxQueues = queues, queues
		return netlink.LinkAdd(&netlink.Veth{
			LinkAttrs:        attrs,
			PeerName:         b.name,
			PeerHardwareAddr: b.mac,
			PeerMTU:          uint32(mtu),
			PeerNumTxQueues:  uint32(queues),
			PeerNumRxQueues:  uint32(queues),
			PeerNamespace:    netlink.NsFd(b.host.ns.Fd()),
		})
	})
	if err != nil {
		return fmt.Errorf("veth %s-%s: %w", a.name, b.name, err)
	}
	for _, e := range []end{a, b} {
		if err := e.host.run(func() error { return bringUp(e.name) }); err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
	}
	return nil
}

// Wire joins the lab's hosts by another wire, with the given device name and addresses. They use ARP and neighbour
// discovery.
func (l *Lab) Wire(name string, queues int, server, load []netip.Addr) error {
	if err := wire(end{l.Load, name, nil}, end{l.Server, name, nil}, l.MTU, max(queues, 1)); err != nil {
		return fmt.Errorf("netlab: %w", err)
	}
	for h, addrs := range map[*Host][]netip.Addr{l.Server: server, l.Load: load} {
		if err := h.run(func() error { return address(name, addrs...) }); err != nil {
			return fmt.Errorf("netlab: %s: %w", name, err)
		}
	}
	return nil
}

func bringUp(name string) error {
	for _, cmd := range []uint32{unix.ETHTOOL_STXCSUM, unix.ETHTOOL_STSO, unix.ETHTOOL_SGSO, unix.ETHTOOL_SGRO} {
		if err := ethtoolSet(name, cmd, 0); err != nil {
			return fmt.Errorf("ethtool command %#x: %w", cmd, err)
		}
	}
	// Duplicate address detection and router solicitations would only delay and disturb.
	for key, value := range map[string]string{"accept_dad": "0", "router_solicitations": "0", "addr_gen_mode": "1"} {
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/"+key, []byte(value), 0o644); err != nil {
			return err
		}
	}
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(link)
}

// usable waits until the kernel has noticed that the link is up and the IPv6 address is no longer tentative. Both
// happen in the background, and packets are lost before.
func usable(own netip.Addr) error {
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		link, err := netlink.LinkByName(Device)
		if err != nil {
			return err
		}
		routes, err := netlink.RouteGet(own.AsSlice())
		if err != nil {
			return fmt.Errorf("route to %s: %w", own, err)
		}
		local := slices.ContainsFunc(routes, func(r netlink.Route) bool { return r.Type == unix.RTN_LOCAL })
		if link.Attrs().OperState == netlink.OperUp && local {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s is %s after ten seconds, routes to its own address %v", Device, link.Attrs().OperState, routes)
		}
	}
}

func configure(server bool) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	if !server {
		return errors.Join(address(Device, LoadAddr4, LoadAddr6), neighbour(Device, ServerMAC, ServerAddr4, ServerAddr6))
	}
	return errors.Join(
		address(Device, ServerAddr4, ServerAddr6),
		neighbour(Device, LoadMAC, LoadAddr4, LoadAddr6), neighbour(Device, GatewayMAC, gateway4, gateway6),
		route(ModemNet4, gateway4), route(ModemNet6, gateway6))
}
