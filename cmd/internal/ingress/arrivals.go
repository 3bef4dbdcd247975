package ingress

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
)

// host is a snapshot of the machine's interfaces and their addresses.
type host struct {
	links []netlink.Link
	addrs []netlink.Addr
}

func newHost() (*host, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	return &host{links, addrs}, nil
}

func (h *host) byName(name string) (netlink.Link, bool) {
	for _, l := range h.links {
		if l.Attrs().Name == name {
			return l, true
		}
	}
	return nil, false
}

func (h *host) byIndex(index int) (netlink.Link, bool) {
	for _, l := range h.links {
		if l.Attrs().Index == index {
			return l, true
		}
	}
	return nil, false
}

func (h *host) name(index int) string {
	if l, ok := h.byIndex(index); ok {
		return l.Attrs().Name
	}
	return fmt.Sprintf("number %d", index)
}

// lower returns the index of the interface that receives the frames of l: of a VLAN, its parent.
func (h *host) lower(l netlink.Link) int {
	for range 2 { // at most two tags
		parent, ok := h.byIndex(l.Attrs().ParentIndex)
		if l.Type() != "vlan" || !ok {
			break
		}
		l = parent
	}
	return l.Attrs().Index
}

func listensAt(listen []netip.AddrPort, ip netip.Addr) bool {
	if ip.IsLoopback() {
		return false
	}
	return slices.ContainsFunc(listen, func(l netip.AddrPort) bool {
		a := l.Addr().WithZone("")
		return a == ip || a.IsUnspecified() && a.Is4() == ip.Is4() && !ip.IsLinkLocalUnicast()
	})
}

// arrivals returns the interfaces that receive packets to the addresses of listen: the configured ones, else those that follow
// from the host's addresses and links. A bond or team is replaced by its members. The error joins why configured interfaces
// cannot be used.
func (h *host) arrivals(configured []string, listen []netip.AddrPort) ([]arrival, error) {
	var all []arrival
	add := func(l netlink.Link) {
		for _, a := range h.membersOf(l) {
			if !slices.ContainsFunc(all, func(b arrival) bool { return a.name == b.name }) {
				all = append(all, a)
			}
		}
	}
	var errs []error
	for _, name := range configured {
		l, ok := h.byName(name)
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("interface %s does not exist", name))
		case l.Type() == "dummy":
			errs = append(errs, fmt.Errorf("%s is a dummy interface and receives nothing; name the interfaces that receive its packets", name))
		case h.lower(l) != l.Attrs().Index:
			errs = append(errs, fmt.Errorf("%s is a VLAN; name its parent interface, %s", name, h.name(h.lower(l))))
		case len(h.membersOf(l)) == 0:
			errs = append(errs, fmt.Errorf("%s has no members", name))
		default:
			add(l)
		}
	}
	if len(configured) == 0 {
		for _, l := range h.facing(listen) {
			add(l)
		}
	}
	if len(all) > 0 || len(errs) > 0 {
		slices.SortFunc(all, func(a, b arrival) int { return strings.Compare(a.name, b.name) })
		return all, errors.Join(errs...)
	}
	for _, l := range listen {
		if a := l.Addr(); !a.IsUnspecified() && !a.IsLoopback() {
			return nil, fmt.Errorf("no interface has %v yet; name the one that will with the key interface", a)
		}
	}
	return nil, errors.New("only the loopback interface has addresses of listen")
}

// facing returns the interfaces that receive packets to the addresses of listen. A wildcard covers every address of the host
// except loopback and link-local ones.
func (h *host) facing(listen []netip.AddrPort) []netlink.Link {
	var found []netlink.Link
	everywhere := false
	for _, a := range h.addrs {
		ip, ok := netip.AddrFromSlice(a.IP)
		ip = ip.Unmap()
		l, there := h.byIndex(a.LinkIndex)
		if !ok || !there || !listensAt(listen, ip) {
			continue
		}
		if h.receives(l) {
			if l, there = h.byIndex(h.lower(l)); there {
				found = append(found, l)
			}
		} else if !slices.ContainsFunc(listen, func(l netip.AddrPort) bool { return l.Addr().IsUnspecified() }) {
			everywhere = true
		}
	}
	if !everywhere {
		return found
	}
	// An address on a dummy or the loopback interface is reached through any interface that has addresses of its own.
	for _, a := range h.addrs {
		if l, there := h.byIndex(a.LinkIndex); there && h.receives(l) {
			if l, there = h.byIndex(h.lower(l)); there {
				found = append(found, l)
			}
		}
	}
	return found
}

// receives reports whether packets come in through an interface, not only to its addresses.
func (h *host) receives(l netlink.Link) bool {
	return l.Attrs().Flags&net.FlagLoopback == 0 && l.Type() != "dummy" && l.Type() != "vrf"
}

// membersOf returns the members of a bond or team, or the interface itself.
func (h *host) membersOf(l netlink.Link) []arrival {
	index := l.Attrs().Index
	if l.Type() != "bond" && l.Type() != "team" {
		if master, there := h.byIndex(l.Attrs().MasterIndex); there && master.Type() != "vrf" {
			index = master.Attrs().Index
		}
		return []arrival{{name: l.Attrs().Name, zone: uint32(index)}}
	}
	var all []arrival
	for _, m := range h.links {
		if m.Attrs().MasterIndex == index {
			all = append(all, arrival{name: m.Attrs().Name, master: l.Attrs().Name, zone: uint32(index)})
		}
	}
	return all
}

// waits reports whether an interface is the backup member of a bond, whose packets the bond discards.
func waits(l netlink.Link) bool {
	slave, ok := l.Attrs().Slave.(*netlink.BondSlave)
	return ok && slave.State == netlink.BondStateBackup
}
