package xsk

import (
	"net/netip"
	"time"

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
