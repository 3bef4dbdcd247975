package udp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"dcs/fastpath/packet"
	"dcs/fastpath/tid"
)

// mmsghdr is struct mmsghdr of recvmmsg(2), which x/sys lacks.
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// loopbackIndex is the index of the loopback interface in a network namespace, by which the host's own packets arrive.
const loopbackIndex = 1

const (
	nameRoom = unix.SizeofSockaddrInet6
	// Room for the control messages of one packet: local address, TOS, receive time, drops.
	controlRoom = 128
)

// headers holds the structures for a batch besides its packets.
type headers struct {
	msgs     []mmsghdr
	iovs     []unix.Iovec
	names    []unix.RawSockaddrInet6 // large enough for IPv4 too
	controls [][controlRoom / 8]uint64
	packets  [][]packet.Packet // packets to be sent, by message
	n, vecs  int               // messages and iovs filled
}

func (h *headers) grow(n int) {
	*h = headers{
		msgs: make([]mmsghdr, n), iovs: make([]unix.Iovec, n), names: make([]unix.RawSockaddrInet6, n),
		controls: make([][controlRoom / 8]uint64, n), packets: make([][]packet.Packet, n),
	}
	for i := range h.msgs {
		m := &h.msgs[i].hdr
		m.Name = (*byte)(unsafe.Pointer(&h.names[i]))
		m.Iov = &h.iovs[i]
		m.SetIovlen(1)
		m.Control = (*byte)(unsafe.Pointer(&h.controls[i]))
	}
}

// bind builds the receive headers over the memory of batch.
func (t *Transport) bind(batch []packet.Packet) {
	t.rx.grow(len(batch))
	for i := range batch {
		room := batch[i].Room()
		t.rx.iovs[i].Base = unsafe.SliceData(room)
		t.rx.iovs[i].SetLen(len(room))
		t.rx.reset(i)
	}
	t.bound = &batch[0]
}

// reset undoes the kernel's changes to header i.
func (h *headers) reset(i int) {
	m := &h.msgs[i].hdr
	m.Namelen = nameRoom
	m.SetControllen(0)
	m.Flags = 0
}

// setControls selects the packets of batch[from:to] that are received with control messages. The local address and the
// TOS are needed for each packet if they can differ. The receive time is needed for the first packet only: the others
// are younger, and copying it for each one takes a fiftieth of the time of a file.
func (h *headers) setControls(s *socket, from, to int) {
	if !s.pktinfo {
		to = from + 1
	}
	for i := from; i < to; i++ {
		h.msgs[i].hdr.SetControllen(controlRoom)
	}
}

// recv receives into batch[from:to]. The calls here and in transmit never block, so RawSyscall6 is sufficient: the
// worker keeps its processor, which Syscall6 would let the scheduler hand to another thread in the middle of every
// larger batch.
func (t *Transport) recv(s *socket, batch []packet.Packet, from, to int) (int, error) {
	t.rx.setControls(s, from, to)
	r, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&t.rx.msgs[from])), uintptr(to-from), unix.MSG_DONTWAIT, 0, 0)
	for tries := 1; errno != 0 && tries < attempts && s.onlyQueued(errno); tries++ {
		r, _, errno = unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&t.rx.msgs[from])), uintptr(to-from), unix.MSG_DONTWAIT, 0, 0)
	}
	if errno != 0 && s.onlyQueued(errno) {
		return 0, nil
	}
	switch errno {
	case 0:
	case unix.EAGAIN, unix.EINTR, unix.ENOBUFS, unix.ENOMEM, unix.ECONNREFUSED, unix.EHOSTUNREACH, unix.ENETUNREACH:
		return 0, nil
	default:
		return 0, fmt.Errorf("udp: recvmmsg on %v: %w", s.local, errno)
	}
	n := int(r)
	for i := from; i < from+n; i++ {
		t.receive(s, i, &batch[i])
		if batch[i].Time == 0 {
			batch[i].Time = batch[from].Time
		}
		t.rx.reset(i)
	}
	return n, nil
}

