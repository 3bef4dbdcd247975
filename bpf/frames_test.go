package bpf

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
)

// A frame is what a test sends, and how it differs from a good one.
type frame struct {
	to, from         net.HardwareAddr
	tags             []uint16 // EtherTypes of VLAN tags, the outer one first
	etherType        uint16   // 0: that of the addresses
	source, target   netip.AddrPort
	options          []byte // of IPv4
	extensions       []byte // of IPv6, whole headers; the last of them names UDP
	firstExtension   byte
	protocol         byte // 0: UDP
	fragment         uint16
	payload          []byte
	ipLength         int // added to the true length
	udpLength        int
	checksum         uint16 // added to the true one
	pad              int    // octets behind the datagram
	versionAndLength byte   // of the IPv4 header, if not the true one
}

var (
	hostMAC  = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	modemMAC = net.HardwareAddr{2, 0, 0, 0, 0, 2}
)

// octets writes the frame as RFC 894, 791, 8200 and 768 have it.
func (f frame) octets() []byte {
	be := binary.BigEndian
	udp := make([]byte, 8, 8+len(f.payload))
	be.PutUint16(udp, f.source.Port())
	be.PutUint16(udp[2:], f.target.Port())
	be.PutUint16(udp[4:], uint16(8+len(f.payload)+f.udpLength))
	udp = append(udp, f.payload...)
	protocol := f.protocol
	if protocol == 0 {
		protocol = 17
	}

	var ip []byte
	etherType := uint16(0x0800)
	if f.source.Addr().Is4() {
		ip = make([]byte, 20, 60)
		ip = append(ip, f.options...)
		ip[0] = 0x40 | byte(len(ip)/4)
		if f.versionAndLength != 0 {
			ip[0] = f.versionAndLength
		}
		be.PutUint16(ip[2:], uint16(len(ip)+len(udp)+f.ipLength))
		be.PutUint16(ip[6:], f.fragment)
		ip[8], ip[9] = 64, protocol
		copy(ip[12:], f.source.Addr().AsSlice())
		copy(ip[16:], f.target.Addr().AsSlice())
		be.PutUint16(ip[10:], checksum(0, ip)+f.checksum)
	} else {
		etherType = 0x86dd
		ip = make([]byte, 40, 60)
		ip[0] = 0x60
		be.PutUint16(ip[4:], uint16(len(f.extensions)+len(udp)+f.ipLength))
		ip[6], ip[7] = protocol, 64
		if len(f.extensions) > 0 {
			ip[6] = f.firstExtension
		}
		copy(ip[8:], f.source.Addr().AsSlice())
		copy(ip[24:], f.target.Addr().AsSlice())
		ip = append(ip, f.extensions...)
	}
	pseudo := uint32(17 + len(udp))
	for _, a := range []netip.Addr{f.source.Addr(), f.target.Addr()} {
		for b := a.AsSlice(); len(b) > 0; b = b[2:] {
			pseudo += uint32(be.Uint16(b))
		}
	}
	be.PutUint16(udp[6:], checksum(pseudo, udp))

	if f.etherType != 0 {
		etherType = f.etherType
	}
	to, from := f.to, f.from
	if to == nil {
		to = hostMAC
	}
	if from == nil {
		from = modemMAC
	}
	b := slices.Concat(to, from)
	for i, t := range f.tags {
		b = be.AppendUint16(b, t)
		b = be.AppendUint16(b, uint16(100+i))
	}
	b = be.AppendUint16(b, etherType)
	return slices.Concat(b, ip, udp, make([]byte, f.pad))
}

// checksum is that of RFC 1071.
func checksum(sum uint32, b []byte) uint16 {
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) > 0 {
		sum += uint32(b[0]) << 8
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
