package httpboot

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"dcs/fastpath/source"
)

// client returns the device's address: the peer's or, if that is a proxy, the last one in X-Forwarded-For that is not a proxy. A
// proxy without that header counts as the device. An entry that is not an address, or not a device's, is an error.
func (s *Server) client(r *http.Request, server netip.Addr) (netip.Addr, error) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, err
	}
	addr := peer.Addr().Unmap().WithZone("")
	if !s.cfg.proxy(addr) {
		return addr, nil
	}
	header := strings.Join(r.Header.Values("X-Forwarded-For"), ",")
	if strings.TrimSpace(header) == "" {
		return addr, nil
	}
	// Each proxy appends the address of its client, so the last entries are the trustworthy ones.
	hops := strings.Split(header, ",")
	for i := len(hops) - 1; i >= 0 && s.cfg.proxy(addr); i-- {
		if addr, err = parseHop(hops[i]); err != nil {
			return netip.Addr{}, fmt.Errorf("X-Forwarded-For: %w", err)
		}
		if !s.possible(addr, server) {
			return netip.Addr{}, fmt.Errorf("X-Forwarded-For: %v is not a device's address", addr)
		}
	}
	return addr, nil
}

// parseHop parses an address, with which some proxies write a port.
func parseHop(text string) (netip.Addr, error) {
	text = strings.TrimSpace(text)
	addr, err := netip.ParseAddr(text)
	if err != nil {
		at, errPort := netip.ParseAddrPort(text)
		if errPort != nil {
			return netip.Addr{}, err
		}
		addr = at.Addr()
	}
	return addr.Unmap().WithZone(""), nil
}

// possible reports whether a device can have an address. A proxy on this host may report a loopback address.
func (s *Server) possible(a, server netip.Addr) bool {
	if a.IsLoopback() && !server.IsLoopback() || !source.Unicast(a) {
		return false
	}
	return s.cfg.Host == nil || !s.cfg.Host().Broadcasts(a)
}
