// Package packet holds the datagrams of a batch, their addresses and their buffers.
package packet

import (
	"net/netip"
	"unsafe"
)

// Flags report what a transport noticed about a received packet.
type Flags uint8

const (
	// Truncated marks a datagram that was longer than the buffer; Data holds its beginning.
	Truncated Flags = 1 << iota
	// Multicast marks a datagram that was sent to a broadcast or multicast address; a TFTP
	// server stays silent then (RFC 1123, section 4.2.3.5).
	Multicast
	// Denied marks a datagram from a source outside the ACL; the server stays silent.
	Denied
	// Limited marks a request from a source over its rate; the server stays silent.
	Limited
	// WrongTID marks a packet to a transfer port other than its sender's: the sender is guessing.
	WrongTID
	// Impossible marks a packet from or to an address that no host can have (martian); the server stays silent.
	Impossible
	// Unreachable marks an ICMP error instead of a packet: port unreachable, for a packet sent from Local to Peer. Zone and Hash
	// are set as well.
	Unreachable
	// TooBig marks an ICMP error as well: a packet from Local to Peer exceeded the MTU of a link on the path. The kernel has
	// recorded the path MTU.
	TooBig
)

// A Packet is a UDP datagram, received or to be sent. In both directions Peer is the remote end and Local is ours.
type Packet struct {
	// Data is the UDP payload. In a packet to be sent it starts after the header room.
	Data []byte
	// Peer is the sender of a packet received, the receiver of a packet to be sent. IPv4 is
	// never mapped into IPv6, and addresses have no zone: Zone has it.
	Peer netip.AddrPort
	// Local is the address and port that the packet was sent to, or is to be sent from. An
	// invalid address leaves the choice to the kernel; the port must be one of the transport's.
	Local netip.AddrPort
	// TID is the port from which a new transfer is to answer. It is set on packets received on a listening port; 0 means that the
	// packet arrived on a transfer port.
	TID uint16
	// MaxBlksize is the largest block that the transport can send back to Peer, octets; 0: any.
	MaxBlksize uint16
	// Flags is set by the transport that received the packet.
	Flags Flags
	// Wire reports that the packet came from another host. It is set over IPv6 only, where the kernel accepts packets from
	// outside that claim one of this host's addresses.
	Wire bool
	// TOS is the IPv4 TOS or IPv6 traffic class octet of a packet to be sent; on a received packet, that of its answers.
	TOS uint8
	// Zone is the interface index for a link-local peer, else the index of the VRF device of the packet; 0: no VRF, the
	// main routing table applies.
	Zone uint32
	// Time is when the kernel received the packet, at the earliest, in Unix nanoseconds; 0: unknown.
	Time int64
	// Link is the link-layer header of the path back to the peer, for a packet that bypassed the kernel. It is opaque
	// to all but the transport; answers carry a copy. The zero Link leaves routing to the kernel.
	Link Link
	// Hash is tid.Key.Hash of a received packet's Peer under the server's key.
	Hash uint64

	buf  []byte
	room int
}

// LinkLocal reports whether the peer has an IPv6 link-local address.
func (p *Packet) LinkLocal() bool {
	a := p.Peer.Addr()
	return a.Is6() && a.IsLinkLocalUnicast()
}

// A Link is the link-layer header of an answer (two MAC addresses, up to two VLAN tags, the EtherType) and the outgoing
// interface.
type Link struct {
	Len    uint8 // octets of Header in use; 0: none
	Port   uint8 // the transport's index of the interface
	Header [22]byte
}

// Headroom is the room for headers in front of the payload of a packet to be sent, in octets. The body of a DATA
// packet, after its header of 4 octets, then starts a cache line.
const Headroom = 128 - 4

// linesApart is the distance between two buffers of a slab, in cache lines modulo a page. If buffers were whole pages
// apart, the first lines of all packets would compete for one set of the cache.
const (
	line       = 64
	page       = 4096
	linesApart = 9
)

// NewSlab returns n packets backed by one allocation, each with headroom octets for headers and size octets for the payload.
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

// SetBuffer replaces the memory of p, whose first headroom octets are for headers, and empties p.
func (p *Packet) SetBuffer(buf []byte, headroom int) {
	p.buf, p.room = buf, headroom
	p.Data = buf[headroom:headroom]
}

// Buffer returns p's whole memory, header room included.
func (p *Packet) Buffer() []byte { return p.buf }

// Room returns the memory for the payload.
func (p *Packet) Room() []byte { return p.buf[p.room:] }

// Headroom returns the size of the header room in octets.
func (p *Packet) Headroom() int { return p.room }

// InPlace reports whether Data is still at the beginning of its room: it has not outgrown it.
func (p *Packet) InPlace() bool {
	return unsafe.SliceData(p.Data) == unsafe.SliceData(p.buf[p.room:])
}

// Reset empties p and frees all of its room. Peer and Local are left for the caller to set.
func (p *Packet) Reset() { p.Data = p.buf[p.room:p.room] }

// A Queue collects packets to be sent and sends them in batches.
type Queue struct {
	pkts []Packet
	n    int
	send func([]Packet)
}

// NewQueue returns a queue over the packets of a slab. It calls send when all of them are in use, and on Flush.
func NewQueue(slab []Packet, send func([]Packet)) *Queue {
	return &Queue{pkts: slab, send: send}
}

// Next returns an empty packet that is sent with the batch. It is valid until the next call of Next or Flush.
func (q *Queue) Next() *Packet {
	if q.n == len(q.pkts) {
		q.Flush()
	}
	p := &q.pkts[q.n]
	q.n++
	p.Reset()
	return p
}

// Flush sends the collected packets.
func (q *Queue) Flush() {
	if q.n > 0 {
		q.send(q.pkts[:q.n])
		q.n = 0
	}
}
