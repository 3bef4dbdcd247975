package bpf

import (
	"errors"
	"net/netip"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
)

// setVLANs has the program take frames of those VLANs alone that the host has a device for, on the interface or on the bond that it
// is a member of, and leave frames without tags to the kernel that are for an address of such a VLAN. The mu of the Steer is held.
func (p *Program) setVLANs(links []netlink.Link, addrs []netlink.Addr, index, master int) error {
	vlans, devices := vlansOn(links, index, master)
	if err := makeEqual(p.objs.Vlans, p.vlans, vlans); err != nil {
		return err
	}
	return makeEqual(p.objs.Tagged, p.tagged, addressesOf(addrs, devices))
}

// makeEqual makes a set in the kernel, of which have is what it has, one of want.
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

// addressesOf returns the addresses that the devices have, and no other device has.
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

// vlansOn returns the tags of the VLANs that lie on an interface or its master, one VLAN in another among them, and the indexes of
// their devices.
func vlansOn(links []netlink.Link, index, master int) (all map[steerTags]bool, devices map[int]bool) {
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
	all, devices = map[steerTags]bool{}, map[int]bool{}
	for i, v := range vlans {
		outer, nested := vlans[v.parent]
		switch {
		case base(v.parent):
			all[steerTags{Outer: v.tag}], devices[i] = true, true
		case nested && base(outer.parent):
			all[steerTags{Outer: outer.tag, Inner: v.tag}], devices[i] = true, true
		}
	}
	return all, devices
}
