package xsk

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"dcs/fastpath/frame"
)

const (
	maxInterfaces = 64
	maxQueues     = 512
	// maxSending is how many packets of a worker the kernel may have to send at once.
	maxSending = 4096
	minMTU     = 600
	// Octets is the memory of a worker's frames; twice as much if an interface's MTU requires frames of 4 KiB.
	Octets = (1<<14 + maxSending) * 2048
)

// Open opens an AF_XDP socket on each queue. It needs CAP_NET_RAW, CAP_IPC_LOCK or a high limit on locked memory, and
// CAP_NET_ADMIN for Hash and BusyPoll, which are otherwise left out with a warning. An interface whose sockets cannot
// be opened is left out and its error added to Refused; Open fails if all of them are.
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
		return nil, errors.New("no listen address")
	}
	if cfg.Frames <= 0 {
		cfg.Frames = 1 << 14 // at a million packets a second, a pause of the worker of a sixtieth of a second; of a thousandth while it is calm
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

// worker makes a transport without ports.
func (g *Group) worker(cfg Config, i int) error {
	t := &Transport{index: i, group: g, ident: frame.Ident(i)<<12 | 1<<11, sockets: cfg.Sockets[i], tick: cfg.Tick}
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
	// The kernel writes to them in each wait. 64, mostly more than are needed, have cache lines of their own; few would share one with what
	// another worker uses.
	t.polls = append(make([]unix.PollFd, 0, 64), unix.PollFd{Fd: int32(wake), Events: unix.POLLIN})
	for _, fd := range t.sockets.FDs() {
		t.polls = append(t.polls, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	t.sockPolls = len(t.polls)
	g.Transports = append(g.Transports, t)
	return nil
}

// add opens the sockets of an interface, all or none.
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
		return fmt.Errorf("%d queues for %d workers", len(f.Queues), len(g.Transports))
	case mtu < minMTU:
		return fmt.Errorf("MTU %d, must be %d or more", mtu, minMTU)
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
			g.Warnings = append(g.Warnings, fmt.Sprintf("%s: queue selection by addresses alone: %v; handing packets over between workers", f.Name, err))
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

// frameSize returns the frame size that all interfaces need, in octets.
func frameSize(interfaces []Interface) int {
	for _, f := range interfaces {
		if dev, err := openDevice(f.Name); err == nil && int(dev.mtu.Load())+headroom+twoTags > 2048 {
			return 4096
		}
	}
	return 2048
}

// connect gives each transport an inbox from each of the others.
func (g *Group) connect() {
	n := len(g.Transports)
	for _, from := range g.Transports {
		from.outboxes = make([]*mailbox, n)
		from.woken = make([]bool, (n+63)&^63)[:n] // whole cache lines: few octets would share one with those of another worker
		for i, to := range g.Transports {
			if from != to {
				m := newMailbox(inboxSlots(n))
				from.outboxes[i], to.inboxes = m, append(to.inboxes, m)
			}
		}
	}
}

func (g *Group) busyPoll() {
	for _, t := range g.Transports {
		for _, p := range t.ports {
			if p == nil {
				continue
			}
			if err := p.sock.BusyPoll(64); err != nil {
				g.Warnings = append(g.Warnings, fmt.Sprintf("%s: no busy polling: %v", p.dev.name, err))
				return
			}
		}
	}
	for i, dev := range g.devices {
		if err := dev.deferInterrupts(); err != nil {
			g.Warnings = append(g.Warnings, fmt.Sprintf("%s: no busy polling: %v", dev.name, err))
			for _, d := range g.devices[:i+1] {
				d.resumeInterrupts()
			}
			return
		}
	}
	for _, t := range g.Transports {
		t.busy = true
	}
}

// shares returns the share of each interface in a worker's frames, to receive into and to send from: powers of two.
func shares(frames, interfaces int) (rx, tx int) {
	share := func(n int) int { return max(1<<(bits.Len(uint(n/interfaces))-1), 64) }
	return share(1 << bits.Len(uint(max(frames, 128)-1))), share(maxSending)
}
