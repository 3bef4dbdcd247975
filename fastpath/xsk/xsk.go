// Package xsk moves packets by AF_XDP sockets: frames that an XDP program hands over before the kernel has looked at them.
package xsk

import (
	"errors"
	"fmt"
	"math/bits"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"dcs/fastpath/frame"
	"dcs/fastpath/packet"
	"dcs/fastpath/tid"
	"dcs/fastpath/xsk/ring"
)

// Config says what to open. A zero field takes the default, but Interface, Listen, Sockets and Attach must be given.
type Config struct {
	Interface string
	// Queues are the interface's receive queues that are taken, one for each Transport; default all that it has, which
	// Queues tells.
	Queues []int
	// Listen are the addresses and ports where requests are taken; a wildcard stands for all addresses of its family.
	Listen []netip.AddrPort
	// Key says from which of its ports a worker answers a client: that of Sockets.
	Key tid.Key
	// SinglePort: transfers answer from the port that was asked. Which worker has a client's, Owner tells, as it does of the
	// kernel's sockets that share the port; without it each has those that come by its queue.
	SinglePort bool
	Owner      func(client netip.Addr) int
	// Sockets has, for each queue, the worker's own kernel sockets. They hold the ports, and take what the XDP program
	// passes to the kernel: packets of other interfaces, those that were fragmented, and all of them when the program is
	// detached. Transfers answer from their ports. The Transport owns them from here on, but not if Open fails.
	Sockets []Sockets
	// Attach directs what the XDP program redirects of a queue to the AF_XDP socket fd (an entry of an XSKMAP). The kernel
	// removes it when the socket is closed.
	Attach func(queue, fd int) error
	// Hash: have the device choose the queue by addresses alone, and as it did before when all is closed.
	Hash bool
	// Copy: have the kernel copy packets, even if the driver can do without.
	Copy bool
	// BusyPoll: have the worker run the driver's receive work itself instead of waiting for interrupts, as long as there
	// is work. That changes settings of the interface until all is closed.
	BusyPoll bool
	Frames   int           // packets that each queue can hold until they are received; default 16,384, rounded up to a power of two
	Tick     time.Duration // Recv waits at most so long; default 20 ms
}

// Sockets are one worker's kernel sockets. The Transport of package udp has these methods.
type Sockets interface {
	// TryRecv is like Recv, but does not wait.
	TryRecv(batch []packet.Packet) (int, error)
	Send(batch []packet.Packet) error
	Close() error
	Drops() uint64
	SendErrors() uint64
	// FDs are what poll waits for.
	FDs() []int
	// Ports returns the ports that transfers of one address family answer from, as tid.Pick wants them; none with a single port.
	Ports(v6 bool) []uint16
}

// Transport is one worker's: the AF_XDP socket of a queue, and kernel sockets for what does not come there. Recv and Send
// are for one goroutine.
type Transport struct {
	index   int // among its group
	group   *group
	sock    *ring.Socket
	mem     []byte
	size    int // of a frame
	mtu     int
	sockets Sockets
	busy    bool
	ports   [2][]uint16 // that transfers answer from: over IPv4, over IPv6

	mu     sync.Mutex // held while the sockets are used, so that Close does not close them under a system call
	closed atomic.Bool
	statMu sync.Mutex
	final  Stats // once closed

	polls   []unix.PollFd
	timeout unix.Timespec
	rounds  uint
	rx      []ring.Desc
	held    []uint64 // frames that are to be received into next: the worker has had their packets
	tx      []ring.Desc
	free    []uint64 // frames that may be sent from

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
	unsent
	numCounters
)

const (
	txRoom    = packet.Headroom
	rxRoom    = 2048 // of a packet that comes by a kernel socket, and as much is looked at of others
	headroom  = 256  // that a driver leaves in front of a frame (XDP_PACKET_HEADROOM)
	maxQueues = 512
	// maxSending is how many packets may be on their way from a queue to the wire.
	maxSending = 4096
	// Octets is what the frames of a queue take of memory; twice as much where the interface's MTU wants frames of 4 KiB.
	Octets  = (1<<14 + maxSending) * 2048
	minMTU  = 600
	twoTags = 14 + 8 // octets of an Ethernet header with two VLAN tags
	oneTag  = 14 + 4 // octets of an Ethernet header that devices take beyond their MTU; a second tag has to fit into it
	// lookAside is how many calls of Recv pass over the kernel sockets while packets keep coming.
	lookAside = 64
	// spins is how often Recv runs the driver's receive work in vain before it sleeps, about 50 µs.
	spins = 100
)

