package xsk

import (
	"encoding/binary"

	"dcs/fastpath/packet"
)

// Tags are the VLAN tags of a frame, outermost first: the TPID in the upper 16 bits, the VLAN ID in the lower; 0: no
// tag.
type Tags [2]uint32

// A Network is the host interface that frames with certain tags belong to.
type Network struct {
	Zone uint32 // index of the interface with the addresses
	VRF  uint32 // index of the VRF device of the interface; 0: none
}

// networks maps the tags of a device's frames.
type networks struct {
	by   map[Tags]Network
	vrfs bool // at least one network is in a VRF
}

// SetNetworks sets the networks of an interface by tags; frames with other tags belong to its Zone. The map must not be
// changed afterwards. SetNetworks may be called from any goroutine.
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

// zoneOf returns packet.Packet.Zone for a packet from the device.
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

// tagsOf returns the tags of a frame's header, without those of VLAN 0, which only carry a priority (IEEE 802.1Q,
// section 9.6).
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
