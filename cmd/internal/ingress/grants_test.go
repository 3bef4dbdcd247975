package ingress

import (
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
)

// Blocks are held to the smallest MTU of the interfaces that have the addresses of listen, and of those that their packets come in by, where
// the address is of none that receives.
func TestSmallestMTU(t *testing.T) {
	links := func(eth, vlan, dummy int) []netlink.Link {
		return []netlink.Link{
			&netlink.Device{LinkAttrs: netlink.LinkAttrs{Name: "lo", Index: 1, MTU: 65536, Flags: net.FlagLoopback}},
			&netlink.Device{LinkAttrs: netlink.LinkAttrs{Name: "eth0", Index: 2, MTU: eth}},
			&netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Name: "eth0.5", Index: 3, MTU: vlan, ParentIndex: 2}, VlanId: 5},
			&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Name: "dummy0", Index: 4, MTU: dummy}},
		}
	}
	addr := func(text string, index int) netlink.Addr {
		a, err := netlink.ParseAddr(text)
		if err != nil {
			t.Fatal(err)
		}
		a.LinkIndex = index
		return *a
	}
	addrs := []netlink.Addr{addr("127.0.0.1/8", 1), addr("198.18.0.1/24", 2), addr("198.18.5.1/24", 3), addr("198.19.0.1/32", 4)}
	for _, tt := range []struct {
		listen           string
		eth, vlan, dummy int
		want             int
	}{
		{"198.18.0.1:69", 1500, 1500, 1500, 1500},
		{"198.18.0.1:69", 9000, 1500, 1500, 1500},
		{"198.18.0.1:69", 1400, 1500, 1500, 1400},
		{"198.18.0.1:69", 1500, 1300, 1200, 1500},
		{"198.18.5.1:69", 1500, 1300, 1500, 1300},
		{"198.18.5.1:69", 1400, 1500, 1500, 1400}, // the VLAN lies on it
		{"198.19.0.1:69", 1400, 1500, 1500, 1400}, // anycast
		{"198.19.0.1:69", 1500, 1300, 1500, 1500}, // comes in by eth0, or by the VLAN on it
		{"0.0.0.0:69", 1500, 1300, 1200, 1200},
		{"127.0.0.1:69", 1400, 1400, 1400, 1500},
		{"198.18.0.1:69", 100, 1500, 1500, 1500}, // no link of IPv4
	} {
		h := host{links: links(tt.eth, tt.vlan, tt.dummy), addrs: addrs}
		if got := h.mtu([]netip.AddrPort{netip.MustParseAddrPort(tt.listen)}, CommonMTU); got != tt.want {
			t.Errorf("%+v: %d", tt, got)
		}
	}
}
