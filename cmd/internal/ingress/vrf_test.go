package ingress

import (
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"dcs/cmd/internal/config"
	"dcs/fastpath/xsk"
)

// vrfHost has a bond and a VLAN of it in VRF blue, a VLAN in a VLAN in VRF red, and what belongs to none.
func vrfHost() *host {
	attrs := func(name string, index, parent, master int) netlink.LinkAttrs {
		return netlink.LinkAttrs{Name: name, Index: index, ParentIndex: parent, MasterIndex: master}
	}
	vlan := func(name string, index, parent, master, id int, proto netlink.VlanProtocol) netlink.Link {
		return &netlink.Vlan{LinkAttrs: attrs(name, index, parent, master), VlanId: id, VlanProtocol: proto}
	}
	own := func(index int, prefix string) netlink.Addr {
		ip, n, err := net.ParseCIDR(prefix)
		if err != nil {
			panic(err)
		}
		return netlink.Addr{IPNet: &net.IPNet{IP: ip, Mask: n.Mask}, LinkIndex: index}
	}
	const q, ad = netlink.VLAN_PROTOCOL_8021Q, netlink.VLAN_PROTOCOL_8021AD
	return &host{
		links: []netlink.Link{
			&netlink.Device{LinkAttrs: attrs("eth0", 2, 0, 4)}, &netlink.Device{LinkAttrs: attrs("eth1", 3, 0, 0)},
			&netlink.Bond{LinkAttrs: attrs("bond0", 4, 0, 20)},
			&netlink.Vrf{LinkAttrs: attrs("blue", 20, 0, 0), Table: 10}, &netlink.Vrf{LinkAttrs: attrs("red", 21, 0, 0), Table: 11},
			vlan("bond0.5", 5, 4, 20, 5, q), vlan("bond0.6", 6, 4, 0, 6, ad), vlan("bond0.6.7", 7, 6, 21, 7, q),
			vlan("eth1.5", 8, 3, 0, 5, q), &netlink.Bridge{LinkAttrs: attrs("br0", 9, 0, 0)}, &netlink.Device{LinkAttrs: attrs("eth2", 10, 0, 9)},
		},
		addrs: []netlink.Addr{
			own(4, "198.18.4.1/24"), own(7, "198.18.7.1/24"), own(7, "fd00:7::1/64"), own(3, "198.18.3.1/24"), own(20, "198.18.20.1/32"),
		},
	}
}

func TestVRFs(t *testing.T) {
	h := vrfHost()
	want := map[uint32]uint32{20: 20, 21: 21, 4: 20, 5: 20, 7: 21}
	if got := h.vrfs(); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	const q, ad = 0x8100 << 16, 0x88a8 << 16
	for _, tt := range []struct {
		index, zone uint32
		want        map[xsk.Tags]xsk.Network
	}{
		{2, 4, map[xsk.Tags]xsk.Network{
			{}: {Zone: 4, VRF: 20}, {q | 5}: {Zone: 5, VRF: 20}, {ad | 6}: {Zone: 6}, {ad | 6, q | 7}: {Zone: 7, VRF: 21},
		}},
		{3, 3, map[xsk.Tags]xsk.Network{{}: {Zone: 3}, {q | 5}: {Zone: 8}}},
		{10, 10, map[xsk.Tags]xsk.Network{{}: {Zone: 10}}},
	} {
		if got := h.networksOn(tt.index, tt.zone); !maps.Equal(got, tt.want) {
			t.Errorf("on %d: %v, want %v", tt.index, got, tt.want)
		}
	}
	if got := (&host{links: h.links[:2]}).vrfs(); len(got) != 0 {
		t.Errorf("without VRFs: %v", got)
	}
}

func TestDeafVRFs(t *testing.T) {
	sysctls := func(udp, tcp string) string {
		dir := t.TempDir()
		for name, value := range map[string]string{"udp_l3mdev_accept": udp, "tcp_l3mdev_accept": tcp} {
			if value == "" {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(value+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	const (
		both = "listen: sockets do not receive requests in VRF blue, red; set net.ipv4.udp_l3mdev_accept=1"
		blue = "listen: sockets do not receive requests in VRF blue; set net.ipv4.udp_l3mdev_accept=1"
		red  = "listen: sockets do not receive requests in VRF red; set net.ipv4.udp_l3mdev_accept=1"
		web  = "http: sockets do not receive connections in VRF red; set net.ipv4.tcp_l3mdev_accept=1"
		all  = "http: sockets do not receive connections in VRF blue, red; set net.ipv4.tcp_l3mdev_accept=1"
	)
	off := sysctls("0", "0")
	for _, tt := range []struct {
		name, listen, http, sysctls string
		want                        []string
	}{
		{"wildcard", "0.0.0.0:69", "", off, []string{both}},
		{"IPv6's wildcard", "[::]:69", "", off, []string{red}},
		{"an address", "198.18.4.1:69", "", off, []string{blue}},
		{"an address of the VRF's device", "198.18.20.1:69", "", off, []string{blue}},
		{"an address of a VLAN", "[fd00:7::1]:69", "", off, []string{red}},
		{"an address of no VRF", "198.18.3.1:69", "", off, nil},
		{"HTTP", "198.18.3.1:69", "198.18.7.1:80", off, []string{web}},
		{"HTTP everywhere", "198.18.3.1:69", ":80", off, []string{all}},
		{"HTTP by name", "198.18.3.1:69", "localhost:80", off, nil},
		{"accepted", "0.0.0.0:69", ":80", sysctls("1", "1"), nil},
		{"half accepted", "0.0.0.0:69", ":80", sysctls("1", "0"), []string{all}},
		{"a kernel without VRFs", "0.0.0.0:69", ":80", sysctls("", ""), nil},
	} {
		cfg := config.Config{Listen: []netip.AddrPort{netip.MustParseAddrPort(tt.listen)}, HTTP: tt.http}
		if got := vrfHost().deafVRFs(&cfg, tt.sysctls); !slices.Equal(got, tt.want) {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
		}
	}
}
