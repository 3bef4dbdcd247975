package xsk

import (
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"dcs/fastpath/frame"
	"dcs/fastpath/packet"
	"dcs/fastpath/tid"
)

// Config says what to open. A zero field takes the default, but Interfaces, Listen and Sockets must be given.
type Config struct {
	Interfaces []Interface
	// Listen are the addresses and ports where requests are taken; a wildcard stands for all addresses of its family.
	Listen []netip.AddrPort
	// Key says from which of its ports a worker answers a client: that of Sockets.
	Key tid.Key
	// SinglePort: transfers answer from the port that was asked. Which worker has a client's, Owner tells, as it does of the
	// kernel's sockets that share the port; without it each has those that come by its queues.
	SinglePort bool
	Owner      func(client netip.Addr) int
	// Marking says which DSCP answers carry.
	Marking packet.Marking
	// Sockets has each worker's own kernel sockets. They hold the ports, and take what the XDP program passes to the kernel:
	// packets of other interfaces, those that were fragmented, and all of them when the program is detached. Transfers answer from
	// their ports. The Transport owns them from here on, but not if Open fails.
	Sockets []Sockets
	// Hash: have the devices choose the queue by addresses alone, and as they did before when all is closed.
	Hash bool
	// Copy: have the kernel copy packets, even if the driver can do without.
	Copy bool
	// BusyPoll: have the worker run the driver's receive work itself instead of waiting for interrupts, as long as there
	// is work. That changes settings of the interfaces until all is closed.
	BusyPoll bool
	Frames   int           // packets that each worker's queues can hold until they are received; default 16,384, rounded up to a power of two
	Tick     time.Duration // Recv waits at most so long; default 20 ms
}

