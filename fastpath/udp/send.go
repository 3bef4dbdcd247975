package udp

import (
	"fmt"
	"net"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"dcs/fastpath/frame"
	"dcs/fastpath/packet"
)

// Send sends the packets of batch, with one system call per socket.
func (t *Transport) Send(batch []packet.Packet) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed.Load() {
		return net.ErrClosed
	}
	if len(batch) > len(t.tx.msgs) {
		t.tx.grow(len(batch))
		t.one.grow(1)
		t.txSock = make([]*socket, len(batch))
	}
	t.sends++
	if t.pause > 0 {
		t.pause--
	}
	left := 0
	for i := 0; i < len(batch); {
		n := window(batch[i:])
		if !t.pays(&batch[i], n) {
			n = 1
		}
		s := t.sender(&batch[i], n)
		if s == nil {
			t.sendErrors.Add(uint64(n))
		} else {
			left += n
		}
		for range n {
			t.txSock[i] = s
			i++
		}
	}
	for first := 0; left > 0; first++ {
		s := t.txSock[first]
		if s == nil {
			continue
		}
		t.tx.begin()
		for i := first; i < len(batch) && left > 0; {
			if t.txSock[i] != s {
				i++
				continue
			}
			n := 1
			if w := window(batch[i:]); !s.raw && w > 1 && t.whole(&batch[i]) {
				n = segments(batch[i : i+w])
			}
			t.tx.fill(batch[i:i+n], s, &t.ident)
			clear(t.txSock[i : i+n])
			left -= n
			i += n
		}
		if err := t.transmit(s); err != nil {
			return err
		}
	}
	return nil
}

// sender returns the socket that n packets like p are sent by, or nil if no socket is bound to their source address.
func (t *Transport) sender(p *packet.Packet, n int) *socket {
	v6 := p.Peer.Addr().Is6()
	f := t.family(v6)
	if port := p.Local.Port(); f.own[port/64]>>(port%64)&1 != 0 {
		if f.raw != nil && n == 1 && fitsRaw(p) {
			return f.raw
		}
		return f.at[port]
	}
	for _, l := range t.listeners {
		if l.owns(p.Local, v6) {
			return l
		}
	}
	return nil
}

// rawMost is the longest payload sent by a raw socket, in octets: what fits into 1,500 octets. Packets that may need
// fragmentation are left to UDP.
const rawMost = 1500 - 20 - 8

// fitsRaw reports whether a packet can be sent by a raw socket: it has room for headers, and its destination is not
// link-local.
func fitsRaw(p *packet.Packet) bool {
	return len(p.Data) <= rawMost && (p.Zone == 0 || !p.LinkLocal()) && p.Local.Addr().IsValid() && p.Headroom() >= frame.Room
}

// owns reports whether a packet from local is sent by this socket.
func (s *socket) owns(local netip.AddrPort, v6 bool) bool {
	if s.v6 != v6 || s.local.Port() != local.Port() {
		return false
	}
	a := s.local.Addr()
	return a.IsUnspecified() || !local.Addr().IsValid() || a == local.Addr()
}

// begin empties h.
func (h *headers) begin() { h.n, h.vecs = 0, 0 }

