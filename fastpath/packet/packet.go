// Package packet holds the datagrams of a batch: where they came from, where they go, and the memory that they are written in.
package packet

import (
	"net/netip"
	"unsafe"
)

// Flags say what a transport noticed about a packet that it received.
type Flags uint8

const (
	// Truncated marks a datagram that was longer than the buffer; Data holds its beginning.
	Truncated Flags = 1 << iota
	// Multicast marks a datagram that was sent to a broadcast or multicast address; a TFTP
	// server stays silent then (RFC 1123, section 4.2.3.5).
	Multicast
	// Denied marks a datagram whose source may not ask; the server stays silent.
	Denied
	// Limited marks a request from a source that asks too often; the server stays silent.
	Limited
	// WrongTID marks a packet to a port of transfers from which its sender is never answered: it guesses.
	WrongTID
	// Impossible marks a packet from or to an address that no host can have; the server stays silent.
	Impossible
	// Unreachable marks what is no packet: the peer's host says that nobody is at the peer's port, of a packet that left from
	// Local. Of the other fields Zone and Hash are set.
	Unreachable
	// TooBig marks what is no packet either: a router says that one from Local to the peer was longer than a link on the way takes. The
	// kernel has noted it.
	TooBig
)

// A Packet is one UDP datagram, received or to be sent. Both ends are seen from our side in
// both directions: Peer is the other, Local is us.
type Packet struct {
	// Data is the UDP payload. In a packet to be sent it starts behind the header room.
	Data []byte
	// Peer is the sender of a packet received, the receiver of a packet to be sent. IPv4 is
	// never mapped into IPv6, and addresses have no zone: Zone has it.
	Peer netip.AddrPort
	// Local is the address and port that was asked, or that the packet is to leave from. An
	// invalid address leaves the choice to the kernel; the port must be one of the transport's.
	Local netip.AddrPort
	// TID is the port from which a new transfer shall answer. It is set on packets received at
	// a port for requests; 0 means that the packet came to the port of running transfers.
	TID uint16
	// MaxBlksize is the largest block, octets, that the transport takes on this packet's way back; 0: any.
	MaxBlksize uint16
	// Flags is set by the transport that received the packet.
	Flags Flags
	// Wire says that the packet came from another host. It is only set over IPv6, where the kernel lets others use this
	// host's addresses for their own.
	Wire bool
	// TOS is the octet of IPv4's TOS or IPv6's traffic class that a packet to be sent has. On a packet received it is the one
	// that its answers shall have.
	TOS uint8
	// Zone is the interface index of a link-local peer, else that of the VRF's device that the packet came by or is to leave
	// by; 0: it came by no VRF, and the routes of the main table count.
	Zone uint32
	// Time is when the kernel received the packet, or at most so early, in Unix nanoseconds; 0 if that is unknown.
	Time int64
	// Link is the way back to the peer, of a packet that came past the kernel. It belongs to the transport: whoever answers the
	// packet copies it to the answer, now or later. The zero Link means that the kernel finds the way.
	Link Link
	// Hash is that of a received packet's Peer under the server's key: tid.Key.Hash.
	Hash uint64

	buf  []byte
	room int
}

// LinkLocal reports whether the peer's is an address of IPv6 that is good for one link only.
func (p *Packet) LinkLocal() bool {
	a := p.Peer.Addr()
	return a.Is6() && a.IsLinkLocalUnicast()
}

// A Link is the link-layer header that an answer begins with, two MAC addresses, up to two VLAN tags and the protocol, and the
// interface by which it leaves.
type Link struct {
	Len    uint8 // octets of Header that count; 0: none
	Port   uint8 // the transport's number of the interface
	Header [22]byte
}

// Headroom is what a packet to be sent has in front of its payload for headers, octets: what stands behind the payload's
// own header of 4 octets begins a cache line.
const Headroom = 128 - 4

// linesApart is the distance of two buffers of a slab, in cache lines modulo a page: with whole
// pages apart, the first lines of all packets would compete for one set of the cache.
const (
	line       = 64
	page       = 4096
	linesApart = 9
)

// NewSlab returns n packets over one piece of memory, each with room for size octets of payload
// behind headroom octets for headers.
func NewSlab(n, headroom, size int) []Packet {
	lines := (headroom + size + line - 1) / line
	for lines%(page/line) != linesApart {
		lines++
	}
	stride := lines * line
	mem := make([]byte, n*stride)
	ps := make([]Packet, n)
	for i := range ps {
		ps[i].SetBuffer(mem[i*stride:i*stride+headroom+size:i*stride+headroom+size], headroom)
	}
	return ps
}

// SetBuffer gives p other memory, the first headroom octets of it for headers, and empties it.
func (p *Packet) SetBuffer(buf []byte, headroom int) {
	p.buf, p.room = buf, headroom
	p.Data = buf[headroom:headroom]
}

// Buffer returns p's whole memory, header room first.
func (p *Packet) Buffer() []byte { return p.buf }

// Room returns all the memory for the payload.
func (p *Packet) Room() []byte { return p.buf[p.room:] }

// Headroom returns how many octets there are for headers.
func (p *Packet) Headroom() int { return p.room }

// InPlace reports whether Data begins where the room for it does: it has not outgrown that.
func (p *Packet) InPlace() bool {
	return unsafe.SliceData(p.Data) == unsafe.SliceData(p.buf[p.room:])
}

// Reset makes p an empty packet with all of its room free. The ends are left to the caller to set.
func (p *Packet) Reset() { p.Data = p.buf[p.room:p.room] }

// A Queue collects packets to be sent and sends them in batches.
type Queue struct {
	pkts []Packet
	n    int
	send func([]Packet)
}

// NewQueue returns a queue over the packets of a slab that hands them to send when all are
// taken, and on Flush.
func NewQueue(slab []Packet, send func([]Packet)) *Queue {
	return &Queue{pkts: slab, send: send}
}

// Next returns an empty packet that will be sent with the batch. It is the caller's until Next or
// Flush is called again.
func (q *Queue) Next() *Packet {
	if q.n == len(q.pkts) {
		q.Flush()
	}
	p := &q.pkts[q.n]
	q.n++
	p.Reset()
	return p
}

// Flush sends what has been collected.
func (q *Queue) Flush() {
	if q.n > 0 {
		q.send(q.pkts[:q.n])
		q.n = 0
	}
}
