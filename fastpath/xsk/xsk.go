// Package xsk moves packets by AF_XDP sockets: frames that an XDP program hands over before the kernel has looked at them.
package xsk

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"dcs/fastpath/frame"
	"dcs/fastpath/packet"
	"dcs/fastpath/tid"
	"dcs/fastpath/xsk/ring"
)

// Transport is one worker's: the AF_XDP socket of a queue of each interface, and kernel sockets for what does not come there. Recv
// and Send are for one goroutine.
type Transport struct {
	index   int // among its group
	group   *Group
	ports   []*port // by interface; nil: it has no queue of that one
	mem     []byte
	size    int    // of a frame
	used    uint64 // frames that have been given out
	sockets Sockets
	busy    bool
	tids    [2][]uint16 // ports that transfers answer from: over IPv4, over IPv6

	mu     sync.Mutex // held while the sockets are used, so that Close does not close them under a system call
	closed atomic.Bool
	statMu sync.Mutex
	final  Stats // once closed

	polls     []unix.PollFd // the eventfd's, those of the kernel sockets, those of the ports
	sockPolls int           // where the latter begin
	timeout   unix.Timespec
	rounds    uint
	rx        []ring.Desc
	ident     frame.Ident
	free      []uint64 // frames that may be sent from

	sleeping atomic.Bool
	inbound  atomic.Bool // an inbox may have packets
	inboxes  []*mailbox  // from each of the group; nil from itself
	woken    []bool      // of the group: got a packet in this round

	count [numCounters]atomic.Uint64
}

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

const (
	txRoom     = packet.Headroom
	rxRoom     = 2048   // of a packet that comes by a kernel socket, and as much is looked at of others
	headroom   = 256    // that a driver leaves in front of a frame (XDP_PACKET_HEADROOM)
	twoTags    = 14 + 8 // octets of an Ethernet header with two VLAN tags
	dataHeader = 4      // octets of a block's own header
	oneTag     = 14 + 4 // octets of an Ethernet header that devices take beyond their MTU; a second tag has to fit into it
	// lookAside is how many calls of Recv pass over the kernel sockets while packets keep coming.
	lookAside = 64
	// spins is how often Recv runs the driver's receive work in vain before it sleeps, about 50 µs.
	spins = 100
)

// MaxBlksize returns the largest block that frames have room for, octets. What the interfaces' MTUs leave of it, packets tell.
func (t *Transport) MaxBlksize() int { return t.size - txRoom - dataHeader }

// leastBlksize returns the largest block that fits into one frame of every interface behind so many octets of link-layer header.
func (t *Transport) leastBlksize(v6 bool, link int) uint16 {
	least := uint16(math.MaxUint16)
	for _, dev := range t.group.devices {
		least = min(least, dev.maxBlksize(t.size, v6, link))
	}
	return least
}

// Slabs returns packets to receive into and packets to send from. It may be called once.
func (t *Transport) Slabs(n, _ int) (rx, tx []packet.Packet) {
	rx = packet.NewSlab(n, 0, rxRoom)
	tx = make([]packet.Packet, min(n, len(t.free)/2))
	for i := range tx {
		tx[i].SetBuffer(t.take(), txRoom)
	}
	t.rx = make([]ring.Desc, n)
	return rx, tx
}

// take returns a frame that may be sent from.
func (t *Transport) take() []byte {
	f := t.free[len(t.free)-1]
	t.free = t.free[:len(t.free)-1]
	return t.mem[f : f+uint64(t.size) : f+uint64(t.size)]
}

// Recv fills batch from the front and returns the number of packets, 0 after a tick without any. Batch must be the one
// that Slabs returned.
func (t *Transport) Recv(batch []packet.Packet) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed.Load() {
		return 0, net.ErrClosed
	}
	for _, p := range t.ports {
		if p != nil {
			p.refill()
		}
	}
	n := 0
	if t.rounds++; t.rounds%lookAside == 0 {
		var err error
		if n, err = t.fromSockets(batch); err != nil {
			return 0, err
		}
	}
	if n = t.collect(batch, n); n > 0 {
		return n, nil
	}
	if t.busy {
		for range spins {
			for _, p := range t.ports {
				if p != nil {
					_ = p.sock.Poll()
				}
			}
			if n = t.collect(batch, 0); n > 0 || t.closed.Load() {
				return n, nil
			}
		}
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

// fromSockets receives what the program left to the kernel. A transfer that begins there may go on past it, where the largest
// block has to fit into a frame, behind two VLAN tags perhaps.
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

// wait waits at most a tick for a packet.
func (t *Transport) wait() error {
	// Whoever puts a packet into an inbox looks at sleeping after it, and we at inbound after we said that we sleep.
	t.sleeping.Store(true)
	defer t.sleeping.Store(false)
	if t.inbound.Load() || t.closed.Load() {
		for i := range t.polls {
			t.polls[i].Revents = 0
		}
		return nil
	}
	timeout := t.timeout
	_, _, errno := unix.Syscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&t.polls[0])), uintptr(len(t.polls)), uintptr(unsafe.Pointer(&timeout)), 0, 0, 0)
	if errno != 0 && errno != unix.EINTR {
		return fmt.Errorf("xsk: ppoll: %w", errno)
	}
	if t.polls[0].Revents != 0 {
		var b [8]byte
		_, _, _ = unix.RawSyscall(unix.SYS_READ, uintptr(t.polls[0].Fd), uintptr(unsafe.Pointer(&b)), 8)
	}
	return nil
}

