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

// If a client's port is closed its host reports that, and over IPv6 a router reports a packet that is too long for the
// next link (ICMP, RFC 792 and RFC 4443). The kernel finds the sending socket by the ports quoted in the message and
// puts it into that socket's error queue, if enabled. The next call on the socket, whatever it is for, fails with the
// error of the message without doing anything.

const (
	// errorPortion bounds the messages read from a socket in a row.
	errorPortion = 16
	// attempts bounds how often a call is repeated that failed for a queued message; more messages may arrive
	// meanwhile.
	attempts = 4
	// Types and codes of the messages, which have the origins unix.SO_EE_ORIGIN_ICMP and …_ICMP6.
	icmpUnreachable, icmpPort                = 3, 3
	icmp6Unreachable, icmp6Port, icmp6TooBig = 1, 4, 2
)

// errorHeaders holds the structures for reading one portion.
type errorHeaders struct {
	msgs  [errorPortion]mmsghdr
	names [errorPortion]unix.RawSockaddrInet6 // destination of the packet in question; large enough for IPv4 too
	// Room for the control messages: receive time, local address, the error and the host that reported it.
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

// setErrorQueue enables or disables a socket's error queue.
func (s *socket) setErrorQueue(on bool) error {
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

// onlyQueued reports whether a call on s may have failed only because a message is queued, and must be repeated.
func (s *socket) onlyQueued(errno unix.Errno) bool {
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

// recvErrors reads a portion of the error queue of s into batch[n:to]: one marked packet for each message about a
// transfer. Other messages are dropped.
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
	case errno == unix.EINTR || s.onlyQueued(errno):
		return n, nil
	default:
		return n, fmt.Errorf("udp: recvmmsg of errors on %v: %w", s.local, errno)
	}
	s.queued = int(r) == want
	for i := range int(r) {
		if local, index, says := h.parse(i, s); says != 0 {
			t.mark(s, &h.names[i], local, says, &batch[n])
			t.setZone(&batch[n], index)
			n++
		}
	}
	return n, nil
}

// parse returns the meaning of message i, which is packet.Unreachable, packet.TooBig or 0 for anything else, the local
// address, and the interface it arrived by, or 0 if the kernel does not report that.
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

// meaning returns the meaning of a message of that origin, type and code.
func meaning(origin, kind, code byte) packet.Flags {
	switch {
	case origin == unix.SO_EE_ORIGIN_ICMP && kind == icmpUnreachable && code == icmpPort, origin == unix.SO_EE_ORIGIN_ICMP6 && kind == icmp6Unreachable && code == icmp6Port:
		return packet.Unreachable
	case origin == unix.SO_EE_ORIGIN_ICMP6 && kind == icmp6TooBig:
		return packet.TooBig
	}
	return 0
}

// mark makes p the mark of a message about a packet that s sent to the client of that name.
func (t *Transport) mark(s *socket, name *unix.RawSockaddrInet6, local netip.Addr, says packet.Flags, p *packet.Packet) {
	p.Reset()
	p.TID, p.MaxBlksize, p.Wire, p.Time, p.Link = 0, 0, false, 0, packet.Link{}
	p.Flags = says
	p.Peer, p.Zone = s.peer(name)
	p.Hash = t.key.Hash(p.Peer)
	port := s.local.Port()
	if f := t.family(s.v6); f.gathered && !s.single {
		port = tid.Pick(f.ports, p.Hash) // the only port for which the message can have reached s
	}
	p.Local = netip.AddrPortFrom(local, port)
}