// receive reads header i into p.
func (t *Transport) receive(s *socket, i int, p *packet.Packet) {
	m := &t.rx.msgs[i]
	p.Data = p.Room()[:min(int(m.len), len(p.Room()))]
	p.TID, p.MaxBlksize, p.Flags, p.Wire, p.Time, p.TOS, p.Link = 0, 0, 0, false, 0, t.marking.TOS(0), packet.Link{}
	if m.hdr.Flags&unix.MSG_TRUNC != 0 {
		p.Flags |= packet.Truncated
	}
	local := s.local
	p.Peer, p.Zone = s.peer(&t.rx.names[i])
	p.Hash = t.key.Hash(p.Peer)

	rest := unsafe.Slice((*byte)(unsafe.Pointer(&t.rx.controls[i])), controlRoom)[:min(controlRoom, int(m.hdr.Controllen))]
	for len(rest) >= unix.SizeofCmsghdr {
		c := (*unix.Cmsghdr)(unsafe.Pointer(unsafe.SliceData(rest)))
		size := int(c.Len)
		if size < unix.SizeofCmsghdr || size > len(rest) {
			break
		}
		data := rest[unix.SizeofCmsghdr:size]
		switch {
		case c.Level == unix.SOL_SOCKET && c.Type == unix.SO_TIMESTAMPNS && len(data) >= 16:
			p.Time = int64(binary.NativeEndian.Uint64(data))*1e9 + int64(binary.NativeEndian.Uint64(data[8:]))
		case c.Level == unix.IPPROTO_IP && c.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			// ipi_spec_dst is the local address, ipi_addr the destination in the packet: they differ for broadcasts.
			spec, dst := [4]byte(data[4:8]), [4]byte(data[8:12])
			local = netip.AddrPortFrom(netip.AddrFrom4(dst), s.local.Port())
			if spec != dst {
				p.Flags |= packet.Multicast
			}
			t.setZone(p, binary.NativeEndian.Uint32(data))
		case c.Level == unix.IPPROTO_IPV6 && c.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			dst := netip.AddrFrom16([16]byte(data[:16]))
			index := binary.NativeEndian.Uint32(data[16:])
			p.Wire = t.fromWire(index)
			t.setZone(p, index)
			local = netip.AddrPortFrom(dst, s.local.Port())
			if dst.IsMulticast() {
				p.Flags |= packet.Multicast
			}
		case c.Level == unix.IPPROTO_IP && c.Type == unix.IP_TOS && len(data) >= 1:
			p.TOS = t.marking.TOS(data[0])
		case c.Level == unix.IPPROTO_IPV6 && c.Type == unix.IPV6_TCLASS && len(data) >= 4:
			p.TOS = t.marking.TOS(uint8(binary.NativeEndian.Uint32(data)))
		case c.Level == unix.SOL_SOCKET && c.Type == unix.SO_RXQ_OVFL && len(data) >= 4:
			if d := binary.NativeEndian.Uint32(data); d != s.drops {
				t.drops.Add(uint64(d - s.drops))
				s.drops = d
			}
		}
		rest = rest[min((size+7)&^7, len(rest)):]
	}
	t.place(s, p, local)
}

// peer returns an address of s's family, and the interface index of a link-local one.
func (s *socket) peer(name *unix.RawSockaddrInet6) (peer netip.AddrPort, zone uint32) {
	var a netip.Addr
	if s.v6 {
		a = netip.AddrFrom16(name.Addr)
		if a.IsLinkLocalUnicast() {
			zone = name.Scope_id
		}
	} else {
		a = netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(name)).Addr)
	}
	port := (*[2]byte)(unsafe.Pointer(&name.Port))
	return netip.AddrPortFrom(a, uint16(port[0])<<8|uint16(port[1])), zone
}

// place classifies a packet that s received at an address: a request, with the port to answer from, or a packet of a
// running transfer, at its client's port or at another.
func (t *Transport) place(s *socket, p *packet.Packet, local netip.AddrPort) {
	p.Local = local
	if s.single {
		p.TID = local.Port()
		return
	}
	f := t.family(s.v6)
	port := tid.Pick(f.ports, p.Hash)
	switch {
	case s.role&requests != 0:
		p.TID = port
	case f.gathered: // the program accepts only packets at their client's port
		p.Local = netip.AddrPortFrom(local.Addr(), port)
	case port != local.Port():
		p.Flags |= packet.WrongTID
	}
}