// collect fills batch[n:] from inboxes and the receive rings.
func (t *Transport) collect(batch []packet.Packet, n int) int {
	if t.inbound.Load() {
		t.inbound.Store(false)
		for _, m := range t.inboxes {
			if m != nil {
				n = m.drain(batch, n)
			}
		}
		if n == len(batch) {
			t.inbound.Store(true) // perhaps there are more
		}
	}
	handed := false
	// Each has its turn at being the first: a busy one does not shut the others out.
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
	return n
}

// receive fills batch[n:] from the receive ring of a port. It reports whether packets were handed over.
func (t *Transport) receive(number int, batch []packet.Packet, n int) (now int, handed bool) {
	from := t.ports[number]
	k := from.sock.Receive(t.rx[:len(batch)-n])
	if k == 0 {
		return n, false
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

const nobody = -1

// place completes a packet that was received from a device, and returns the transport that it belongs to.
func (t *Transport) place(dev *device, p *packet.Packet) int {
	p.TID, p.MaxBlksize, p.Zone, p.Time, p.TOS = 0, 0, dev.zoneOf(p), 0, t.group.marking.TOS(p.TOS)
	p.Hash = t.group.key.Hash(p.Peer)
	if len(p.Data) > rxRoom {
		p.Data = p.Data[:rxRoom]
		p.Flags |= packet.Truncated
	}
	local := p.Local
	v6 := local.Addr().Is6()
	use := t.group.portsOf(v6)[local.Port()]
	if use&requestPort == 0 {
		owner := int(use&ownerMask) - 1
		if owner != nobody && tid.Pick(t.group.Transports[owner].tidsOf(v6), p.Hash) != local.Port() {
			p.Flags |= packet.WrongTID
			return t.index // which counts it
		}
		return owner
	}
	if !t.group.listens(local) {
		return nobody
	}
	p.MaxBlksize = dev.maxBlksize(t.size, v6, int(p.Link.Len))
	switch {
	case t.group.single:
		p.TID = local.Port()
		if t.group.owner != nil {
			return t.group.owner(p.Peer.Addr())
		}
	case len(t.tidsOf(v6)) == 0:
		return nobody
	default:
		p.TID = tid.Pick(t.tidsOf(v6), p.Hash)
	}
	return t.index
}

// tidsOf returns the ports that its transfers answer from.
func (t *Transport) tidsOf(v6 bool) []uint16 {
	if v6 {
		return t.tids[1]
	}
	return t.tids[0]
}

// listens reports whether requests are taken at a.
func (g *Group) listens(a netip.AddrPort) bool {
	for _, l := range g.listen {
		if l.Port() == a.Port() && (l.Addr().WithZone("") == a.Addr() || l.Addr().IsUnspecified() && l.Addr().Is4() == a.Addr().Is4()) {
			return true
		}
	}
	return false
}

func (t *Transport) handOver(p *packet.Packet, owner int) {
	to := t.group.Transports[owner]
	if !to.inboxes[t.index].put(p) {
		t.count[handLost].Add(1)
		return
	}
	t.count[handedOver].Add(1)
	t.woken[owner] = true
}

func (t *Transport) wakeOthers() {
	for i, to := range t.group.Transports {
		if !t.woken[i] {
			continue
		}
		t.woken[i] = false
		to.inbound.Store(true)
		if to.sleeping.Load() {
			t.group.wake(i)
		}
	}
}

func (g *Group) wake(i int) {
	one := uint64(1)
	_, _, _ = unix.RawSyscall(unix.SYS_WRITE, uintptr(g.wakes[i]), uintptr(unsafe.Pointer(&one)), 8)
}

// Send sends the packets of batch: those that came past the kernel by the AF_XDP socket of the same interface, the others by the
// kernel's, and so what that socket does not take.
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
			// Perhaps the kernel did not take the last batch, for the interface was down.
			p.kick(0)
			t.reap(p)
		}
	}
	first := 0 // of those that the kernel has to send
	for i := range batch {
		p := t.leads(&batch[i])
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

// leads returns the port by which a packet leaves; nil: it is for the kernel to send.
func (t *Transport) leads(q *packet.Packet) *port {
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

// offset returns where a buffer begins in the memory; it is beyond its end for another's.
func (t *Transport) offset(buf []byte) uint64 {
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(buf))) - uintptr(unsafe.Pointer(unsafe.SliceData(t.mem))))
}

// Close closes the sockets; a Recv that waits returns net.ErrClosed.
func (t *Transport) Close() error {
	if t.closed.Swap(true) {
		return nil
	}
	t.group.wake(t.index)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.statMu.Lock()
	defer t.statMu.Unlock()
	t.final = t.stats()
	err := errors.Join(t.closePorts(), t.sockets.Close())
	t.group.mu.Lock()
	defer t.group.mu.Unlock()
	if t.group.open--; t.group.open == 0 {
		t.group.close()
	}
	return err
}

// Drops returns the number of packets that were lost because the worker was too slow.
func (t *Transport) Drops() uint64 {
	st := t.Stats()
	return st.Lost + st.HandLost + t.sockets.Drops()
}

// SendErrors returns the number of packets that could not be sent.
func (t *Transport) SendErrors() uint64 { return t.sockets.SendErrors() }

// ZeroCopy reports whether the drivers move packets without copying them.
func (t *Transport) ZeroCopy() bool { return t.owner() != nil && t.owner().ZeroCopy() }

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

// Stats returns what the transport has counted. It may be called from any goroutine.
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
