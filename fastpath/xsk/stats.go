package xsk

type counter int

const (
	received counter = iota
	sent
	malformed
	strange
	handedOver
	handLost
	numCounters
)

// Stats are a Transport's counters since Open, in packets.
type Stats struct {
	Received   uint64 // from the AF_XDP socket
	Sent       uint64 // by it
	Malformed  uint64 // that are no UDP datagram, or one with a wrong checksum
	Strange    uint64 // for no port of ours
	HandedOver uint64 // to the worker that they belong to
	HandLost   uint64 // that belong to a worker which has too many already
	Lost       uint64 // by the kernel: no room in the receive ring, no memory to receive into, or too long for a frame
}

// Stats returns the transport's counters. It may be called from any goroutine.
func (t *Transport) Stats() Stats {
	t.statMu.Lock()
	defer t.statMu.Unlock()
	if t.closed.Load() {
		return t.final
	}
	return t.stats()
}

func (t *Transport) stats() Stats {
	st := Stats{
		Received: t.count[received].Load(), Sent: t.count[sent].Load(),
		Malformed: t.count[malformed].Load(), Strange: t.count[strange].Load(),
		HandedOver: t.count[handedOver].Load(), HandLost: t.count[handLost].Load(),
	}
	for _, p := range t.ports {
		if p == nil {
			continue
		}
		if k, err := p.sock.Stats(); err == nil {
			st.Lost += k.Rx_dropped + k.Rx_ring_full
		}
	}
	return st
}

// taken returns how many packets came for a port, whether there was room for them or not.
func (t *Transport) taken(number int) uint64 {
	t.statMu.Lock()
	defer t.statMu.Unlock()
	if t.closed.Load() || t.ports[number] == nil {
		return 0
	}
	p := t.ports[number]
	n := p.delivered.total(p.sock.Delivered())
	if k, err := p.sock.Stats(); err == nil {
		n += k.Rx_dropped + k.Rx_ring_full
	}
	return n
}

// Drops returns the number of packets lost because the worker was too slow.
func (t *Transport) Drops() uint64 {
	st := t.Stats()
	return st.Lost + st.HandLost + t.sockets.Drops()
}

// SendErrors returns the number of packets that could not be sent.
func (t *Transport) SendErrors() uint64 { return t.sockets.SendErrors() }

// rising is a count that the kernel keeps modulo 2^32, and that is read before it has gone half around.
type rising struct {
	last uint32
	sum  uint64
}

func (r *rising) total(now uint32) uint64 {
	r.sum += uint64(now - r.last)
	r.last = now
	return r.sum
}
