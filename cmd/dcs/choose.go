package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"dcs/bpf"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/privilege"
)

// A plan is how packets are to come in. Each step that fails when it is carried out leads to a lesser plan.
type plan struct {
	iface string
	mode  bpf.Mode // in which the XDP program is to run; Off: sockets alone
	xsk   bool     // the program hands packets to AF_XDP sockets, not only filters them
	// spread: the program hands packets to the processor of their worker, as the device has fewer receive queues than
	// there are workers. Of use without xsk.
	spread bool
	why    string
}

// facts are what a plan depends on.
type facts struct {
	iface   string // where requests arrive, as configured or found out
	err     error  // why there is none, or why it is none that a program can be attached to
	xdp     bpf.Choice
	vlans   []string // devices of VLANs on it
	queues  int      // that it receives by
	workers int
	missing []string // capabilities that AF_XDP takes and the server does not have
}

// decide is the one place where the transport is chosen. The error, which comes only if XDP is asked for, says what is
// missing for it.
func decide(want config.Transport, f facts) (plan, error) {
	if want == config.Socket {
		return plan{mode: bpf.Off, why: "socket, as configured"}, nil
	}
	var reason error
	switch {
	case f.err != nil:
		reason = f.err
	case f.xdp.Err != nil:
		reason = f.xdp.Err
	case len(f.missing) > 0:
		reason = &bpf.CapabilityError{Missing: f.missing}
	}
	if want == config.XDP {
		if reason == nil && f.hidesTags() {
			reason = f.tagsError()
		}
		if reason != nil {
			return plan{}, fmt.Errorf("transport xdp: %w", reason)
		}
		return plan{iface: f.iface, mode: f.xdp.Mode, xsk: true, spread: f.spread(), why: f.xdp.Why}, nil
	}
	if reason != nil {
		return plan{mode: bpf.Off, why: reason.Error()}, nil
	}
	if f.xdp.Mode != bpf.Native {
		// A packet has paid for most of its way when a generic program sees it.
		return plan{mode: bpf.Off, why: fmt.Sprintf("sockets bear more than %s", f.xdp.Why)}, nil
	}
	p := plan{iface: f.iface, mode: bpf.Native, xsk: true, spread: f.spread(), why: f.xdp.Why}
	if f.hidesTags() {
		// Such a frame can be judged and passed on, but not answered: nobody knows its VLAN any more.
		p.xsk, p.spread, p.why = false, false, f.tagsError().Error()
	}
	return p, nil
}

func (f *facts) spread() bool { return f.workers > 1 && f.queues < f.workers && !f.hidesTags() }

// hidesTags tells whether frames lose the tag that their answer needs. Where there are no VLANs none comes
// that is ours.
func (f *facts) hidesTags() bool { return f.xdp.HidesTags && len(f.vlans) > 0 }

func (f *facts) tagsError() error {
	return fmt.Errorf("%s takes the tags of its VLANs (%s) off: \"ethtool -K %[1]s rxvlan off\" leaves them on", f.iface, strings.Join(f.vlans, ", "))
}

// lookAround finds out what decide needs to know. listen are the addresses where requests are taken.
func lookAround(cfg *config.Config, listen []netip.AddrPort, workers int) facts {
	f := facts{iface: cfg.Interface, workers: workers}
	if cfg.Transport == config.Socket {
		return f
	}
	h, err := newHost()
	if err != nil {
		f.err = err
		return f
	}
	if f.iface == "" {
		f.iface, f.err = h.interfaceOf(listen)
	} else if l, ok := h.byName(f.iface); !ok {
		f.err = fmt.Errorf("there is no interface %s", f.iface)
	} else if lower := h.lower(l); lower != l.Attrs().Index {
		f.err = fmt.Errorf("%s is a VLAN: give the interface that it lies on, %s", f.iface, h.name(lower))
	}
	if f.err != nil {
		return f
	}
	f.vlans = h.vlansOn(f.iface)
	if f.queues, f.err = receiveQueues(f.iface); f.err != nil {
		return f
	}
	f.xdp = bpf.Probe(f.iface)
	f.missing, f.err = privilege.Missing("CAP_NET_RAW")
	var lacks *bpf.CapabilityError
	if errors.As(f.xdp.Err, &lacks) { // all that is missing at once
		f.xdp.Err = &bpf.CapabilityError{Missing: append(slices.Clone(lacks.Missing), f.missing...)}
	}
	return f
}

// host is the machine's interfaces and their addresses.
type host struct {
	links []netlink.Link
	addrs []netlink.Addr
}

func newHost() (*host, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list the interfaces: %w", err)
	}
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("list the addresses: %w", err)
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

// lower returns the index of the interface that frames come in by: of a VLAN the one that it lies on.
func (h *host) lower(l netlink.Link) int {
	for range 2 { // one tag in another
		parent, ok := h.byIndex(l.Attrs().ParentIndex)
		if l.Type() != "vlan" || !ok {
			break
		}
		l = parent
	}
	return l.Attrs().Index
}

func (h *host) vlansOn(iface string) []string {
	on, ok := h.byName(iface)
	if !ok {
		return nil
	}
	var names []string
	for _, l := range h.links {
		if l.Type() == "vlan" && h.lower(l) == on.Attrs().Index {
			names = append(names, l.Attrs().Name)
		}
	}
	return names
}

// interfaceOf returns the one interface by which packets to all of the addresses come in. A wildcard stands for every
// address of the host but those of the loopback network and those that are good for one link only.
func (h *host) interfaceOf(listen []netip.AddrPort) (string, error) {
	var found []string
	for _, a := range h.addrs {
		ip, ok := netip.AddrFromSlice(a.IP)
		ip = ip.Unmap()
		if l, there := h.byIndex(a.LinkIndex); ok && there && listensAt(listen, ip) {
			if name := h.name(h.lower(l)); !slices.Contains(found, name) {
				found = append(found, name)
			}
		}
	}
	switch len(found) {
	case 0:
		for _, l := range listen {
			if a := l.Addr(); !a.IsUnspecified() && !a.IsLoopback() {
				return "", fmt.Errorf("no interface has %v yet: the key interface says which one will", a)
			}
		}
		return "", errors.New("the addresses of listen are on no interface but the loopback one")
	case 1:
		return found[0], nil
	}
	slices.Sort(found)
	return "", fmt.Errorf("requests may arrive at %s: say by the key interface which of them XDP is for", strings.Join(found, ", "))
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

// receiveQueues returns how many queues an interface receives by.
func receiveQueues(iface string) (int, error) {
	queues, err := filepath.Glob(filepath.Join("/sys/class/net", iface, "queues/rx-*"))
	if err != nil {
		return 0, err
	}
	return max(len(queues), 1), nil // without sysfs: at least that one
}

// processors returns those that the process may use, which its workers get in turn.
func processors() ([]int, error) {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return nil, os.NewSyscallError("sched_getaffinity", err)
	}
	var cpus []int
	for cpu := 0; len(cpus) < allowed.Count(); cpu++ {
		if allowed.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}