// Open opens an AF_XDP socket on each queue. It needs CAP_NET_RAW; CAP_IPC_LOCK or a high limit on locked memory; and
// CAP_NET_ADMIN for Hash and BusyPoll, without which these are left out with a warning.
func Open(cfg Config) ([]*Transport, error) {
	ts, err := open(cfg)
	if err != nil {
		return nil, fmt.Errorf("xsk: %s: %w", cfg.Interface, err)
	}
	return ts, nil
}

func open(cfg Config) (ts []*Transport, err error) {
	dev, err := openDevice(cfg.Interface)
	if err != nil {
		return nil, err
	}
	if len(cfg.Queues) == 0 {
		for q := range dev.queues() {
			cfg.Queues = append(cfg.Queues, q)
		}
	}
	switch {
	case len(cfg.Queues) > maxQueues:
		return nil, fmt.Errorf("%d queues, at most %d", len(cfg.Queues), maxQueues)
	case len(cfg.Sockets) != len(cfg.Queues):
		return nil, fmt.Errorf("%d queues and kernel sockets for %d workers", len(cfg.Queues), len(cfg.Sockets))
	case len(cfg.Listen) == 0:
		return nil, errors.New("no address to listen at")
	case dev.mtu < minMTU:
		return nil, fmt.Errorf("an MTU of %d: must be %d or more", dev.mtu, minMTU)
	}
	if cfg.Frames <= 0 {
		cfg.Frames = 1 << 14 // a sixtieth of a second of a million packets a second: as long may the worker be held up
	}
	cfg.Frames = 1 << bits.Len(uint(max(cfg.Frames, 128)-1))
	if cfg.Tick <= 0 {
		cfg.Tick = 20 * time.Millisecond
	}
	g := &group{dev: dev, listen: slices.Clone(cfg.Listen), single: cfg.SinglePort, key: cfg.Key, owner: cfg.Owner, open: len(cfg.Queues)}
	for _, l := range cfg.Listen {
		g.portsOf(l.Addr().Is6())[l.Port()] |= requestPort
	}
	defer func() {
		if err != nil {
			for _, t := range g.transports {
				err = errors.Join(err, t.sock.Close())
			}
			g.close()
		}
	}()
	for i, q := range cfg.Queues {
		t, err := g.transport(cfg, i, q)
		if err != nil {
			return nil, err
		}
		g.transports = append(g.transports, t)
	}
	g.connect()
	if cfg.Hash && len(cfg.Queues) > 1 {
		if err := dev.hashAddresses(); err != nil {
			g.warnings = append(g.warnings, fmt.Sprintf("%s: cannot have the device choose queues by addresses alone (%v): packets are handed over between workers", cfg.Interface, err))
		}
	}
	if cfg.BusyPoll {
		g.busyPoll()
	}
	for i, q := range cfg.Queues {
		if err := cfg.Attach(q, g.transports[i].sock.FD()); err != nil {
			return nil, err
		}
	}
	return g.transports, nil
}

// group is what the transports of one interface share.
type group struct {
	dev        *device
	listen     []netip.AddrPort
	single     bool
	key        tid.Key
	owner      func(client netip.Addr) int
	transports []*Transport
	wakes      []int // eventfds: they stay open until the last is closed, for others write to them
	warnings   []string
	// ports has, for IPv4 and IPv6, requestPort, and 1 + the transport whose transfers answer from the port.
	ports [2][1 << 16]uint16

	mu   sync.Mutex
	open int
}

const (
	requestPort = 1 << 15
	ownerMask   = requestPort - 1
)