// Interface is one whose packets are taken. Worker i has the i-th of its queues.
type Interface struct {
	Name   string
	Queues []int // receive queues, no more than there are workers; default all that it has, which Queues tells
	// Zone is the index of the interface that has the addresses: of a bond, for a member of it. Default: its own.
	Zone uint32
	// Attach directs what the XDP program redirects of a queue to the AF_XDP socket fd (an entry of an XSKMAP). The kernel
	// removes it when the socket is closed.
	Attach func(queue, fd int) error
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

const (
	maxInterfaces = 64
	maxQueues     = 512
	// maxSending is how many packets of a worker may be on their way to the wire.
	maxSending = 4096
	minMTU     = 600
	// Octets is what the frames of a worker take of memory; twice as much where an interface's MTU wants frames of 4 KiB.
	Octets = (1<<14 + maxSending) * 2048
)

// Open opens an AF_XDP socket on each queue. It needs CAP_NET_RAW; CAP_IPC_LOCK or a high limit on locked memory; and
// CAP_NET_ADMIN for Hash and BusyPoll, without which these are left out with a warning. An interface whose sockets cannot be
// opened is left out, which Refused tells, unless all are.
func Open(cfg Config) (*Group, error) {
	g, err := open(cfg)
	if err != nil {
		return nil, fmt.Errorf("xsk: %w", err)
	}
	return g, nil
}

func open(cfg Config) (_ *Group, err error) {
	workers := len(cfg.Sockets)
	switch {
	case len(cfg.Interfaces) == 0:
		return nil, errors.New("no interface")
	case len(cfg.Interfaces) > maxInterfaces:
		return nil, fmt.Errorf("%d interfaces, at most %d", len(cfg.Interfaces), maxInterfaces)
	case workers == 0 || workers > maxQueues:
		return nil, fmt.Errorf("%d workers, must be 1 to %d", workers, maxQueues)
	case len(cfg.Listen) == 0:
		return nil, errors.New("no address to listen at")
	}
	if cfg.Frames <= 0 {
		cfg.Frames = 1 << 14 // a sixtieth of a second of a million packets a second: as long may the worker be held up
	}
	if cfg.Tick <= 0 {
		cfg.Tick = 20 * time.Millisecond
	}
	g := &Group{listen: slices.Clone(cfg.Listen), single: cfg.SinglePort, key: cfg.Key, marking: cfg.Marking, owner: cfg.Owner, open: workers}
	for _, l := range cfg.Listen {
		g.portsOf(l.Addr().Is6())[l.Port()] |= requestPort
	}
	defer func() {
		if err != nil {
			for _, t := range g.Transports {
				err = errors.Join(err, t.closePorts())
			}
			g.close()
		}
	}()
	for i := range cfg.Sockets {
		if err := g.worker(cfg, i); err != nil {
			return nil, err
		}
	}
	for _, f := range cfg.Interfaces {
		if err := g.add(cfg, f); err != nil {
			g.Refused = append(g.Refused, fmt.Errorf("%s: %w", f.Name, err))
		}
	}
	if len(g.Refused) == len(cfg.Interfaces) {
		return nil, errors.Join(g.Refused...)
	}
	g.connect()
	if cfg.BusyPoll {
		g.busyPoll()
	}
	return g, nil
}

// A Group is the transports of one server, and what they share.
type Group struct {
	Transports []*Transport
	Refused    []error  // why interfaces were left out
	Warnings   []string // what could not be had

	devices []*device // each with sockets of some transports, in the order of their ports
	size    int       // of a frame, octets; 0: there is none yet
	listen  []netip.AddrPort
	single  bool
	key     tid.Key
	marking packet.Marking
	owner   func(client netip.Addr) int
	wakes   []int // eventfds: they stay open until the last is closed, for others write to them
	// ports has, for IPv4 and IPv6, requestPort, and 1 + the transport whose transfers answer from the port.
	ports [2][1 << 16]uint16

	mu   sync.Mutex
	open int
}

const (
	requestPort = 1 << 15
	ownerMask   = requestPort - 1
)

// worker makes a transport without rings.
func (g *Group) worker(cfg Config, i int) error {
	t := &Transport{index: i, group: g, ident: frame.Ident(i)<<12 | 1<<11, sockets: cfg.Sockets[i], timeout: unix.NsecToTimespec(int64(cfg.Tick))}
	for n, v6 := range [...]bool{false, true} {
		t.tids[n] = t.sockets.Ports(v6)
		for _, port := range t.tids[n] {
			p := &g.portsOf(v6)[port]
			*p = *p&requestPort | uint16(i+1)
		}
	}
	wake, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	g.wakes = append(g.wakes, wake)
	t.polls = []unix.PollFd{{Fd: int32(wake), Events: unix.POLLIN}}
	for _, fd := range t.sockets.FDs() {
		t.polls = append(t.polls, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	t.sockPolls = len(t.polls)
	g.Transports = append(g.Transports, t)
	return nil
}

// add opens the sockets of an interface, or none of them.
func (g *Group) add(cfg Config, f Interface) (err error) {
	dev, err := openDevice(f.Name)
	if err != nil {
		return err
	}
	if dev.zone = f.Zone; dev.zone == 0 {
		dev.zone = uint32(dev.index)
	}
	if f.Queues == nil {
		for q := range dev.queues() {
			f.Queues = append(f.Queues, q)
		}
	}
	switch mtu := dev.mtu.Load(); {
	case len(f.Queues) > len(g.Transports):
		return fmt.Errorf("%d queues and kernel sockets for %d workers", len(f.Queues), len(g.Transports))
	case mtu < minMTU:
		return fmt.Errorf("an MTU of %d: must be %d or more", mtu, minMTU)
	}
	if g.size == 0 {
		g.size = frameSize(cfg.Interfaces)
	}
	number := len(g.devices)
	defer func() {
		if err != nil {
			for _, t := range g.Transports {
				err = errors.Join(err, t.dropPort(number))
			}
			dev.restore()
		}
	}()
	for i, q := range f.Queues {
		if err := g.Transports[i].addPort(cfg, dev, q); err != nil {
			return err
		}
	}
	for _, t := range g.Transports[len(f.Queues):] {
		t.ports = append(t.ports, nil)
	}
	if cfg.Hash && len(f.Queues) > 1 {
		if err := dev.hashAddresses(); err != nil {
			g.Warnings = append(g.Warnings, fmt.Sprintf("%s: cannot have the device choose queues by addresses alone (%v): packets are handed over between workers", f.Name, err))
		}
	}
	for i, q := range f.Queues {
		if err := f.Attach(q, g.Transports[i].ports[number].sock.FD()); err != nil {
			return err
		}
	}
	g.devices = append(g.devices, dev)
	return nil
}

// frameSize returns what frames of all interfaces fit into, octets.
func frameSize(interfaces []Interface) int {
	for _, f := range interfaces {
		if dev, err := openDevice(f.Name); err == nil && int(dev.mtu.Load())+headroom+twoTags > 2048 {
			return 4096
		}
	}
	return 2048
}

func (g *Group) portsOf(v6 bool) *[1 << 16]uint16 {
	if v6 {
		return &g.ports[1]
	}
	return &g.ports[0]
}

// connect gives each transport an inbox from each of the others.
func (g *Group) connect() {
	n := len(g.Transports)
	slots := max(64, min(1024, 1<<bits.Len(uint(8192/(n*n)))))
	for i, t := range g.Transports {
		t.inboxes = make([]*mailbox, n)
		t.woken = make([]bool, n)
		for j := range g.Transports {
			if j != i {
				t.inboxes[j] = newMailbox(slots)
			}
		}
	}
}

func (g *Group) busyPoll() {
	for _, dev := range g.devices {
		if err := dev.deferInterrupts(); err != nil {
			g.Warnings = append(g.Warnings, fmt.Sprintf("%s: no busy polling: %v", dev.name, err))
			return
		}
	}
	for _, t := range g.Transports {
		for _, p := range t.ports {
			if p == nil {
				continue
			}
			if err := p.sock.BusyPoll(64); err != nil {
				g.Warnings = append(g.Warnings, fmt.Sprintf("%s: no busy polling: %v", p.dev.name, err))
				return
			}
			t.busy = true
		}
	}
}

// Sockets returns the descriptors of an interface's sockets by queue, none for one that has no sockets. Interfaces are named by their
// index: names may change.
func (g *Group) Sockets(index int) map[int]int {
	number, ok := g.number(index)
	if !ok {
		return nil
	}
	fds := map[int]int{}
	for _, t := range g.Transports {
		if p := t.ports[number]; p != nil {
			fds[p.queue] = p.sock.FD()
		}
	}
	return fds
}

// Follow says what has become of an interface: its MTU, 0 if that is unknown, and whether it is idle, so that the kernel sends what
// would leave by it. It may be called from any goroutine.
func (g *Group) Follow(index, mtu int, idle bool) {
	if number, ok := g.number(index); ok {
		if mtu > 0 {
			g.devices[number].mtu.Store(int32(mtu))
		}
		g.devices[number].idle.Store(idle)
	}
}

// Taken returns how many packets the kernel has taken for the sockets of an interface, those among them for which they had no room.
// It may be called from any goroutine.
func (g *Group) Taken(index int) uint64 {
	number, ok := g.number(index)
	if !ok {
		return 0
	}
	var n uint64
	for _, t := range g.Transports {
		n += t.taken(number)
	}
	return n
}

func (g *Group) number(index int) (int, bool) {
	i := slices.IndexFunc(g.devices, func(d *device) bool { return d.index == index })
	return i, i >= 0
}

// close gives back what all have in common.
func (g *Group) close() {
	for _, fd := range g.wakes {
		_ = unix.Close(fd)
	}
	for _, dev := range g.devices {
		dev.restore()
	}
}

// shares returns what each of so many interfaces has of a worker's frames, to receive into and to send from: powers of two.
func shares(frames, interfaces int) (rx, tx int) {
	share := func(n int) int { return max(1<<(bits.Len(uint(n/interfaces))-1), 64) }
	return share(1 << bits.Len(uint(max(frames, 128)-1))), share(maxSending)
}
