package udp

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"dcs/fastpath/packet"
)

// control writes the control messages of header i for p, which is sent by s: source address, interface and TOS, as far
// as they differ from those of the socket, and the length of a segment, if it is not 0.
func (h *headers) control(i int, p *packet.Packet, s *socket, segment int) {
	n := 0 // octets in use
	add := func(level, kind int32, size int) unsafe.Pointer {
		c := (*unix.Cmsghdr)(unsafe.Pointer(&h.controls[i][n/8]))
		c.Level, c.Type = level, kind
		c.SetLen(unix.CmsgLen(size))
		data := unsafe.Pointer(&h.controls[i][n/8+unix.SizeofCmsghdr/8])
		n += unix.CmsgSpace(size)
		return data
	}
	v6, local := s.v6, p.Local.Addr()
	tosLevel, tosType := int32(unix.IPPROTO_IP), int32(unix.IP_TOS)
	switch routed := s.any || p.Zone != 0; {
	case v6:
		tosLevel, tosType = unix.IPPROTO_IPV6, unix.IPV6_TCLASS
		if routed && local.Is6() {
			*(*unix.Inet6Pktinfo)(add(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, unix.SizeofInet6Pktinfo)) = unix.Inet6Pktinfo{Addr: local.As16(), Ifindex: p.Zone}
		}
	case routed && local.Is4():
		*(*unix.Inet4Pktinfo)(add(unix.IPPROTO_IP, unix.IP_PKTINFO, unix.SizeofInet4Pktinfo)) = unix.Inet4Pktinfo{Spec_dst: local.As4(), Ifindex: int32(p.Zone)}
	}
	if p.TOS != s.tos && !s.raw {
		*(*int32)(add(tosLevel, tosType, 4)) = int32(p.TOS)
	}
	if segment > 0 {
		*(*uint16)(add(unix.IPPROTO_UDP, unix.UDP_SEGMENT, 2)) = uint16(segment)
	}
	h.msgs[i].hdr.SetControllen(n)
}