func (g *group) transport(cfg Config, i, queue int) (*Transport, error) {
	t := &Transport{index: i, group: g, mtu: g.dev.mtu, sockets: cfg.Sockets[i], size: 2048}
	if g.dev.mtu+headroom+22 > t.size {
		t.size = 4096
	}
	for n, v6 := range [...]bool{false, true} {
		t.ports[n] = t.sockets.Ports(v6)
		for _, port := range t.ports[n] {
			p := &g.portsOf(v6)[port]
			*p = *p&requestPort | uint16(i+1)
		}
	}
	sending := min(cfg.Frames, maxSending)
	wake, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	g.wakes = append(g.wakes, wake)
	t.sock, err = ring.Open(ring.Config{Interface: g.dev.index, Queue: queue, FrameSize: t.size, RX: cfg.Frames, TX: sending, Copy: cfg.Copy})
	if err != nil {
		return nil, err
	}
	t.mem = t.sock.Memory()
	t.held = make([]uint64, 0, cfg.Frames)
	for f := range cfg.Frames {
		t.held = append(t.held, uint64(f*t.size))
	}
	t.free = make([]uint64, 0, sending)
	for f := range sending {
		t.free = append(t.free, uint64((cfg.Frames+f)*t.size))
	}
	t.refill()
	t.polls = []unix.PollFd{{Fd: int32(t.sock.FD()), Events: unix.POLLIN}, {Fd: int32(wake), Events: unix.POLLIN}}
	for _, fd := range t.sockets.FDs() {
		t.polls = append(t.polls, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	t.timeout = unix.NsecToTimespec(int64(cfg.Tick))
	return t, nil
}

func (g *group) portsOf(v6 bool) *[1 << 16]uint16 {
	if v6 {
		return &g.ports[1]
	}
	return &g.ports[0]
}

// connect gives each transport an inbox from each of the others.
func (g *group) connect() {
	n := len(g.transports)
	slots := max(64, min(1024, 1<<bits.Len(uint(8192/(n*n)))))
	for i, t := range g.transports {
		t.inboxes = make([]*mailbox, n)
		t.woken = make([]bool, n)
		for j := range g.transports {
			if j != i {
				t.inboxes[j] = newMailbox(slots)
			}
		}
	}
}

func (g *group) busyPoll() {
	if err := g.dev.deferInterrupts(); err != nil {
		g.warnings = append(g.warnings, fmt.Sprintf("%s: no busy polling: %v", g.dev.name, err))
		return
	}
	for _, t := range g.transports {
		if err := t.sock.BusyPoll(64); err != nil {
			g.warnings = append(g.warnings, fmt.Sprintf("%s: no busy polling: %v", g.dev.name, err))
			return
		}
		t.busy = true
	}
}

// close gives back what all have in common.
func (g *group) close() {
	for _, fd := range g.wakes {
		_ = unix.Close(fd)
	}
	g.dev.restore()
}

// MaxBlksize returns the largest block that fits into one frame of the interface, octets. Over IPv6 or with two VLAN tags
// it is less: packets tell it.
func (t *Transport) MaxBlksize() int {
	return int(t.maxBlksize(false, 0))
}

// maxBlksize returns the largest block that fits into one frame behind so many octets of link-layer header.
func (t *Transport) maxBlksize(v6 bool, link int) uint16 {
	const dataHeader, udp, v4, more = 4, 8, 20, 20
	n := t.mtu - udp - v4 - max(0, link-oneTag)
	if v6 {
		n -= more
	}
	return uint16(min(n, t.size-txRoom) - dataHeader)
}

// Slabs returns packets to receive into and packets to send from. It may be called once.
func (t *Transport) Slabs(n, _ int) (rx, tx []packet.Packet) {
	rx = packet.NewSlab(n, 0, rxRoom)
	tx = make([]packet.Packet, min(n, len(t.free)/2))
	for i := range tx {
		tx[i].SetBuffer(t.take(), txRoom)
	}
	t.rx = make([]ring.Desc, n)
	t.tx = make([]ring.Desc, 0, n)
	return rx, tx
}

// take returns a frame that may be sent from.
func (t *Transport) take() []byte {
	f := t.free[len(t.free)-1]
	t.free = t.free[:len(t.free)-1]
	return t.mem[f : f+uint64(t.size) : f+uint64(t.size)]
}

// refill gives the frames whose packets have been dealt with to the kernel.
func (t *Transport) refill() {
	if len(t.held) > 0 {
		n := t.sock.Fill(t.held)
		t.held = t.held[:copy(t.held, t.held[n:])]
	}
	if t.sock.FillNeedsWakeup() {
		_ = t.sock.Poll()
	}
}

// Recv fills batch from the front and returns the number of packets, 0 after a tick without any. Batch must be the one
// that Slabs returned.
func (t *Transport) Recv(batch []packet.Packet) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed.Load() {
		return 0, net.ErrClosed
	}
	t.refill()
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
			_ = t.sock.Poll()
			if n = t.collect(batch, 0); n > 0 || t.closed.Load() {
				return n, nil
			}
		}
	}
	if err := t.wait(); err != nil || t.closed.Load() {
		return 0, errors.Join(err, t.ended())
	}
	for i := range t.polls[2:] {
		if t.polls[2+i].Revents != 0 {
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
	for i := range batch[:n] {
		if p := &batch[i]; p.MaxBlksize == 0 {
			p.MaxBlksize = t.maxBlksize(p.Local.Addr().Is6(), twoTags)
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
	if t.polls[1].Revents != 0 {
		var b [8]byte
		_, _, _ = unix.RawSyscall(unix.SYS_READ, uintptr(t.polls[1].Fd), uintptr(unsafe.Pointer(&b)), 8)
	}
	return nil
}

// collect fills batch[n:] from inboxes and the receive ring.
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
	if n == len(batch) {
		return n
	}
	k := t.sock.Receive(t.rx[:len(batch)-n])
	if k == 0 {
		return n
	}
	t.count[received].Add(uint64(k))
	handed := false
	for _, d := range t.rx[:k] {
		t.held = append(t.held, d.Addr&^uint64(t.size-1))
		p := &batch[n]
		if frame.Parse(t.mem[d.Addr:d.Addr+uint64(d.Len)], p) != frame.Datagram {
			t.count[malformed].Add(1)
			continue
		}
		switch owner := t.place(p); owner {
		case t.index:
			n++
		case nobody:
			t.count[strange].Add(1)
		default:
			handed = true
			t.handOver(p, owner)
		}
	}
	if handed {
		t.wakeOthers()
	}
	return n
}

const nobody = -1

// place completes a packet that was received, and returns the transport that it belongs to.
func (t *Transport) place(p *packet.Packet) int {
	p.TID, p.MaxBlksize, p.Zone, p.Time = 0, 0, 0, 0
	p.Hash = t.group.key.Hash(p.Peer)
	if len(p.Data) > rxRoom {
		p.Data = p.Data[:rxRoom]
		p.Flags |= packet.Truncated
	}
	local := p.Local
	v6 := local.Addr().Is6()
	if v6 && p.Peer.Addr().IsLinkLocalUnicast() {
		p.Zone = uint32(t.group.dev.index)
	}
	use := t.group.portsOf(v6)[local.Port()]
	if use&requestPort == 0 {
		owner := int(use&ownerMask) - 1
		if owner != nobody && tid.Pick(t.group.transports[owner].portsOf(v6), p.Hash) != local.Port() {
			p.Flags |= packet.WrongTID
			return t.index // which counts it
		}
		return owner
	}
	if !t.group.listens(local) {
		return nobody
	}
	p.MaxBlksize = t.maxBlksize(v6, int(p.Link.Len))
	switch {
	case t.group.single:
		p.TID = local.Port()
		if t.group.owner != nil {
			return t.group.owner(p.Peer.Addr())
		}
	case len(t.portsOf(v6)) == 0:
		return nobody
	default:
		p.TID = tid.Pick(t.portsOf(v6), p.Hash)
	}
	return t.index
}

// portsOf returns the ports that its transfers answer from.
func (t *Transport) portsOf(v6 bool) []uint16 {
	if v6 {
		return t.ports[1]
	}
	return t.ports[0]
}

// listens reports whether requests are taken at a.
func (g *group) listens(a netip.AddrPort) bool {
	for _, l := range g.listen {
		if l.Port() == a.Port() && (l.Addr().WithZone("") == a.Addr() || l.Addr().IsUnspecified() && l.Addr().Is4() == a.Addr().Is4()) {
			return true
		}
	}
	return false
}

func (t *Transport) handOver(p *packet.Packet, owner int) {
	to := t.group.transports[owner]
	if !to.inboxes[t.index].put(p) {
		t.count[handLost].Add(1)
		return
	}
	t.count[handedOver].Add(1)
	t.woken[owner] = true
}

func (t *Transport) wakeOthers() {
	for i, to := range t.group.transports {
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

func (g *group) wake(i int) {
	one := uint64(1)
	_, _, _ = unix.RawSyscall(unix.SYS_WRITE, uintptr(g.wakes[i]), uintptr(unsafe.Pointer(&one)), 8)
}

// Send sends the packets of batch: those that came past the kernel by the AF_XDP socket, the others by the kernel's.
func (t *Transport) Send(batch []packet.Packet) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed.Load() {
		return net.ErrClosed
	}
	t.tx = t.tx[:0]
	if t.reap(); len(t.free) < len(batch) {
		// Perhaps the kernel did not take the last batch, for the interface was down.
		t.kick()
		t.reap()
	}
	lost := 0
	for i := 0; i < len(batch); i++ {
		p := &batch[i]
		if p.Link.Len == 0 {
			first := i
			for i+1 < len(batch) && batch[i+1].Link.Len == 0 {
				i++
			}
			if err := t.sockets.Send(batch[first : i+1]); err != nil {
				return err
			}
			continue
		}
		if !t.queue(p) {
			lost++
		}
	}
	if n := len(t.tx); n > 0 {
		// There are as many entries in the ring as frames to be sent from.
		t.sock.Transmit(t.tx)
		t.count[sent].Add(uint64(n))
		t.kick()
	}
	if lost > 0 {
		t.count[unsent].Add(uint64(lost))
	}
	return nil
}

// queue makes p a frame and gives p another buffer.
func (t *Transport) queue(p *packet.Packet) bool {
	buf := p.Buffer()
	at := uintptr(unsafe.Pointer(unsafe.SliceData(buf))) - uintptr(unsafe.Pointer(unsafe.SliceData(t.mem)))
	// A payload that outgrew its room stands elsewhere.
	if at >= uintptr(len(t.mem)) || len(t.free) == 0 || unsafe.SliceData(p.Data) != unsafe.SliceData(buf[txRoom:]) {
		return false
	}
	from, to, ok := frame.Append(p, buf, txRoom)
	if !ok || to-from > t.mtu+oneTag {
		return false
	}
	t.tx = append(t.tx, ring.Desc{Addr: uint64(at) + uint64(from), Len: uint32(to - from)})
	p.SetBuffer(t.take(), txRoom)
	return true
}

// reap takes back the frames that were sent.
func (t *Transport) reap() {
	// Only cap(free) frames exist.
	n := t.sock.Complete(t.free[len(t.free):cap(t.free)])
	for i := len(t.free); i < len(t.free)+n; i++ {
		t.free[:cap(t.free)][i] &^= uint64(t.size - 1)
	}
	t.free = t.free[:len(t.free)+n]
}

// kick has the kernel send. What it does not take now it takes the next time; an interface that is down takes nothing.
func (t *Transport) kick() {
	for range 1 + len(t.tx)/32 {
		if t.sock.Kick() != unix.EAGAIN {
			return
		}
	}
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
	err := errors.Join(t.sock.Close(), t.sockets.Close())
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
func (t *Transport) SendErrors() uint64 { return t.count[unsent].Load() + t.sockets.SendErrors() }

// Warnings returns what could not be had, once for all queues: those of the first Transport that Open returned.
func (t *Transport) Warnings() []string {
	if t.index > 0 {
		return nil
	}
	return t.group.warnings
}

// ZeroCopy reports whether the driver moves packets without copying them.
func (t *Transport) ZeroCopy() bool { return t.sock.ZeroCopy() }

// Stats are a Transport's counters since Open, in packets.
type Stats struct {
	Received   uint64 // from the AF_XDP socket
	Sent       uint64 // by it
	Malformed  uint64 // that are no UDP datagram, or one with a wrong checksum
	Strange    uint64 // for no port of ours
	HandedOver uint64 // to the worker that they belong to
	HandLost   uint64 // that belong to a worker which has too many already
	Lost       uint64 // by the kernel: no room in the receive ring, no memory to receive into, or too long for a frame
	Unsent     uint64 // no memory to send from, or too long for the interface
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
		HandedOver: t.count[handedOver].Load(), HandLost: t.count[handLost].Load(), Unsent: t.count[unsent].Load(),
	}
	if k, err := t.sock.Stats(); err == nil {
		st.Lost = k.Rx_dropped + k.Rx_ring_full
	}
	return st
}
