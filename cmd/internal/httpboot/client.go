package httpboot

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"dcs/fastpath/source"
)

// client returns the device's address: the connection's or, from a proxy, the nearest one in X-Forwarded-For that is no proxy's. A
// proxy without that header asks for itself. A header that names no address, or one that no device can have, is an error.
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
	// Each proxy appends whom it got the request from: the last ones are those that we can believe.
	hops := strings.Split(header, ",")
	for i := len(hops) - 1; i >= 0 && s.cfg.proxy(addr); i-- {
		if addr, err = parseHop(hops[i]); err != nil {
			return netip.Addr{}, fmt.Errorf("X-Forwarded-For: %w", err)
		}
		if !s.possible(addr, server) {
			return netip.Addr{}, fmt.Errorf("X-Forwarded-For: %v: no device's address", addr)
		}
	}
	return addr, nil
}

// parseHop reads an address, which some proxies write with its port.
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

// possible reports whether a device can have an address. A proxy on this host may tell a loopback address.
func (s *Server) possible(a, server netip.Addr) bool {
	if a.IsLoopback() && !server.IsLoopback() || !source.Unicast(a) {
		return false
	}
	return s.cfg.Host == nil || !s.cfg.Host().Broadcasts(a)
}
