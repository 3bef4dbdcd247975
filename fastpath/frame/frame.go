// Package frame parses and writes the headers of UDP datagrams, with or without Ethernet. Frames are untrusted input.
package frame

import (
	"encoding/binary"
	"net/netip"

	"dcs/fastpath/packet"
)

// Room is the largest size of the headers that Append writes, in octets: Ethernet with two VLAN tags, IPv6, UDP.
const Room = 22 + 40 + 8

// A Verdict is the result of Parse.
type Verdict uint8

// Verdicts.
const (
	Datagram Verdict = iota // UDP
	Foreign                 // not UDP over Ethernet, a fragment, or unsupported headers
	Broken                  // inconsistent lengths or a wrong checksum
)

const (
	etherIPv4  = 0x0800
	etherIPv6  = 0x86dd
	etherVLAN  = 0x8100
	etherQinQ  = 0x88a8
	macs       = 12 // two MAC addresses, octets
	tag        = 4
	maxTags    = 2
	udpHeader  = 8
	ipv4Header = 20
	ipv6Header = 40
	protoUDP   = 17
	hopLimit   = 64
	// Each supported IPv6 extension header may occur once, destination options twice (RFC 8200, section 4.1).
	maxExtensions = 4
	hopByHop      = 0
	routing       = 43
	destination   = 60
)

// Parse parses a frame into p: Data, which aliases b, Peer, Local, Link, Flags, and TOS as in the frame. Other fields
// of p are not changed, and none of them unless the verdict is Datagram.
func Parse(b []byte, p *packet.Packet) Verdict {
	if len(b) < macs+2 {
		return Foreign
	}
	at := macs
	proto := binary.BigEndian.Uint16(b[at:])
	for range maxTags {
		if proto != etherVLAN && proto != etherQinQ {
			break
		}
		if at += tag; len(b) < at+2 {
			return Foreign
		}
		proto = binary.BigEndian.Uint16(b[at:])
	}
	ip := b[at+2:]
	var v Verdict
	switch proto {
	case etherIPv4:
		v = parse4(ip, p, b[0]&1)
	case etherIPv6:
		v = parse6(ip, p, b[0]&1)
	default:
		return Foreign
	}
	if v == Datagram {
		// The answer takes the same path back, with the same tags.
		p.Link.Len = uint8(at + 2)
		h := p.Link.Header[:at+2]
		copy(h[6:], b[6:at+2])
		copy(h[:6], b[6:12])
		copy(h[6:12], b[:6])
	}
	return v
}

func parse4(ip []byte, p *packet.Packet, group byte) Verdict {
	if len(ip) < ipv4Header || ip[0]>>4 != 4 {
		return Foreign
	}
	h := (*[ipv4Header]byte)(ip)
	n := int(h[0]&15) * 4
	if h[9] != protoUDP || binary.BigEndian.Uint16(h[6:])&0x3fff != 0 {
		return Foreign
	}
	total := int(binary.BigEndian.Uint16(h[2:]))
	if n < ipv4Header || total < n+udpHeader || total > len(ip) {
		return Broken
	}
	if n == ipv4Header && sum4(h) != 0xffff || n > ipv4Header && fold(sum(ip[:n], 0)) != 0xffff {
		return Broken
	}
	pseudo := uint64(binary.NativeEndian.Uint32(h[12:])) + uint64(binary.NativeEndian.Uint32(h[16:]))
	data, v := parseUDP(ip[n:total], pseudo, false)
	if v != Datagram {
		return v
	}
	peer, local := netip.AddrFrom4([4]byte(h[12:16])), netip.AddrFrom4([4]byte(h[16:20]))
	set(p, ip[n:], data, peer, local)
	p.TOS = h[1]
	if group != 0 || h[16]>>4 == 0xe || [4]byte(h[16:20]) == [4]byte{255, 255, 255, 255} {
		p.Flags = packet.Multicast
	}
	return Datagram
}

func parse6(ip []byte, p *packet.Packet, group byte) Verdict {
	if len(ip) < ipv6Header || ip[0]>>4 != 6 {
		return Foreign
	}
	h := (*[ipv6Header]byte)(ip)
	total := ipv6Header + int(binary.BigEndian.Uint16(h[4:]))
	if total > len(ip) {
		return Broken
	}
	next, n := h[6], ipv6Header
	for range maxExtensions {
		if next != hopByHop && next != routing && next != destination {
			break
		}
		if total < n+8 {
			return Broken
		}
		x := ip[n:total]
		// Segments left: this is not the final destination.
		if next == routing && x[3] != 0 {
			return Foreign
		}
		next = x[0]
		n += (int(x[1]) + 1) * 8
	}
	if next != protoUDP {
		return Foreign
	}
	if total < n+udpHeader {
		return Broken
	}
	data, v := parseUDP(ip[n:total], sum(h[8:40], 0), true)
	if v != Datagram {
		return v
	}
	peer, local := netip.AddrFrom16([16]byte(h[8:24])), netip.AddrFrom16([16]byte(h[24:40]))
	if peer.Is4In6() || local.Is4In6() {
		return Broken // invalid in a frame (RFC 6890)
	}
	set(p, ip[n:], data, peer, local)
	p.TOS = h[0]<<4 | h[1]>>4
	if group != 0 || h[24] == 0xff {
		p.Flags = packet.Multicast
	}
	return Datagram
}

