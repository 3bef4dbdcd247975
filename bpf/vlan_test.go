package bpf

import (
	"maps"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
)

func TestVLANs(t *testing.T) {
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
	const c, sv = uint32(q) << 16, uint32(ad) << 16
	for _, tt := range []struct {
		index, master int
		want          map[[2]uint32]int
	}{
		{2, 4, map[[2]uint32]int{{c | 5}: 10, {c | 6}: 11, {c | 6, c | 7}: 12}},
		{3, 0, map[[2]uint32]int{{sv | 9}: 14, {sv | 9, c | 9}: 15}},
		{5, 0, map[[2]uint32]int{}},
	} {
		if got := VLANs(links, tt.index, tt.master); !maps.Equal(got, tt.want) {
			t.Errorf("on %d, %d: %v, want %v", tt.index, tt.master, got, tt.want)
		}
	}
}

// An address that another device has too may be asked without a tag.
func TestAddressesOf(t *testing.T) {
	var addrs []netlink.Addr
	for _, a := range []struct {
		device int
		prefix string
	}{
		{2, "10.0.2.1/24"}, {10, "10.0.10.1/24"}, {10, "fd00:10::1/64"}, {10, "fe80::1/64"}, {2, "fe80::1/64"}, {11, "10.0.11.1/24"},
	} {
		n, err := netlink.ParseIPNet(a.prefix)
		if err != nil {
			t.Fatal(err)
		}
		addrs = append(addrs, netlink.Addr{IPNet: n, LinkIndex: a.device})
	}
	want := map[steerAddress]bool{addressOf(netip.MustParseAddr("10.0.10.1")): true, addressOf(netip.MustParseAddr("fd00:10::1")): true}
	if got := addressesOf(addrs, map[int]bool{10: true}); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
