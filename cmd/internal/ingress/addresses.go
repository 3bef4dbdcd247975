package ingress

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"dcs/cmd/internal/config"
	"dcs/cmd/internal/listen"
)

// An Endpoint is an address that the configuration has the server listen on.
type Endpoint struct {
	Key  string     // configuration key
	Name string     // as configured
	Addr netip.Addr // invalid: a host name or a Unix socket, which counts as present
}

// Endpoints returns the addresses of the configuration, those of the key listen first.
func Endpoints(cfg *config.Config) []Endpoint {
	var all []Endpoint
	for _, a := range cfg.Listen {
		all = append(all, Endpoint{Key: "listen", Name: a.String(), Addr: a.Addr()})
	}
	others := []struct{ key, address string }{{"metrics", cfg.Metrics}, {"http", cfg.HTTP}}
	for _, a := range cfg.Admin {
		others = append(others, struct{ key, address string }{"admin", a})
	}
	for _, e := range others {
		if e.address == "" {
			continue
		}
		addr, _ := netip.ParseAddr(listen.Host(e.address)) // a Unix socket has none
		all = append(all, Endpoint{Key: e.key, Name: e.address, Addr: addr})
	}
	return all
}

// OnHost reports for each address whether packets to it are delivered on this host. A tentative IPv6 address (duplicate
// address detection is still running) is not counted.
func OnHost(addrs []netip.Addr) ([]bool, error) {
	own, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	has := make([]bool, len(addrs))
	for i, a := range addrs {
		has[i] = !a.IsValid() || a.IsUnspecified() || slices.ContainsFunc(own, func(o netlink.Addr) bool { return usableAs(&o, a) }) || routedHere(a)
	}
	return has, nil
}

func usableAs(own *netlink.Addr, a netip.Addr) bool {
	ip, _ := netip.AddrFromSlice(own.IP)
	if ip.Unmap() != a.Unmap().WithZone("") || own.Flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) != 0 && own.Flags&unix.IFA_F_OPTIMISTIC == 0 {
		return false
	}
	if a.Zone() == "" {
		return true
	}
	ifi, err := net.InterfaceByName(a.Zone())
	return err == nil && ifi.Index == own.LinkIndex
}

// routedHere reports whether a route of type local covers an address that no interface has: 127.0.0.2, or an address of a
// prefix that was added as local.
func routedHere(a netip.Addr) bool {
	if a.Zone() != "" {
		return false
	}
	routes, err := netlink.RouteGet(net.IP(a.AsSlice()))
	return err == nil && len(routes) > 0 && routes[0].Type == unix.RTN_LOCAL
}

// PollInterval is the time between two checks of the host's addresses.
const PollInterval = time.Second

// AbsentAddresses returns a line for each configured address that this host does not have.
func AbsentAddresses(cfg *config.Config) []string {
	all := Endpoints(cfg)
	addrs := make([]netip.Addr, len(all))
	for i := range all {
		addrs[i] = all[i].Addr
	}
	has, err := OnHost(addrs)
	if err != nil {
		return []string{err.Error()}
	}
	var absent []string
	for i, e := range all {
		if !has[i] {
			absent = append(absent, fmt.Sprintf("%s: no interface has the address of %s; the server waits for it", e.Key, e.Name))
		}
	}
	return absent
}
