package xsk

import (
	"errors"
	"net"

	"dcs/fastpath/frame"
	"dcs/fastpath/packet"
)

// Recv fills batch from the front and returns the number of packets, 0 after a tick without any. batch must come from Slabs.
func (t *Transport) Recv(batch []packet.Packet) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed.Load() {
		return 0, net.ErrClosed
	}
	for _, p := range t.ports {
		if p != nil {
			p.refill()
			if p.stuck {
				p.kick()
			}
		}
	}
	n := 0
	if t.rounds++; t.rounds%reviews == 0 {
		for _, p := range t.ports {
			if p != nil {
				p.review()
			}
		}
	}
	if t.rounds%lookAside == 0 {
		var err error
		if n, err = t.fromSockets(batch); err != nil {
			return 0, err
		}
	}
	if n = t.collect(batch, n); n > 0 {
		return n, nil
	}
	if t.recent || t.busy { // wait, which looks at the kernel's sockets too, may not be reached for long
		if n, err := t.fromSockets(batch); n > 0 || err != nil {
			return n, err
		}
	}
	if t.spin() {
		return t.collect(batch, 0), t.ended()
	}
	if err := t.wait(); err != nil || t.closed.Load() {
		return 0, errors.Join(err, t.ended())
	}
	for i := range t.polls[1:t.sockPolls] {
		if t.polls[1+i].Revents != 0 {
			var err error
			if n, err = t.fromSockets(batch); err != nil {
				return 0, err
			}
			break
		}
	}
	return t.collect(batch, n), nil
}

// fromSockets receives what the program passed to the kernel. A transfer that begins there may later bypass the kernel,
// so its largest block must fit into a frame, with up to two VLAN tags.
func (t *Transport) fromSockets(batch []packet.Packet) (int, error) {
	n, err := t.sockets.TryRecv(batch)
	if n == 0 {
		return n, err
	}
	v4, v6 := t.leastBlksize(false, twoTags), t.leastBlksize(true, twoTags)
	for i := range batch[:n] {
		if p := &batch[i]; p.MaxBlksize == 0 {
			if p.MaxBlksize = v4; p.Local.Addr().Is6() {
				p.MaxBlksize = v6
			}
		}
	}
	return n, err
}

func (t *Transport) ended() error {
	if t.closed.Load() {
		return net.ErrClosed
	}
	return nil
}

// collect fills batch[n:] from inboxes and the receive rings. Half of it is left to the rings, so that busy inboxes do not starve them;
// inboxes get what the rings do not fill.
func (t *Transport) collect(batch []packet.Packet, n int) int {
	half := n + (len(batch)-n+1)/2
	n = t.fromInboxes(batch[:half], n)
	more, handed := n == half, false
	// Each port is first in turn, so that a busy one does not starve the others.
	for i := range t.ports {
		number := (i + int(t.rounds)) % len(t.ports)
		if t.ports[number] == nil || n == len(batch) {
			continue
		}
		var others bool
		n, others = t.receive(number, batch, n)
		handed = handed || others
	}
	if handed {
		t.wakeOthers()
	}
	if more {
		n = t.fromInboxes(batch, n)
	}
	return n
}

// fromInboxes fills batch[n:] from inboxes. Each is first in turn, as are ports.
func (t *Transport) fromInboxes(batch []packet.Packet, n int) int {
	if len(t.inboxes) == 0 {
		return n
	}
	first := int(t.rounds % uint(len(t.inboxes)))
	for i := 0; i < len(t.inboxes) && n < len(batch); i++ {
		if first == len(t.inboxes) {
			first = 0
		}
		if m := t.inboxes[first]; !m.empty() {
			n = m.drain(batch, n)
		}
		first++
	}
	return n
}

// receive fills batch[n:] from the receive ring of a port. It reports whether packets were handed over.
func (t *Transport) receive(number int, batch []packet.Packet, n int) (now int, handed bool) {
	from := t.ports[number]
	k := from.sock.Receive(t.rx[:len(batch)-n])
	if k == 0 {
		return n, false
	}
	if k == len(batch)-n {
		from.depth.waiting(from.sock.Waiting())
	}
	t.count[received].Add(uint64(k))
	for _, d := range t.rx[:k] {
		from.held = append(from.held, d.Addr&^uint64(t.size-1))
		p := &batch[n]
		if frame.Parse(t.mem[d.Addr:d.Addr+uint64(d.Len)], p) != frame.Datagram {
			t.count[malformed].Add(1)
			continue
		}
		p.Link.Port = uint8(number)
		switch owner := t.place(from.dev, p); owner {
		case t.index:
			n++
		case nobody:
			t.count[strange].Add(1)
		default:
			handed = true
			t.handOver(p, owner)
		}
	}
	return n, handed
}
