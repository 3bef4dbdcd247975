package xsk

import (
	"net/netip"
	"testing"

	"dcs/fastpath/packet"
)

func TestZoneOf(t *testing.T) {
	const (
		own, vlan5, vlan6, inner = 2, 12, 13, 14 // interfaces
		blue, red                = 20, 21        // VRFs
		tag5, qinq6              = 0x81000005, 0x88a80006
	)
	plain := map[Tags]Network{{}: {Zone: own}, {tag5}: {Zone: vlan5}}
	vrfs := map[Tags]Network{{}: {Zone: own, VRF: blue}, {tag5}: {Zone: vlan5, VRF: red}, {qinq6}: {Zone: vlan6}, {qinq6, tag5}: {Zone: inner, VRF: blue}}
	outside := map[Tags]Network{{}: {Zone: own}, {tag5}: {Zone: vlan5, VRF: red}}
	const v4, v6, local = "198.18.0.1", "fd00::1", "fe80::1"
	for _, tt := range []struct {
		name     string
		networks map[Tags]Network // nil: not known
		tags     []byte
		peer     string
		want     uint32
	}{
		{"not known", nil, nil, v4, 0},
		{"not known, link-local", nil, nil, local, own},
		{"not known, link-local in a VLAN", nil, []byte{0x81, 0, 0, 5}, local, own},
		{"no VRF", plain, nil, v6, 0},
		{"no VRF, link-local", plain, nil, local, own},
		{"VLAN, link-local", plain, []byte{0x81, 0, 0, 5}, local, vlan5},
		{"VLAN with a priority, link-local", plain, []byte{0x81, 0, 0xe0, 5}, local, vlan5},
		{"VLAN that the host does not have, link-local", plain, []byte{0x81, 0, 0, 6}, local, own},
		{"VRF", vrfs, nil, v4, blue},
		{"VRF, IPv6", vrfs, nil, v6, blue},
		{"VRF, link-local", vrfs, nil, local, own},
		{"VRF, IPv4 link-local", vrfs, nil, "169.254.1.1", blue},
		{"VRF, priority alone", vrfs, []byte{0x81, 0, 0xa0, 0}, v4, blue},
		{"another VRF by VLAN", vrfs, []byte{0x81, 0, 0, 5}, v4, red},
		{"no VRF by VLAN", vrfs, []byte{0x88, 0xa8, 0, 6}, v4, 0},
		{"VLAN of another protocol", vrfs, []byte{0x88, 0xa8, 0, 5}, v4, 0},
		{"two tags", vrfs, []byte{0x88, 0xa8, 0, 6, 0x81, 0, 0, 5}, v6, blue},
		{"two tags, link-local", vrfs, []byte{0x88, 0xa8, 0, 6, 0x81, 0, 0, 5}, local, inner},
		{"the VLAN alone is in a VRF", outside, nil, v4, 0},
		{"the VLAN alone is in a VRF, VLAN", outside, []byte{0x81, 0, 0, 5}, v4, red},
	} {
		g := &Group{devices: []*device{{index: own, zone: own}}}
		if tt.networks != nil {
			g.SetNetworks(own, tt.networks)
		}
		g.SetNetworks(own+1, nil) // an interface without sockets
		p := packet.Packet{Peer: netip.AddrPortFrom(netip.MustParseAddr(tt.peer), 1025)}
		p.Link.Len = uint8(12 + copy(p.Link.Header[12:], append(tt.tags, 8, 0)))
		if got := g.devices[0].zoneOf(&p); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
		if n := testing.AllocsPerRun(10, func() { g.devices[0].zoneOf(&p) }); n != 0 {
			t.Errorf("%s: %v allocations", tt.name, n)
		}
	}
}
