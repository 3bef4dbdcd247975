package transfer

import (
	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
)

// passable is the longest IP packet that every IPv6 link carries, in octets (RFC 8200, section 5). IPv4 guarantees
// less, but its routers may fragment packets without DF.
const passable = 1280

// Header sizes in octets.
const (
	udpHeader  = 8
	ipv4Header = 20
	ipv6Header = 40
)

// follow makes packets to the client use the link-layer path of in, which came from it. The path can change during a
// transfer: another router, or the XDP program is gone.
func (e *entry) follow(in *packet.Packet) {
	if !e.detour {
		e.link = in.Link
	}
}

// suspect is called when the next block to send was lost. A link on the path may be too narrow for it, and the ICMP
// message of its router may be lost or late. If the packet bypassed the kernel, this and all later blocks are sent by
// the kernel, which knows the path MTU (RFC 8201) and fragments.
func (e *entry) suspect() {
	if e.link.Len == 0 || e.state == negotiating {
		return
	}
	n := int(e.blksize)
	if !e.netascii {
		n = min(n, len(e.body)-int(e.acked)*int(e.blksize))
	}
	n += ipv4Header + udpHeader + tftp.DataHeader
	if e.peer.Addr().Is6() {
		n += ipv6Header - ipv4Header
	}
	if n > passable {
		e.leaveToKernel()
	}
}

func (e *entry) leaveToKernel() { e.detour, e.link = true, packet.Link{} }

// TooBig handles an ICMP message that a packet to a client is too long for the next link. The kernel has received it
// too and fragments from here on: what is outstanding is sent again through the kernel, at once. A transfer honours
// only one such message, as anybody who guesses its port can forge it.
func (t *Table) TooBig(now int64, in *packet.Packet, out *packet.Queue) {
	id := t.find(in.Hash, in)
	if id == none {
		return
	}
	e := &t.entries[id]
	if e.warned || e.state != sending || !e.established {
		return
	}
	e.warned = true
	e.leaveToKernel()
	e.resends++
	e.sentAt = now
	t.Count[PathResent]++
	if t.transmit(id, e, 0, uint32(e.window), out) {
		t.schedule(id, e, now+e.interval)
	}
}
