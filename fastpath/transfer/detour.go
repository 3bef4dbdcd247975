package transfer

import (
	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
)

// passable is the longest IP packet that every link of IPv6 takes, octets (RFC 8200, section 5). IPv4 leaves less to them, but
// its routers may fragment what leaves without DF.
const passable = 1280

// udpHeader, ipv4Header and ipv6Header are octets.
const (
	udpHeader  = 8
	ipv4Header = 20
	ipv6Header = 40
)

// follow has packets to the client take the way back of one that came from it. The way may change meanwhile: another router, or no
// more XDP program.
func (e *entry) follow(in *packet.Packet) {
	if !e.detour {
		e.link = in.Link
	}
}

// suspect is called when the block that is to be sent next was lost. A link on the way may be too narrow for it, and what its router says of
// that be lost or late. Where the packet left past the kernel, it and those behind it are left to the kernel from here on, which knows the path
// MTU (RFC 8201) and fragments.
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

// TooBig handles a router's word that a packet to a client was too long for the next link. The kernel has it too, and fragments from here
// on: what is outstanding leaves by it, at once. A transfer heeds that once, as anybody may say so who guesses its port.
func (t *Table) TooBig(now int64, in *packet.Packet, out *packet.Queue) {
	id := t.find(in.Hash, in)
	if id == none {
		return
	}
	e := &t.entries[id]
	if e.warned || e.state != sending || !e.proved {
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
