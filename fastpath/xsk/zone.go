package xsk

import (
	"encoding/binary"

	"dcs/fastpath/packet"
)

// Tags are the VLAN tags of a frame, outermost first: the TPID in the upper 16 bits, the VLAN in the lower ones. 0: none.
type Tags [2]uint32

// A Network is the interface of the host that frames with certain tags belong to.
type Network struct {
	Zone uint32 // index of the interface, which has the addresses
	VRF  uint32 // index of the VRF's device that it belongs to; 0: none
}

// networks are those of a device.
type networks struct {
	by   map[Tags]Network
	vrfs bool // one of them belongs to a VRF
}

// SetNetworks says where the frames of an interface belong; those of other tags belong to its Zone. The map must not change any
// more. It may be called from any goroutine.
func (g *Group) SetNetworks(index int, by map[Tags]Network) {
	number, ok := g.number(index)
	if !ok {
		return
	}
	n := &networks{by: by}
	for _, network := range by {
		n.vrfs = n.vrfs || network.VRF != 0
	}
	g.devices[number].networks.Store(n)
}

// zoneOf returns packet.Packet.Zone of a packet from the device.
func (d *device) zoneOf(p *packet.Packet) uint32 {
	linkLocal := p.LinkLocal()
	n := d.networks.Load()
	if n != nil && (linkLocal || n.vrfs) {
		if network, ok := n.by[tagsOf(&p.Link)]; ok {
			if linkLocal {
				return network.Zone
			}
			return network.VRF
		}
	}
	if linkLocal {
		return d.zone
	}
	return 0
}

// tagsOf returns the tags of a frame's header. One of VLAN 0 says a priority alone (IEEE 802.1Q, section 9.6).
func tagsOf(l *packet.Link) Tags {
	const macs, tag, protocol = 12, 4, 2
	var tags Tags
	n := 0
	for at := macs; at+tag+protocol <= int(l.Len) && n < len(tags); at += tag {
		t := binary.BigEndian.Uint32(l.Header[at:]) & 0xffff0fff
		if t&0xfff != 0 {
			tags[n] = t
			n++
		}
	}
	return tags
}
