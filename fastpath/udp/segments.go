package udp

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"dcs/fastpath/packet"
)

// The blocks of a window go to one client, and all but the last of a file have the same length. They are handed to the
// kernel as one message that it cuts into datagrams (UDP_SEGMENT, Linux 4.18), or the network card does: routing,
// headers and filters are passed once. But each port has a socket of its own, and each socket needs a system call, where
// the raw socket sends for all clients with one. Over a veth without offloads, sent by the raw socket a block of 1,448
// octets costs 0.90 µs of CPU time; cut in software, 1.39 in windows of 4, 0.93 of 8 and 0.74 of 16. With the offloads that
// network cards have it is 0.87 by the raw socket, and 1.04, 0.72 and 0.50.

const (
	maxSegments = 64     // of a message (UDP_MAX_SEGMENTS)
	leastWindow = 8      // blocks, from which that pays if there is a raw socket
	maxMessage  = 65_000 // octets of its payload; the kernel's limit is that of a datagram
	// refusals is for how many calls of Send a client's windows go block by block after the kernel has refused one for its path:
	// until Linux 6.11 for an interface without checksums, until 6.13 for a path with a smaller MTU (EINVAL), still for IPsec. It
	// has copied the window by then.
	refusals = 1024
	// inARow is after how many refused windows, with none sent whole in between, all clients' windows go block by block for that many calls:
	// the kernel then refuses for everyone, and more clients than the table holds would each cost a copy for every window.
	inARow = 16
)

// A refusalTable remembers clients of whose windows the kernel has refused one, of those with the same place the last: 8 KiB.
// Another is tried again sooner, which costs a copy.
type refusalTable [1 << refusalBits]refusal

type refusal struct {
	peer netip.Addr
	at   uint32 // number of the call of Send
}

const refusalBits = 8

// of returns the place of a client.
func (r *refusalTable) of(peer netip.Addr) *refusal {
	a := peer.As16()
	return &r[binary.NativeEndian.Uint32(a[12:])*0x9e3779b1>>(32-refusalBits)]
}

// cuts reports whether the kernel has UDP_SEGMENT. An older one would ignore the control message and send the window as
// one datagram.
func (s *socket) cuts() bool {
	_, err := unix.GetsockoptInt(s.fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT)
	return err == nil
}

// window returns how many packets from the front of batch, at least one, go from the same port to the same client.
func window(batch []packet.Packet) int {
	first := &batch[0]
	for i := 1; i < len(batch); i++ {
		if p := &batch[i]; p.Peer != first.Peer || p.Local != first.Local || p.Zone != first.Zone || p.TOS != first.TOS {
			return i
		}
	}
	return len(batch)
}

// segments returns how many packets of a window, from the front and at least one, fit into one message: they have the same
// length, but for the last, which may be shorter.
func segments(window []packet.Packet) int {
	size := len(window[0].Data)
	most := min(len(window), maxSegments, max(maxMessage/max(size, 1), 1))
	for i := 1; i < most; i++ {
		if n := len(window[i].Data); n != size {
			if n > 0 && n < size {
				i++
			}
			return i
		}
	}
	return most
}

// pays reports whether n packets like p are to be sent in messages of several blocks, by the socket of their port.
func (t *Transport) pays(p *packet.Packet, n int) bool {
	least := 2
	if t.family(p.Peer.Addr().Is6()).raw != nil && fitsRaw(p) {
		least = leastWindow
	}
	return n >= least && t.whole(p)
}

// whole reports whether a window that p belongs to may be sent in messages of several blocks.
func (t *Transport) whole(p *packet.Packet) bool {
	if !t.segments || t.pause > 0 {
		return false
	}
	peer := p.Peer.Addr()
	r := t.refused.of(peer)
	return r.peer != peer || t.sends-r.at > refusals
}

// each sends packets of a window one by one, as the kernel has refused to cut their message.
func (t *Transport) each(s *socket, window []packet.Packet, why unix.Errno) {
	if why != unix.EMSGSIZE { // that depends on the blocks' length
		peer := window[0].Peer.Addr()
		*t.refused.of(peer) = refusal{peer, t.sends}
		if t.row++; t.row == inARow {
			t.row, t.pause = 0, refusals
		}
	}
	for i := range window {
		t.sendOne(s, window[i:i+1])
	}
}

// sentWhole notes messages that the kernel has sent: a window among them ends a row of refusals.
func (t *Transport) sentWhole(messages [][]packet.Packet) {
	for _, ps := range messages {
		if len(ps) > 1 {
			t.row = 0
			return
		}
	}
}

// sendOne sends one packet by a UDP socket.
func (t *Transport) sendOne(s *socket, p []packet.Packet) {
	t.one.begin()
	t.one.fill(p, s, &t.ident)
	for range attempts {
		r, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&t.one.msgs[0])), 1, unix.MSG_DONTWAIT, 0, 0)
		if int(r) == 1 {
			return
		}
		if !s.onlyQueued(errno) {
			break
		}
	}
	t.sendErrors.Add(1)
}
