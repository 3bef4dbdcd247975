package ingress

import (
	"cmp"
	"net/netip"
	"slices"

	"dcs/cmd/internal/config"
	"dcs/fastpath/tftp"
)

// CommonMTU is the MTU of Ethernet, octets. No block exceeds it unless the configuration allows that.
const CommonMTU = 1500

// IPv4Headers and ipv6Headers are the octets of the IP, UDP and TFTP headers before a block's data.
const (
	IPv4Headers = 20 + 8 + tftp.DataHeader
	ipv6Headers = 40 + 8 + tftp.DataHeader
)

// blkroom returns the largest block that a client may ever be granted, octets. Packet buffers are sized for it.
func blkroom(cfg *config.Config) int { return cmp.Or(cfg.MaxBlksize, CommonMTU-IPv4Headers) }

// blksizes returns the largest blocks granted over IPv4 and IPv6, octets: the configured size, else the largest that no
// interface where requests arrive has to fragment, in packets of at most 1,500 octets. A nil host counts as Ethernet.
func blksizes(cfg *config.Config, h *host, listen []netip.AddrPort) (v4, v6 int) {
	if cfg.MaxBlksize > 0 {
		return cfg.MaxBlksize, cfg.MaxBlksize
	}
	mtu := CommonMTU
	if h != nil {
		mtu = h.mtu(listen, mtu)
	}
	return mtu - IPv4Headers, mtu - ipv6Headers
}

// mtu returns the smallest MTU of the interfaces that have addresses of listen or receive packets to them, at most limit.
func (h *host) mtu(listen []netip.AddrPort, limit int) int {
	links := h.facing(listen)
	for _, a := range h.addrs {
		ip, ok := netip.AddrFromSlice(a.IP)
		if l, there := h.byIndex(a.LinkIndex); ok && there && listensAt(listen, ip.Unmap()) {
			links = append(links, l)
		}
	}
	for _, l := range links {
		if mtu := l.Attrs().MTU; mtu >= 576 { // RFC 1122, section 3.3.2
			limit = min(limit, mtu)
		}
	}
	return limit
}

// Withheld returns the TFTP options that are not in granted.
func Withheld(granted []string) tftp.Set {
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

// followMTU adjusts the granted block sizes to the interfaces' MTUs.
func (in *Ingress) followMTU(h *host) {
	v4, v6 := in.blksizes.Load()
	if now4, now6 := blksizes(in.cfg, h, in.addrs); now4 != v4 || now6 != v6 {
		in.blksizes.Store(now4, now6)
		in.log.Info("interface MTU changed", "largest_block", now4, "ipv6", now6, "before", v4)
	}
}
