package bpf

import (
	"errors"
	"net/netip"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
)

// setVLANs makes the program accept only frames of VLANs for which the host has a device on the interface or its bond,
// and leave untagged frames for an address of such a VLAN to the kernel. The Steer's mu must be held.
func (p *Program) setVLANs(links []netlink.Link, addrs []netlink.Addr, index, master int) error {
	vlans, devices := map[steerTags]bool{}, map[int]bool{}
	for tags, device := range VLANs(links, index, master) {
		vlans[steerTags{Outer: tags[0], Inner: tags[1]}], devices[device] = true, true
	}
	if err := makeEqual(p.objs.Vlans, p.vlans, vlans); err != nil {
		return err
	}
	if err := makeEqual(p.objs.Tagged, p.tagged, addressesOf(addrs, devices)); err != nil {
		return err
	}
	return p.objs.VLANAddresses.Set(len(p.tagged) > 0)
}

// makeEqual updates a set in the kernel, and have, its members, to want.
func makeEqual[K comparable](set *ebpf.Map, have, want map[K]bool) error {
	for k := range have {
		if want[k] {
			continue
		}
		if err := set.Delete(k); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return err
		}
		delete(have, k)
	}
	for k := range want {
		if have[k] {
			continue
		}
		if err := set.Put(k, uint8(1)); err != nil {
			return err
		}
		have[k] = true
	}
	return nil
}

// addressesOf returns the addresses that only the given devices have.
func addressesOf(addrs []netlink.Addr, devices map[int]bool) map[steerAddress]bool {
	all := map[steerAddress]bool{}
	for _, on := range []bool{true, false} {
		for _, a := range addrs {
			if ip, ok := netip.AddrFromSlice(a.IP); ok && devices[a.LinkIndex] == on {
				if on {
					all[addressOf(ip)] = true
				} else {
					delete(all, addressOf(ip))
				}
			}
		}
	}
	return all
}

// VLANs returns the indexes of the VLAN devices on an interface or its master, including nested ones, by the tags of
// their frames: outermost first, the TPID in the upper 16 bits, the VLAN ID in the lower, 0 for no tag. master is 0 if
// there is none.
func VLANs(links []netlink.Link, index, master int) map[[2]uint32]int {
	type tagged struct {
		parent int
		tag    uint32
	}
	vlans := map[int]tagged{}
	for _, l := range links {
		if v, ok := l.(*netlink.Vlan); ok {
			vlans[l.Attrs().Index] = tagged{l.Attrs().ParentIndex, uint32(v.VlanProtocol)<<16 | uint32(v.VlanId)}
		}
	}
	base := func(i int) bool { return i == index || master != 0 && i == master }
	all := map[[2]uint32]int{}
	for i, v := range vlans {
		outer, nested := vlans[v.parent]
		switch {
		case base(v.parent):
			all[[2]uint32{v.tag}] = i
		case nested && base(outer.parent):
			all[[2]uint32{outer.tag, v.tag}] = i
		}
	}
	return all
}
