package transfer

import (
	"net/netip"

	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
)

// find returns the transfer that in belongs to.
func (t *Table) find(hash uint64, in *packet.Packet) ID {
	x, want := &t.index, tag(hash)
	for i := x.first(want); x.slots[i].ref != 0; i = x.next(i) {
		if x.slots[i].tag != want {
			continue
		}
		id := ID(x.slots[i].ref - 1)
		if e := &t.entries[id]; e.peer == in.Peer && e.local == in.Local && e.zone == in.Zone {
			return id
		}
	}
	return none
}

// rival returns a transfer of the client that cannot coexist with the one requested by in: one for the same file from
// the same address, or one with the same TID.
func (t *Table) rival(hash uint64, in *packet.Packet, name uint64) ID {
	x, want := &t.index, tag(hash)
	for i := x.first(want); x.slots[i].ref != 0; i = x.next(i) {
		if x.slots[i].tag != want {
			continue
		}
		id := ID(x.slots[i].ref - 1)
		e := &t.entries[id]
		if e.peer == in.Peer && e.zone == in.Zone && e.local.Addr() == in.Local.Addr() && (e.local.Port() == in.TID || t.cold[id].name == name) {
			return id
		}
	}
	return none
}

// Engaged reports whether the client of a request has a transfer at the port from which an ERROR would be sent. The
// ERROR would end that transfer, and a forged request would not even need to guess its port. The request is counted as
// ignored.
func (t *Table) Engaged(in *packet.Packet) bool {
	x, want := &t.index, tag(in.Hash)
	for i := x.first(want); x.slots[i].ref != 0; i = x.next(i) {
		if x.slots[i].tag != want {
			continue
		}
		e := &t.entries[x.slots[i].ref-1]
		if e.peer == in.Peer && e.zone == in.Zone && e.local == netip.AddrPortFrom(in.Local.Addr(), in.TID) {
			t.Count[LateRequest]++
			return true
		}
	}
	return false
}

// Knows reports whether in belongs to a running transfer. If not, the sender is answered as by ACK.
func (t *Table) Knows(now int64, in *packet.Packet, out *packet.Queue) bool {
	hash := in.Hash
	if t.find(hash, in) != none {
		return true
	}
	t.stranger(now, hash, in, out)
	return false
}

// stranger answers a packet whose sender has no transfer here (RFC 1350, section 4).
func (t *Table) stranger(now int64, hash uint64, in *packet.Packet, out *packet.Queue) {
	key := t.key(hash, in.Local.Port())
	if r := &t.recent[key%recentSlots]; r.key == key && now < r.until {
		t.Count[LateACK]++
		return
	}
	if tftp.Opcode(in.Data) == tftp.OpACK && in.Data[2] == 0 && in.Data[3] <= 1 {
		// The transfer was a one-block file sent without an entry, or a half-open one that was evicted. If the client
		// lacks anything it asks again; an ERROR might make it give up.
		t.Count[LateACK]++
		return
	}
	t.Count[StrangerPacket]++
	p := out.Next()
	p.Peer, p.Local, p.Zone, p.Link, p.TOS = in.Peer, in.Local, in.Zone, in.Link, in.TOS
	p.Data = tftp.AppendERROR(p.Data, tftp.CodeUnknownTID, "Unknown transfer ID")
}

// key identifies a finished transfer of the client with that hash.
func (t *Table) key(hash uint64, tid uint16) uint64 {
	return hash ^ uint64(tid)*0x9e3779b97f4a7c15
}

// recent remembers finished transfers, so that a repeated last ACK is not answered with ERROR 5: the client may already
// use the same port for its next request.
type finished struct {
	key   uint64
	until int64
}

const recentSlots = 8192
