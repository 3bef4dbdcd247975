package main

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"time"

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
func blksizes(cfg *config.Config, listen []netip.AddrPort) (v4, v6 int, err error) {
	if cfg.MaxBlksize > 0 {
		return cfg.MaxBlksize, cfg.MaxBlksize, nil
	}
	h, err := newHost()
	if err != nil {
		return commonMTU - ipv4Headers, commonMTU - ipv6Headers, err
	}
	mtu := h.mtu(listen, commonMTU)
	return mtu - ipv4Headers, mtu - ipv6Headers, nil
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

// watchMTU has what clients are granted follow the interfaces' MTUs until the context ends.
func (s *server) watchMTU(ctx context.Context) {
	if s.cfg.MaxBlksize > 0 {
		return
	}
	v4, v6 := s.in.blksizes.Load()
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		// Where the kernel does not tell, what was known stays.
		if now4, now6, err := blksizes(&s.cfg, s.in.addrs); err == nil && (now4 != v4 || now6 != v6) {
			s.in.blksizes.Store(now4, now6)
			s.log.Info("an interface's MTU has changed", "largest_block", now4, "ipv6", now6, "before", v4)
			v4, v6 = now4, now6
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
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
