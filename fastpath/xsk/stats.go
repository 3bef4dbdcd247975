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

// Stats holds a Transport's counters since Open, in packets.
type Stats struct {
	Received   uint64 // from the AF_XDP socket
	Sent       uint64 // by the AF_XDP socket
	Malformed  uint64 // not a UDP datagram, or a wrong checksum
	Strange    uint64 // for a port that is not ours
	HandedOver uint64 // to the worker that owns them
	HandLost   uint64 // dropped because the inbox of their worker was full
	Lost       uint64 // dropped by the kernel: no room in the receive ring, no frame in the fill ring, or too long for a frame
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

// taken returns how many packets arrived for a port, including those without room.
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

// wrapping extends a kernel counter modulo 2^32, which is read at least once every 2^31.
type wrapping struct {
	last uint32
	sum  uint64
}

func (r *wrapping) total(now uint32) uint64 {
	r.sum += uint64(now - r.last)
	r.last = now
	return r.sum
}
