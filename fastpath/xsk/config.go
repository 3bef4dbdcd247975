package xsk

import (
	"net/netip"
	"time"

	"dcs/fastpath/packet"
	"dcs/fastpath/tid"
)

// Config configures a Group. Interfaces, Listen and Sockets are required; other zero fields take their defaults.
type Config struct {
	Interfaces []Interface
	// Listen are the addresses and ports to accept requests on; a wildcard stands for all addresses of its family.
	Listen []netip.AddrPort
	// Key chooses the port that a worker answers a client from; the same as that of Sockets.
	Key tid.Key
	// SinglePort: transfers answer from the port that was asked. Which worker has a client's, Owner tells, as it does of the
	// kernel's sockets that share the port; without it each has those that come by its queues.
	SinglePort bool
	Owner      func(client netip.Addr) int
	// Marking is the DSCP of answers.
	Marking packet.Marking
	// Sockets has each worker's own kernel sockets. They hold the ports, and take what the XDP program passes to the kernel:
	// packets of other interfaces, those that were fragmented, and all of them when the program is detached. Transfers answer from
	// their ports. The Transport owns them from here on, but not if Open fails.
	Sockets []Sockets
	// Hash makes the devices choose the receive queue by addresses alone, until the group is closed.
	Hash bool
	// Copy forces copy mode, even if the driver supports zero-copy.
	Copy bool
	// BusyPoll makes the worker run the driver's receive work itself instead of waiting for interrupts, as long as there is
	// work. It changes settings of the interfaces until the group is closed.
	BusyPoll bool
	Frames   int           // packets that a worker's queues hold until they are received; default 16,384, rounded up to a power of two
	Tick     time.Duration // the longest wait of Recv; default 20 ms
}

// An Interface is an interface to receive packets from. Worker i serves the i-th of its queues.
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
