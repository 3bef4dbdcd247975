// Package xsk moves packets through AF_XDP sockets: frames that an XDP program redirects past the kernel's network
// stack.
package xsk

import (
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"dcs/fastpath/frame"
	"dcs/fastpath/packet"
	"dcs/fastpath/xsk/ring"
)

// A Transport serves one worker: the AF_XDP socket of one queue of each interface, and kernel sockets for all other packets. Recv and
// Send must be called from one goroutine.
type Transport struct {
	index   int // in its group
	group   *Group
	ports   []*port // by interface; nil: no queue of that interface
	mem     []byte
	size    int    // size of a frame, octets
	used    uint64 // number of frames that have ever been used
	sockets Sockets
	busy    bool
	tids    [2][]uint16 // transfer ports over IPv4 and IPv6, read by the others for packets that they hand over

	_      [64]byte   // between that and what its own worker writes in each call
	mu     sync.Mutex // held while the sockets are in use, so that Close does not close them during a system call
	closed atomic.Bool
	statMu sync.Mutex
	final  Stats // set by Close

	polls     []unix.PollFd // the eventfd, the kernel sockets, the ports
	sockPolls int           // index of the first kernel socket
	tick      time.Duration
	rounds    uint
	recent    bool // the last packet came after a short sleep
	spun      bool // in vain, before the current sleep
	rx        []ring.Desc
	ident     frame.Ident
	free      []uint64 // frames to send from

	inboxes  []*mailbox // those that others of the group write to
	outboxes []*mailbox // by transport of the group; nil for itself
	woken    []bool     // by transport of the group: got a packet in this round

	_        [64]byte
	sleeping atomic.Bool // read by the others
	_        [64]byte

	count [numCounters]atomic.Uint64
}

const (
	txRoom     = packet.Headroom
	rxRoom     = 2048   // longest packet that is received whole, octets
	headroom   = 256    // room of a driver in front of a frame (XDP_PACKET_HEADROOM)
	twoTags    = 14 + 8 // Ethernet header with two VLAN tags, octets
	dataHeader = 4      // header of a DATA packet, octets
	oneTag     = 14 + 4 // Ethernet header that devices accept in addition to their MTU, octets; a second tag reduces the payload
	// lookAside is for how many calls Recv skips the kernel sockets while packets keep arriving.
	lookAside = 64
)

// MaxBlksize returns the largest block that fits into a frame, octets. An interface's MTU may allow less: see packet.Packet.MaxBlksize.
func (t *Transport) MaxBlksize() int { return t.size - txRoom - dataHeader }

// leastBlksize returns the largest block that fits into one frame of every interface with a link-layer header of so
// many octets.
func (t *Transport) leastBlksize(v6 bool, link int) uint16 {
	least := uint16(math.MaxUint16)
	for _, dev := range t.group.devices {
		least = min(least, dev.maxBlksize(t.size, v6, link))
	}
	return least
}

// Slabs returns packets to receive into and packets to send from. It may be called only once.
func (t *Transport) Slabs(n, _ int) (rx, tx []packet.Packet) {
	rx = packet.NewSlab(n, 0, rxRoom)
	tx = make([]packet.Packet, min(n, len(t.free)/2))
	for i := range tx {
		tx[i].SetBuffer(t.take(), txRoom)
	}
	t.rx = make([]ring.Desc, n)
	return rx, tx
}

// take returns a frame to send from.
func (t *Transport) take() []byte {
	f := t.free[len(t.free)-1]
	t.free = t.free[:len(t.free)-1]
	return t.mem[f : f+uint64(t.size) : f+uint64(t.size)]
}

// Close closes the sockets; a waiting Recv returns net.ErrClosed.
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

// BusyPolls reports whether the worker runs the drivers' receive work.
func (t *Transport) BusyPolls() bool { return t.busy }

// ZeroCopy reports whether the drivers move packets without copying them.
func (t *Transport) ZeroCopy() bool { return t.owner() != nil && t.owner().ZeroCopy() }
