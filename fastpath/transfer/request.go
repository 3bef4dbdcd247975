package transfer

import (
	"hash/maphash"
	"net/netip"

	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
	"dcs/render/device"
)

// Request handles an RRQ that was parsed into rq. If ok, a new transfer is reserved: the caller must call Start, Reject
// or Drop with its id before any other method but Request. A repeated request is answered by sending again and never
// starts a second transfer.
func (t *Table) Request(now int64, in *packet.Packet, rq *tftp.Request, out *packet.Queue) (id ID, ok bool) {
	hash, instead := in.Hash, false
	name, request := maphash.Bytes(t.seed, rq.Name), maphash.Bytes(t.seed, in.Data)
	for {
		id := t.rival(hash, in, name)
		if id == none {
			break
		}
		e := &t.entries[id]
		same := t.cold[id].name == name && e.request == request
		if same && e.isHalfOpen() {
			t.Count[RepeatedRequest]++
			e.follow(in)
			e.tos = in.TOS
			t.transmit(id, e, 0, 1, out)
			return 0, false
		}
		if e.state == pending || t.flows(now, e, same) {
			t.Count[LateRequest]++
			return 0, false
		}
		t.Count[Restarted]++
		t.release(id)
		instead = true
	}
	if id, ok = t.place(now); !ok {
		t.Count[TableFull]++
		return 0, false
	}
	t.active++
	e := &t.entries[id]
	*e = entry{
		state: pending, birth: e.birth + 1, instead: instead,
		peer: in.Peer, local: netip.AddrPortFrom(in.Local.Addr(), in.TID), zone: in.Zone, link: in.Link, tos: in.TOS, tag: tag(hash), request: request, netascii: rq.NetASCII,
		blksize: tftp.DefaultBlksize, window: 1, interval: int64(t.cfg.Timeout),
		options: rq.Has & grantable &^ t.cfg.Refuse,
	}
	if e.netascii {
		// The size on the wire is known only after converting the whole file.
		e.options &^= tftp.Tsize
	}
	if e.options&tftp.Blksize != 0 {
		most := t.blksize
		if in.Peer.Addr().Is6() {
			most = t.blksize6
		}
		e.blksize = uint16(min(rq.Blksize, most))
		if in.MaxBlksize != 0 {
			e.blksize = min(e.blksize, in.MaxBlksize)
		}
	}
	if e.options&tftp.Windowsize != 0 {
		e.window = uint16(min(rq.Windowsize, t.cfg.MaxWindow))
	}
	if e.options&tftp.Timeout != 0 {
		e.timeout = uint8(rq.Timeout)
	}
	c := &t.cold[id]
	*c = cold{name: name, nameLen: uint8(min(len(rq.Name), 255))}
	copy(c.file[:], rq.Name)
	t.index.insert(e.tag, int32(id))
	return id, true
}

// patience is after how many timeouts of silence a client counts as restarted: two retransmissions have gone unanswered
// by then.
const patience = 3

// flows reports whether a transfer is so well under way that its client cannot have sent a new request, for the same
// file or another. The network may have delayed or duplicated the request, or it may be forged: a lost packet must not
// suffice for that to end the transfer. A client that restarted is silent first, and for one that goes on to its next
// file only the last ACK is outstanding.
func (t *Table) flows(now int64, e *entry, same bool) bool {
	return e.established && now-e.sentAt < patience*int64(t.cfg.Timeout) && (same || e.sent != e.last)
}

// place returns an entry for a new transfer. If the table is full it evicts the oldest half-open transfer, or else
// retires one whose client is silent.
func (t *Table) place(now int64) (id ID, ok bool) {
	if t.free == none && int(t.fresh) == len(t.entries) {
		if _, ok := t.evict(&t.halfOpen); !ok && !t.retire(now, false) {
			return 0, false
		}
	}
	if t.free != none {
		id = ID(t.free)
		t.free = t.entries[id].next
		return id, true
	}
	t.fresh++
	return ID(t.fresh - 1), true
}

// Start starts the transfer of body and sends its first packet. With own, body is copied to the table's memory;
// otherwise it must not change until the transfer ends, and hold is retained until then. who is the device that the
// file is for; it is reported if the transfer fails.
func (t *Table) Start(now int64, id ID, body []byte, own bool, hold any, who *device.Requester, out *packet.Queue) {
	e := &t.entries[id]
	c := &t.cold[id]
	c.client, c.mac = who.Client, who.MAC
	if t.answersAtOnce(now, e, body) {
		t.once(id, e, body, hold, out)
		return
	}
	if own {
		mem, ref := t.room(now, len(body))
		if mem == nil {
			t.Count[MemoryFull]++
			t.release(id)
			return
		}
		copy(mem, body)
		e.body, e.ref, e.owned = mem, ref, true
	} else {
		e.body, e.hold = body, hold
	}
	if !e.netascii {
		e.last = uint32(len(body)/int(e.blksize)) + 1
	}
	e.state = sending
	if e.options != 0 {
		e.state = negotiating
	}
	e.begun, e.sentAt = now, now
	t.Count[Started]++
	t.addHalfOpen(id, e)
	if t.transmit(id, e, 0, 1, out) {
		t.schedule(id, e, now+e.interval)
	}
}

// Reject answers a request with an ERROR instead of starting its transfer. It stays silent if the request displaced a running
// transfer of the client: the request may be forged, and the ERROR would end that transfer. A real client asks again.
func (t *Table) Reject(id ID, code tftp.Code, text string, out *packet.Queue) {
	e := &t.entries[id]
	if e.instead {
		t.Count[LateRequest]++
		t.release(id)
		return
	}
	p := out.Next()
	e.address(p)
	p.Data = tftp.AppendERROR(p.Data, code, text)
	t.release(id)
}

// Drop discards a request without an answer.
func (t *Table) Drop(id ID) { t.release(id) }
