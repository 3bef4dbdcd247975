package ingress

import (
	"cmp"
	"net/netip"
	"slices"

	"dcs/cmd/internal/config"
	"dcs/fastpath/tftp"
)

// CommonMTU is that of Ethernet, octets, which no block goes beyond unless the configuration says so.
const CommonMTU = 1500

// Ipv4Headers and ipv6Headers are what is before the data of a block, octets: of IP, of UDP and of TFTP.
const (
	Ipv4Headers = 20 + 8 + tftp.DataHeader
	ipv6Headers = 40 + 8 + tftp.DataHeader
)

// blkroom returns what packets need to have room for: the largest block that a client may ever be granted, octets.
func blkroom(cfg *config.Config) int { return cmp.Or(cfg.MaxBlksize, CommonMTU-Ipv4Headers) }

// blksizes returns the largest blocks that clients are granted over IPv4 and IPv6, octets: those that the configuration has,
// else those that no interface fragments where requests arrive, of packets of at most 1,500 octets.
// A host that is not known has Ethernet.
func blksizes(cfg *config.Config, h *host, listen []netip.AddrPort) (v4, v6 int) {
	if cfg.MaxBlksize > 0 {
		return cfg.MaxBlksize, cfg.MaxBlksize
	}
	mtu := CommonMTU
	if h != nil {
		mtu = h.mtu(listen, mtu)
	}
	return mtu - Ipv4Headers, mtu - ipv6Headers
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

// Withheld returns the options that are none of those.
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

// followMTU has what clients are granted follow the interfaces' MTUs.
func (in *Ingress) followMTU(h *host) {
	v4, v6 := in.Blksizes.Load()
	if now4, now6 := blksizes(in.cfg, h, in.Addrs); now4 != v4 || now6 != v6 {
		in.Blksizes.Store(now4, now6)
		in.log.Info("an interface's MTU has changed", "largest_block", now4, "ipv6", now6, "before", v4)
	}
}
