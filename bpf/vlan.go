package bpf

import (
	"errors"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
)

// setVLANs has the program take frames of those VLANs alone that the host has a device for, on the interface or on the bond that it
// is a member of. The mu of the Steer is held.
func (p *Program) setVLANs(links []netlink.Link, index, master int) error {
	want := vlansOn(links, index, master)
	for tags := range p.vlans {
		if want[tags] {
			continue
		}
		if err := p.objs.Vlans.Delete(tags); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return err
		}
		delete(p.vlans, tags)
	}
	for tags := range want {
		if p.vlans[tags] {
			continue
		}
		if err := p.objs.Vlans.Put(tags, uint8(1)); err != nil {
			return err
		}
		p.vlans[tags] = true
	}
	return nil
}

// vlansOn returns the tags of the VLANs that lie on an interface or its master, one VLAN in another among them.
func vlansOn(links []netlink.Link, index, master int) map[steerTags]bool {
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
	all := map[steerTags]bool{}
	for _, v := range vlans {
		outer, nested := vlans[v.parent]
		switch {
		case base(v.parent):
			all[steerTags{Outer: v.tag}] = true
		case nested && base(outer.parent):
			all[steerTags{Outer: outer.tag, Inner: v.tag}] = true
		}
	}
	return all
}
