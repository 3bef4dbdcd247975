package bpf

import (
	"maps"
	"testing"

	"github.com/vishvananda/netlink"
)

func TestVLANsOn(t *testing.T) {
	const q, ad = netlink.VLAN_PROTOCOL_8021Q, netlink.VLAN_PROTOCOL_8021AD
	vlan := func(index, parent, id int, proto netlink.VlanProtocol) netlink.Link {
		return &netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Index: index, ParentIndex: parent}, VlanId: id, VlanProtocol: proto}
	}
	links := []netlink.Link{
		&netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: 2, MasterIndex: 4}},
		&netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: 3}},
		&netlink.Bond{LinkAttrs: netlink.LinkAttrs{Index: 4}},
		vlan(10, 2, 5, q), vlan(11, 4, 6, q), vlan(12, 11, 7, q), vlan(13, 12, 8, q), vlan(14, 3, 9, ad), vlan(15, 14, 9, q),
	}
	set := func(all ...[2]uint32) map[steerTags]bool {
		m := map[steerTags]bool{}
		for _, tags := range all {
			m[steerTags{Outer: tags[0], Inner: tags[1]}] = true
		}
		return m
	}
	for _, tt := range []struct {
		index, master int
		want          map[steerTags]bool
	}{
		{2, 4, set([2]uint32{0x8100<<16 | 5}, [2]uint32{0x8100<<16 | 6}, [2]uint32{0x8100<<16 | 6, 0x8100<<16 | 7})},
		{3, 0, set([2]uint32{0x88a8<<16 | 9}, [2]uint32{0x88a8<<16 | 9, 0x8100<<16 | 9})},
		{5, 0, set()},
	} {
		if got := vlansOn(links, tt.index, tt.master); !maps.Equal(got, tt.want) {
			t.Errorf("on %d, %d: %v, want %v", tt.index, tt.master, got, tt.want)
		}
	}
}
