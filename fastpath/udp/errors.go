package udp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"dcs/fastpath/packet"
	"dcs/fastpath/tid"
)

// A host at whose port nobody listens says so, and a router, over IPv6, that a packet is too long for the next link (ICMP, RFC 792 and
// RFC 4443). The kernel finds the socket that the packet left from by the ports that the message quotes, and puts it into the socket's
// error queue, if it is asked to. The next call on the socket, whatever it is for, returns the error without having done anything.

const (
	// errorPortion bounds the messages that are read of a socket in a row.
	errorPortion = 16
	// attempts bounds how often a call is made again that has returned the error of a message: others may come meanwhile.
	attempts = 4
	// What they say, beside the origins unix.SO_EE_ORIGIN_ICMP and …_ICMP6.
	icmpUnreachable, icmpPort                = 3, 3
	icmp6Unreachable, icmp6Port, icmp6TooBig = 1, 4, 2
)

// errorHeaders are the structures that a portion needs.
type errorHeaders struct {
	msgs  [errorPortion]mmsghdr
	names [errorPortion]unix.RawSockaddrInet6 // of the packet's receiver; large enough for IPv4 too
	// Room for the control messages: when it came, the address that it came to, what it says and who does.
	controls [errorPortion][192 / 8]uint64
}

func newErrorHeaders() *errorHeaders {
	h := new(errorHeaders)
	for i := range h.msgs {
		m := &h.msgs[i].hdr
		m.Name = (*byte)(unsafe.Pointer(&h.names[i]))
		m.Control = (*byte)(unsafe.Pointer(&h.controls[i]))
	}
	return h
}

// hearErrors has the kernel keep the messages for a socket, or not.
func (s *socket) hearErrors(on bool) error {
	s.errors = on
	value := 0
	if on {
		value = 1
	}
	if s.v6 {
		return os.NewSyscallError("setsockopt IPV6_RECVERR", unix.SetsockoptInt(s.fd, unix.IPPROTO_IPV6, unix.IPV6_RECVERR, value))
	}
	return os.NewSyscallError("setsockopt IP_RECVERR", unix.SetsockoptInt(s.fd, unix.IPPROTO_IP, unix.IP_RECVERR, value))
}

// disturbed reports whether a call on s may have failed for a message that is queued, and no other reason. It is to be made again then.
func (s *socket) disturbed(errno unix.Errno) bool {
	if !s.errors {
		return false
	}
	switch errno {
	case unix.ECONNREFUSED, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EHOSTDOWN, unix.ENONET, unix.ENOPROTOOPT, unix.EPROTO, unix.EOPNOTSUPP,
		unix.EACCES, unix.EMSGSIZE:
		s.queued = true
		return true
	}
	return false
}

// recvErrors reads a portion of what is queued for s into batch[n:to]: a marked packet for each message that says something about a
// transfer. Others are passed over.
func (t *Transport) recvErrors(s *socket, batch []packet.Packet, n, to int) (int, error) {
	h := t.errors
	want := min(errorPortion, to-n)
	for i := range want {
		m := &h.msgs[i].hdr
		m.Namelen = nameRoom
		m.SetControllen(int(unsafe.Sizeof(h.controls[i])))
		m.Flags = 0
	}
	r, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&h.msgs[0])), uintptr(want), unix.MSG_DONTWAIT|unix.MSG_ERRQUEUE, 0, 0)
	switch {
	case errno == 0:
	case errno == unix.EAGAIN:
		s.queued = false
		return n, nil
	case errno == unix.EINTR || s.disturbed(errno):
		return n, nil
	default:
		return n, fmt.Errorf("udp: recvmmsg of errors on %v: %w", s.local, errno)
	}
	s.queued = int(r) == want
	for i := range int(r) {
		if local, index, says := h.parse(i, s); says != 0 {
			t.mark(s, &h.names[i], local, says, &batch[n])
			t.enter(&batch[n], index)
			n++
		}
	}
	return n, nil
}

// parse returns what message i says, packet.Unreachable, packet.TooBig or something else, 0, the address of ours that it came to, and
// the interface by which it came if the kernel says it, else 0.
func (h *errorHeaders) parse(i int, s *socket) (local netip.Addr, index uint32, says packet.Flags) {
	local = s.local.Addr()
	rest := unsafe.Slice((*byte)(unsafe.Pointer(&h.controls[i])), unsafe.Sizeof(h.controls[i]))[:min(int(unsafe.Sizeof(h.controls[i])), int(h.msgs[i].hdr.Controllen))]
	for len(rest) >= unix.SizeofCmsghdr {
		c := (*unix.Cmsghdr)(unsafe.Pointer(unsafe.SliceData(rest)))
		size := int(c.Len)
		if size < unix.SizeofCmsghdr || size > len(rest) {
			break
		}
		data := rest[unix.SizeofCmsghdr:size]
		switch {
		case c.Level == unix.IPPROTO_IP && c.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			local, index = netip.AddrFrom4([4]byte(data[8:12])), binary.NativeEndian.Uint32(data)
		case c.Level == unix.IPPROTO_IPV6 && c.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			local, index = netip.AddrFrom16([16]byte(data[:16])), binary.NativeEndian.Uint32(data[16:])
		case (c.Level == unix.IPPROTO_IP && c.Type == unix.IP_RECVERR || c.Level == unix.IPPROTO_IPV6 && c.Type == unix.IPV6_RECVERR) && len(data) >= 8:
			// struct sock_extended_err
			says = meaning(data[4], data[5], data[6])
		}
		rest = rest[min((size+7)&^7, len(rest)):]
	}
	return local, index, says
}

// meaning returns what a message of that origin, type and code says.
func meaning(origin, kind, code byte) packet.Flags {
	switch {
	case origin == unix.SO_EE_ORIGIN_ICMP && kind == icmpUnreachable && code == icmpPort, origin == unix.SO_EE_ORIGIN_ICMP6 && kind == icmp6Unreachable && code == icmp6Port:
		return packet.Unreachable
	case origin == unix.SO_EE_ORIGIN_ICMP6 && kind == icmp6TooBig:
		return packet.TooBig
	}
	return 0
}

// mark makes p the mark of a message about a packet that went by s to the client of that name.
func (t *Transport) mark(s *socket, name *unix.RawSockaddrInet6, local netip.Addr, says packet.Flags, p *packet.Packet) {
	p.Reset()
	p.TID, p.MaxBlksize, p.Wire, p.Time, p.Link = 0, 0, false, 0, packet.Link{}
	p.Flags = says
	p.Peer, p.Zone = s.peer(name)
	p.Hash = t.key.Hash(p.Peer)
	port := s.local.Port()
	if f := t.family(s.v6); f.gathered && !s.single {
		port = tid.Pick(f.ports, p.Hash) // else it would not have come to s
	}
	p.Local = netip.AddrPortFrom(local, port)
}