func set(p *packet.Packet, udp, data []byte, peer, local netip.Addr) {
	h := (*[udpHeader]byte)(udp)
	p.Peer = netip.AddrPortFrom(peer, binary.BigEndian.Uint16(h[:]))
	p.Local = netip.AddrPortFrom(local, binary.BigEndian.Uint16(h[2:]))
	p.Data = data
	p.Flags = 0
}

// parseUDP checks the datagram at the beginning of u and returns its payload. pseudo is the sum of the addresses.
func parseUDP(u []byte, pseudo uint64, must bool) ([]byte, Verdict) {
	h := (*[udpHeader]byte)(u)
	n := int(binary.BigEndian.Uint16(h[4:]))
	if n < udpHeader || n > len(u) {
		return nil, Broken
	}
	u = u[:n]
	check := binary.NativeEndian.Uint16(h[6:])
	if check == 0 {
		if must { // RFC 8200, section 8.1
			return nil, Broken
		}
		return u[udpHeader:], Datagram
	}
	pseudo = add(pseudo, uint64(swap(uint16(n)))+uint64(swap(protoUDP)))
	// A sender on this machine leaves the checksum to a device, which may not exist: the field then holds the sum of
	// the pseudo-header alone.
	if fold(sum(u, pseudo)) != 0xffff && fold(pseudo) != check {
		return nil, Broken
	}
	return u[udpHeader:], Datagram
}

// Append writes the headers in front of p's Data, which is at offset at of buf, and returns the bounds of the frame in
// buf. ok is false if there is not enough room, if the link-layer path to the peer is unknown, or if an address is not
// of the family of Link. id is as for AppendIP.
func Append(p *packet.Packet, buf []byte, at int, id uint16) (from, to int, ok bool) {
	link := int(p.Link.Len)
	if link < macs+2 || link > len(p.Link.Header) {
		return 0, 0, false
	}
	ip, to, ok := AppendIP(p, buf, at, id)
	proto := binary.BigEndian.Uint16(p.Link.Header[link-2:])
	if !ok || proto != etherIPv4 && proto != etherIPv6 || (proto == etherIPv4) != p.Peer.Addr().Is4() {
		return 0, 0, false
	}
	from = ip - link
	copy(buf[from:ip], p.Link.Header[:link])
	return from, to, true
}

// AppendIP is Append without a link-layer header. Without an id the IPv4 header has DF set and needs no identification
// (RFC 6864); see [Ident] for packets that need one.
func AppendIP(p *packet.Packet, buf []byte, at int, id uint16) (from, to int, ok bool) {
	end := at + len(p.Data)
	if at < Room || end > len(buf) || len(p.Data)+udpHeader > 0xffff-ipv4Header {
		return 0, 0, false
	}
	peer, local := p.Peer.Addr(), p.Local.Addr()
	u := at - udpHeader
	n := uint32(len(p.Data) + udpHeader)
	// The sums are computed from the values, not from the headers: reading in another width what was just written
	// stalls on store forwarding, which took as long as the rest of this function.
	ends := uint64(n) + protoUDP
	switch {
	case peer.Is4() && local.Is4():
		from = u - ipv4Header
		src4, dst4 := local.As4(), peer.As4()
		src, dst := binary.BigEndian.Uint32(src4[:]), binary.BigEndian.Uint32(dst4[:])
		addrs := uint64(src) + uint64(dst)
		ends += addrs
		const versionLength, dontFragment = 0x4500, 0x4000
		const ttlProtocol = hopLimit<<8 | protoUDP
		fragment := uint32(id) << 16
		if id == 0 {
			fragment = dontFragment
		}
		sum := fold(addrs + versionLength + uint64(p.TOS) + ipv4Header + uint64(n) + uint64(fragment) + ttlProtocol)
		h := (*[ipv4Header]byte)(buf[from:])
		binary.BigEndian.PutUint32(h[0:], versionLength<<16|uint32(p.TOS)<<16|ipv4Header+n)
		binary.BigEndian.PutUint32(h[4:], fragment)
		binary.BigEndian.PutUint32(h[8:], ttlProtocol<<16|uint32(^sum))
		binary.BigEndian.PutUint32(h[12:], src)
		binary.BigEndian.PutUint32(h[16:], dst)
	case peer.Is6() && local.Is6():
		from = u - ipv6Header
		src, dst := local.As16(), peer.As16()
		for _, a := range [...]*[16]byte{&src, &dst} {
			ends = add(ends, add(binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(a[8:])))
		}
		h := (*[ipv6Header]byte)(buf[from:])
		binary.BigEndian.PutUint32(h[0:], 6<<28|uint32(p.TOS)<<20)
		binary.BigEndian.PutUint32(h[4:], n<<16|protoUDP<<8|hopLimit)
		*(*[16]byte)(h[8:]) = src
		*(*[16]byte)(h[24:]) = dst
	default:
		return 0, 0, false
	}
	ports := uint32(p.Local.Port())<<16 | uint32(p.Peer.Port())
	ends = add(ends, uint64(ports)+uint64(n)+uint64(swap(fold(sum(p.Data, 0)))))
	check := ^fold(ends)
	if check == 0 {
		check = 0xffff // 0 would mean no checksum
	}
	udp := (*[udpHeader]byte)(buf[u:])
	binary.BigEndian.PutUint32(udp[0:], ports)
	binary.BigEndian.PutUint32(udp[4:], n<<16|uint32(check))
	return from, end, true
}
