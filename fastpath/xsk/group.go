package xsk

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"dcs/fastpath/packet"
	"dcs/fastpath/tid"
)

// A Group holds the transports of one server and what they share.
type Group struct {
	Transports []*Transport
	Refused    []error  // errors of interfaces that are not served
	Warnings   []string // features that are unavailable

	devices []*device // with the sockets of some transports, in the order of their ports
	size    int       // size of a frame, octets; 0: no memory yet
	listen  []netip.AddrPort
	single  bool
	key     tid.Key
	marking packet.Marking
	owner   func(client netip.Addr) int
	wakes   []int // eventfds, open until the last transport is closed, as others write to them
	// ports has, for IPv4 and IPv6 and each port, requestPort, and 1 + the index of the transport that answers
	// transfers from it.
	ports [2][1 << 16]uint16

	tap atomic.Pointer[Tap] // nil: not active

	mu   sync.Mutex
	open int
}

const (
	requestPort = 1 << 15
	ownerMask   = requestPort - 1
)

// Sockets returns the file descriptors of an interface's sockets by queue, nil if it has none. Interfaces are
// identified by index, as names may change.
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

// Follow updates the MTU of an interface (0: unknown) and whether it is idle, in which case the kernel sends instead.
// It may be called from any goroutine.
func (g *Group) Follow(index, mtu int, idle bool) {
	if number, ok := g.number(index); ok {
		if mtu > 0 {
			g.devices[number].mtu.Store(int32(mtu))
		}
		g.devices[number].idle.Store(idle)
	}
}

// Taken returns how many packets the kernel has redirected to the sockets of an interface, including those dropped for
// lack of room. It may be called from any goroutine.
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

// close releases what the transports share.
func (g *Group) close() {
	for _, fd := range g.wakes {
		_ = unix.Close(fd)
	}
	for _, dev := range g.devices {
		dev.restore()
	}
}