// fill writes the next header, for sending packets by s as one message. More than one are segments of a window.
func (h *headers) fill(ps []packet.Packet, s *socket, ident *frame.Ident) {
	i, p := h.n, &ps[0]
	h.n++
	m := &h.msgs[i].hdr
	h.packets[i] = ps
	peer := p.Peer.Addr()
	port := p.Peer.Port()
	if s.raw {
		port = 0 // IPv6 would interpret it as a protocol
	}
	m.Iov = &h.iovs[h.vecs]
	m.SetIovlen(len(ps))
	for k := range ps {
		data := ps[k].Data
		if s.raw {
			data = withHeaders(&ps[k], ident)
		}
		h.iovs[h.vecs].Base = unsafe.SliceData(data)
		h.iovs[h.vecs].SetLen(len(data))
		h.vecs++
	}
	name := &h.names[i]
	*(*[2]byte)(unsafe.Pointer(&name.Port)) = [2]byte{byte(port >> 8), byte(port)}
	if peer.Is4() {
		sa := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		sa.Family = unix.AF_INET
		sa.Addr = peer.As4()
		m.Namelen = unix.SizeofSockaddrInet4
	} else {
		name.Family = unix.AF_INET6
		name.Flowinfo = 0 // Flowinfo is where the other structure has the IPv4 address
		name.Addr = peer.As16()
		name.Scope_id = p.Zone
		m.Namelen = unix.SizeofSockaddrInet6
	}
	size := 0
	if len(ps) > 1 {
		size = len(p.Data)
	}
	h.control(i, p, s, size)
}

// withHeaders returns a packet including its headers.
func withHeaders(p *packet.Packet, ident *frame.Ident) []byte {
	buf := p.Buffer()
	from, to, ok := frame.AppendIP(p, buf, p.Headroom(), ident.Next(len(p.Data)))
	if !ok { // cannot happen: fitsRaw has checked it
		return p.Data
	}
	return buf[from:to]
}

// transmit sends what was filled, by s.
func (t *Transport) transmit(s *socket) error {
	n, waited := t.tx.n, false
	failed := 0 // failed calls in a row
	for i := 0; i < n; {
		r, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&t.tx.msgs[i])), uintptr(n-i), unix.MSG_DONTWAIT, 0, 0)
		tooLong := errno == unix.EMSGSIZE && len(t.tx.packets[i]) > 1 // of a window: it goes block by block
		if errno != 0 && !tooLong && failed < attempts-1 && s.onlyQueued(errno) {
			failed++
			continue
		}
		failed = 0
		switch errno {
		case 0:
			if t.row > 0 {
				t.sentWhole(t.tx.packets[i : i+int(r)])
			}
			i += int(r)
		case unix.EINTR:
		case unix.EAGAIN:
			// The send buffer is full. What does not fit within a tick is dropped; clients ask for it again.
			if waited {
				for _, ps := range t.tx.packets[i:n] {
					t.sendErrors.Add(uint64(len(ps)))
				}
				return nil
			}
			waited = true
			if err := t.pollOut(s); err != nil {
				return err
			}
		case unix.EMSGSIZE, unix.EIO, unix.EINVAL:
			t.resort(s, t.tx.packets[i], errno)
			i++
		case unix.EBADF, unix.ENOTSOCK, unix.EFAULT:
			return fmt.Errorf("udp: sendmmsg on %v: %w", s.local, errno)
		default:
			// The first packet cannot be sent: no route, rejected by a firewall, or its address is gone.
			t.sendErrors.Add(uint64(len(t.tx.packets[i])))
			i++
		}
	}
	return nil
}

// resort sends in another way what s could not send: a window block by block, and in fragments, by the kernel's UDP, a
// packet that is too long for the path of a raw socket.
func (t *Transport) resort(s *socket, ps []packet.Packet, why unix.Errno) {
	switch {
	case len(ps) > 1:
		t.each(s, ps, why)
	case s.raw && why == unix.EMSGSIZE:
		t.sendOne(t.family(s.v6).at[ps[0].Local.Port()], ps)
	default:
		t.sendErrors.Add(1)
	}
}

// pollOut waits at most a tick until s accepts packets.
func (t *Transport) pollOut(s *socket) error {
	t.out = unix.PollFd{Fd: int32(s.fd), Events: unix.POLLOUT}
	t.timeout = unix.NsecToTimespec(int64(t.tick))
	_, _, errno := unix.Syscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&t.out)), 1, uintptr(unsafe.Pointer(&t.timeout)), 0, 0, 0)
	if errno != 0 && errno != unix.EINTR {
		return fmt.Errorf("udp: ppoll: %w", errno)
	}
	return nil
}
