package main

import (
	"cmp"
	"net/netip"
	"slices"

	"dcs/cmd/internal/config"
	"dcs/fastpath/tftp"
)

// commonMTU is that of Ethernet, octets, which no block goes beyond unless the configuration says so.
const commonMTU = 1500

// ipv4Headers and ipv6Headers are what is before the data of a block, octets: of IP, of UDP and of TFTP.
const (
	ipv4Headers = 20 + 8 + tftp.DataHeader
	ipv6Headers = 40 + 8 + tftp.DataHeader
)

// blkroom returns what packets need to have room for: the largest block that a client may ever be granted, octets.
func blkroom(cfg *config.Config) int { return cmp.Or(cfg.MaxBlksize, commonMTU-ipv4Headers) }

// blksizes returns the largest blocks that clients are granted over IPv4 and IPv6, octets: those that the configuration has,
// else those that no interface fragments where requests arrive, of packets of at most 1,500 octets.
// A host that is not known has Ethernet.
func blksizes(cfg *config.Config, h *host, listen []netip.AddrPort) (v4, v6 int) {
	if cfg.MaxBlksize > 0 {
		return cfg.MaxBlksize, cfg.MaxBlksize
	}
	mtu := commonMTU
	if h != nil {
		mtu = h.mtu(listen, mtu)
	}
	return mtu - ipv4Headers, mtu - ipv6Headers
}

// mtu returns the smallest of the interfaces that have addresses of listen, or by which packets to these come in, at most most.
func (h *host) mtu(listen []netip.AddrPort, most int) int {
	links := h.facing(listen)
	for _, a := range h.addrs {
		ip, ok := netip.AddrFromSlice(a.IP)
		if l, there := h.byIndex(a.LinkIndex); ok && there && listensAt(listen, ip.Unmap()) {
			links = append(links, l)
		}
	}
	for _, l := range links {
		if mtu := l.Attrs().MTU; mtu >= 576 { // RFC 1122, section 3.3.2
			most = min(most, mtu)
		}
	}
	return most
}

// withheld returns the options that are none of those.
func withheld(granted []string) tftp.Set {
	var s tftp.Set
	for _, o := range [...]struct {
		name string
		bit  tftp.Set
	}{{"blksize", tftp.Blksize}, {"timeout", tftp.Timeout}, {"tsize", tftp.Tsize}, {"windowsize", tftp.Windowsize}} {
		if !slices.Contains(granted, o.name) {
			s |= o.bit
		}
	}
	return s
}

// followMTU has what clients are granted follow the interfaces' MTUs.
func (in *ingress) followMTU(h *host) {
	v4, v6 := in.blksizes.Load()
	if now4, now6 := blksizes(in.cfg, h, in.addrs); now4 != v4 || now6 != v6 {
		in.blksizes.Store(now4, now6)
		in.log.Info("an interface's MTU has changed", "largest_block", now4, "ipv6", now6, "before", v4)
	}
}
