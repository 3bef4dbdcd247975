package xsk

import (
	"net"
	"unsafe"

	"golang.org/x/sys/unix"

	"dcs/fastpath/frame"
	"dcs/fastpath/packet"
	"dcs/fastpath/xsk/ring"
)

// Send sends the packets of batch: answers to packets that bypassed the kernel by the AF_XDP socket of their interface;
// all others, and those that this socket does not accept, by the kernel's sockets.
func (t *Transport) Send(batch []packet.Packet) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed.Load() {
		return net.ErrClosed
	}
	for _, p := range t.ports {
		if p == nil {
			continue
		}
		if t.reap(p); p.sending > 0 && (len(t.free) < len(batch) || p.sending >= p.room) {
			// The kernel may have refused the last batch because the interface was down.
			p.kick()
			t.reap(p)
		}
	}
	first := 0 // first packet for the kernel's sockets
	for i := range batch {
		p := t.route(&batch[i])
		if p == nil || !t.queue(p, &batch[i]) {
			continue
		}
		if err := t.bySockets(batch[first:i]); err != nil {
			return err
		}
		first = i + 1
	}
	if err := t.bySockets(batch[first:]); err != nil {
		return err
	}
	tap := t.group.tap.Load()
	for number, p := range t.ports {
		if p != nil && len(p.tx) > 0 {
			if tap != nil {
				tap.copy(t, number)
			}
			t.count[sent].Add(uint64(p.transmit()))
		}
	}
	return nil
}

// route returns the port that a packet is sent by; nil: the kernel's sockets.
func (t *Transport) route(q *packet.Packet) *port {
	if q.Link.Len == 0 || int(q.Link.Port) >= len(t.ports) {
		return nil
	}
	if p := t.ports[q.Link.Port]; p != nil && !p.dev.idle.Load() {
		return p
	}
	return nil
}

func (t *Transport) bySockets(batch []packet.Packet) error {
	if len(batch) == 0 {
		return nil
	}
	return t.sockets.Send(batch)
}

// offset returns the offset of a buffer in the memory; for a foreign buffer it is beyond the end.
func (t *Transport) offset(buf []byte) uint64 {
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(buf))) - uintptr(unsafe.Pointer(unsafe.SliceData(t.mem))))
}

// queue queues q as a frame for p and gives q another buffer. It returns false if there is no room or the frame is too
// long for the interface.
func (t *Transport) queue(p *port, q *packet.Packet) bool {
	buf := q.Buffer()
	at := t.offset(buf)
	// The payload has outgrown its room and is elsewhere.
	if at >= uint64(len(t.mem)) || len(t.free) == 0 || p.sending+len(p.tx) >= p.room || !q.InPlace() {
		return false
	}
	from, to, ok := frame.Append(q, buf, txRoom, t.ident.Next(len(q.Data)))
	if !ok || to-from > p.dev.maxFrame(int(q.Link.Len)) {
		return false
	}
	p.tx = append(p.tx, ring.Desc{Addr: at + uint64(from), Len: uint32(to - from)})
	q.SetBuffer(t.take(), txRoom)
	return true
}

// reap takes back the frames that p has sent.
func (t *Transport) reap(p *port) {
	// there are only cap(free) frames
	n := p.sock.Complete(t.free[len(t.free):cap(t.free)])
	for i := len(t.free); i < len(t.free)+n; i++ {
		t.free[:cap(t.free)][i] &^= uint64(t.size - 1)
	}
	t.free = t.free[:len(t.free)+n]
	p.sending -= n
}

// transmit sends what has been queued.
func (p *port) transmit() int {
	n := len(p.tx)
	p.sock.Transmit(p.tx) // room is at most the size of the ring
	p.sending += n
	p.kick()
	p.tx = p.tx[:0]
	return n
}

// kick makes the kernel send what is in the transmit ring. A call ends early at a frame that the interface drops (EBUSY),
// and after as many frames as the kernel sends at once; what is left would wait for the next packet, or for the tick.
// An interface that is down keeps it.
func (p *port) kick() {
	p.stuck = false
	for left := p.sock.Unsent(); left > 0; {
		switch err := p.sock.Kick(); err {
		case unix.EBUSY: // the kernel may not say yet that it has taken the frame
			left--
		case unix.EAGAIN, unix.ENOBUFS, unix.ENOMEM:
			now := p.sock.Unsent()
			if now >= left {
				p.stuck = true
				return
			}
			left = now
		default:
			return
		}
	}
}
