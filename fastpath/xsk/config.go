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
	// Listen holds the addresses and ports to accept requests on; a wildcard stands for all addresses of its family.
	Listen []netip.AddrPort
	// Key chooses the port that a worker answers a client from; the same as in Sockets.
	Key tid.Key
	// SinglePort makes transfers answer from the request port. Owner then returns the worker of a client, by which the
	// packets of kernel sockets that share the port are distributed too; without it, each worker has the clients whose
	// packets arrive on its queues.
	SinglePort bool
	Owner      func(client netip.Addr) int
	// Marking is the DSCP of answers.
	Marking packet.Marking
	// Sockets holds each worker's own kernel sockets. They hold the ports and receive what the XDP program passes to
	// the kernel: packets of other interfaces, reassembled fragments, and everything once the program is detached.
	// Transfers answer from their ports. The Transports own them from here on, unless Open fails.
	Sockets []Sockets
	// Hash makes the devices choose the receive queue by addresses alone until the group is closed.
	Hash bool
	// Copy forces copy mode, even if the driver supports zero-copy.
	Copy bool
	// BusyPoll makes the worker run the driver's receive work itself instead of waiting for interrupts, as long as there is
	// work. It changes settings of the interfaces that are 0 until the group is closed.
	BusyPoll bool
	// Frames is how many packets a worker's queues hold until they are received, at most: without zero-copy, a queue whose worker has kept up
	// for a while holds 1,024. Default 16,384, rounded up to a power of two.
	Frames int
	Tick   time.Duration // the longest wait of Recv; default 20 ms
}

// An Interface is an interface to receive packets from. Worker i serves the i-th queue of Queues.
type Interface struct {
	Name   string
	Queues []int // receive queues, at most one per worker; default: all, see [Queues]
	// Zone is the index of the interface that has the addresses: for a member of a bond, the bond. Default: its own.
	Zone uint32
	// Attach makes the XDP program redirect packets of a queue to the AF_XDP socket fd (an entry of an XSKMAP). The
	// kernel removes the entry when the socket is closed.
	Attach func(queue, fd int) error
}

// Sockets is one worker's kernel sockets. The Transport of package udp has these methods.
type Sockets interface {
	// TryRecv is like Recv, but does not wait.
	TryRecv(batch []packet.Packet) (int, error)
	Send(batch []packet.Packet) error
	Close() error
	Drops() uint64
	SendErrors() uint64
	// FDs returns the descriptors to poll.
	FDs() []int
	// Ports returns the transfer ports of one address family in the order for tid.Pick; none with a single port.
	Ports(v6 bool) []uint16
}
