// Package udp moves packets by UDP sockets, a batch per system call.
package udp

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"dcs/fastpath/frame"
	"dcs/fastpath/packet"
	"dcs/fastpath/tid"
)

// Config says what to open. A zero field but Listen takes the default.
type Config struct {
	Listen     []netip.AddrPort // where requests are taken; port 0 lets the kernel pick one
	SinglePort bool             // answer from the port that was asked, not from ports of the worker's own
	Key        tid.Key          // says from which port a client is answered; one for all that serve it
	TIDs       int              // ports that transfers answer from, of each worker and address family; default 16, at most 4,096
	TIDMin     uint16           // first of a range to take them from: as many as it has, the workers in turn
	TIDMax     uint16           // last of it; 0: the kernel picks
	Marking    packet.Marking   // DSCP that answers carry
	Raw        bool             // send by raw sockets, if the process may (CAP_NET_RAW): all ports of a worker in one system call
	RcvBuf     int              // receive buffer of each socket, octets; default 32 MiB
	SndBuf     int              // send buffer of each socket, octets; default 4 MiB
	Tick       time.Duration    // Recv waits at most so long; default 20 ms
}

// maxListen bounds the addresses that requests are taken at.
const maxListen = 61

// A Transport is one worker's sockets. Recv and Send are for one goroutine.
type Transport struct {
	key       tid.Key
	marking   packet.Marking
	families  [2]family // of IPv4 and of IPv6
	listeners []*socket
	reading   []*socket // those of running transfers, then the listeners
	tids      int       // how many of reading those are
	polls     []unix.PollFd
	out       unix.PollFd
	timeout   unix.Timespec
	tick      time.Duration
	wake      int // eventfd
	closed    atomic.Bool
	mu        sync.Mutex // held while the sockets are used, so that Close does not close them under a system call
	warnings  []string
	vrfs      map[uint32]uint32 // interfaces in VRFs, with the index of the VRF's device; guarded by mu

	rx     headers
	errors *errorHeaders
	bound  *packet.Packet

	tx     headers
	one    headers // for a packet on its own
	txSock []*socket
	ident  frame.Ident // of the IPv4 packet that may be fragmented, which was sent last

	drops      atomic.Uint64
	sendErrors atomic.Uint64
}

// A family is what a worker has of one address family, to answer from.
type family struct {
	ports    []uint16
	socks    []*socket          // bound to these, in their order
	at       map[uint16]*socket // by port
	own      [1 << 10]uint64    // a bit for each of them
	raw      *socket            // sends for all of them; nil: none
	gathered bool               // socks[0] receives for all of them
}

func (t *Transport) family(v6 bool) *family {
	if v6 {
		return &t.families[1]
	}
	return &t.families[0]
}

// Check tells what is wrong with a configuration for so many workers, whatever the host has to give.
func (c *Config) Check(workers int) error {
	if len(c.Listen) == 0 || len(c.Listen) > maxListen {
		return fmt.Errorf("udp: %d addresses to listen on, must be 1 to %d", len(c.Listen), maxListen)
	}
	if c.TIDMin > c.TIDMax || c.TIDMax > 0 && c.TIDMin == 0 {
		return fmt.Errorf("udp: transfer ports %d-%d: empty range", c.TIDMin, c.TIDMax)
	}
	if n := int(c.TIDMax) - int(c.TIDMin) + 1; c.TIDMax > 0 && !c.SinglePort && n < workers {
		return fmt.Errorf("udp: transfer ports %d-%d: %d for %d workers; each needs one", c.TIDMin, c.TIDMax, n, workers)
	}
	return nil
}

// Open opens the sockets of so many workers: each worker has its own listeners, between which the kernel shares
// out the requests by SO_REUSEPORT, and its own ports for transfers.
func Open(cfg Config, workers int) ([]*Transport, error) {
	if err := cfg.Check(workers); err != nil {
		return nil, err
	}
	if cfg.TIDs <= 0 {
		cfg.TIDs = 16
	}
	cfg.TIDs = min(cfg.TIDs, maxTIDs)
	if cfg.RcvBuf <= 0 {
		cfg.RcvBuf = 32 << 20
	}
	if cfg.SndBuf <= 0 {
		cfg.SndBuf = 4 << 20
	}
	if cfg.Tick <= 0 {
		cfg.Tick = 20 * time.Millisecond
	}
	o := opener{Config: cfg, workers: max(workers, 1), listen: append([]netip.AddrPort(nil), cfg.Listen...)}
	ts := make([]*Transport, 0, o.workers)
	for i := range o.workers {
		t, err := o.worker(i)
		if err != nil {
			for _, t := range ts {
				_ = t.Close()
			}
			return nil, err
		}
		ts = append(ts, t)
	}
	ts[0].warnings = o.warnings
	return ts, nil
}

// Warnings returns what the kernel did not grant, once for all workers: those of the first Transport
// that Open returned.
func (t *Transport) Warnings() []string { return t.warnings }

// Addrs returns the addresses that requests are taken at.
func (t *Transport) Addrs() []netip.AddrPort {
	var as []netip.AddrPort
	for _, s := range t.listeners {
		as = append(as, s.local)
	}
	return as
}

// Ports returns the ports of one address family that transfers answer from, in the order that tid.Pick has them in; none
// with a single port.
func (t *Transport) Ports(v6 bool) []uint16 { return t.family(v6).ports }

// FDs returns the descriptors of the sockets that are read, for another's poll. Those of a closed Transport must not be used.
func (t *Transport) FDs() []int {
	var fds []int
	for _, s := range t.reading {
		fds = append(fds, s.fd)
	}
	return fds
}

// Listeners returns the descriptors of the sockets that take requests, in the order of Addrs.
func (t *Transport) Listeners() []int { return t.FDs()[t.tids:] }

// Drops returns the number of packets that the kernel threw away because a receive buffer was full
// (SO_RXQ_OVFL). It is known when a later packet comes.
func (t *Transport) Drops() uint64 { return t.drops.Load() }

// SendErrors returns the number of packets that the kernel did not take.
func (t *Transport) SendErrors() uint64 { return t.sendErrors.Load() }

// Close closes the sockets; a Recv that waits returns net.ErrClosed.
func (t *Transport) Close() error {
	if t.closed.Swap(true) {
		return nil
	}
	if t.wake >= 0 {
		_, _ = unix.Write(t.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.listeners {
		s.close()
	}
	for i := range t.families {
		t.families[i].close()
	}
	if t.wake >= 0 {
		_ = unix.Close(t.wake)
	}
	return nil
}

// idleRounds is for how many calls Recv passes over a socket that was empty while others are busy: an empty system
// call costs as much as a packet. A socket that was passed over in a call that finds nothing is polled in that call.
const idleRounds = 3

// Recv fills batch from the front and returns the number of packets, 0 after a tick without any. Packets of running
// transfers come first and leave a quarter of the batch to requests. It should be given the same batch each time.
func (t *Transport) Recv(batch []packet.Packet) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.prepare(batch); err != nil || len(batch) == 0 {
		return 0, err
	}
	if n, err := t.sweep(batch); n > 0 || err != nil {
		return n, err
	}
	ready, err := t.poll(t.tick)
	if t.closed.Load() {
		return 0, net.ErrClosed
	}
	if err != nil || !ready {
		return 0, err
	}
	return t.sweep(batch)
}

// TryRecv is Recv without waiting.
func (t *Transport) TryRecv(batch []packet.Packet) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.prepare(batch); err != nil || len(batch) == 0 {
		return 0, err
	}
	if ready, err := t.poll(0); err != nil || !ready {
		return 0, err
	}
	return t.sweep(batch)
}

// prepare has the receive headers stand over the memory of batch.
func (t *Transport) prepare(batch []packet.Packet) error {
	if t.closed.Load() {
		return net.ErrClosed
	}
	if len(batch) > 0 && (t.bound != &batch[0] || len(t.rx.msgs) != len(batch)) {
		t.bind(batch)
	}
	return nil
}

// sweep takes what is there without waiting.
func (t *Transport) sweep(batch []packet.Packet) (n int, err error) {
	quota := len(batch) - len(batch)/4
	if n, err = t.collect(t.reading[:t.tids], batch, 0, quota); err != nil {
		return n, err
	}
	more := n == quota && t.tids > 0
	if n, err = t.collect(t.reading[t.tids:], batch, n, len(batch)); err != nil || !more {
		return n, err
	}
	// Requests have not used their quarter.
	return t.collect(t.reading[:t.tids], batch, n, len(batch))
}

// collect fills batch[n:to] from socks.
func (t *Transport) collect(socks []*socket, batch []packet.Packet, n, to int) (int, error) {
	for _, s := range socks {
		if n == to {
			break
		}
		if s.queued {
			var err error
			if n, err = t.recvErrors(s, batch, n, to); err != nil || n == to {
				return n, err
			}
		}
		if s.skip > 0 {
			s.skip--
			continue
		}
		k, err := t.recv(s, batch, n, to)
		if err != nil {
			return n, err
		}
		if k == 0 {
			s.skip = idleRounds
		}
		n += k
	}
	return n, nil
}

// poll waits for a packet, at most so long. It uses Syscall6, not RawSyscall6, so that others may run meanwhile.
func (t *Transport) poll(wait time.Duration) (bool, error) {
	t.timeout = unix.NsecToTimespec(int64(wait))
	r, _, errno := unix.Syscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&t.polls[0])), uintptr(len(t.polls)), uintptr(unsafe.Pointer(&t.timeout)), 0, 0, 0)
	if errno == unix.EINTR {
		return false, nil
	}
	if errno != 0 {
		return false, fmt.Errorf("udp: ppoll: %w", errno)
	}
	for i, s := range t.reading {
		s.skip = idleRounds
		if t.polls[i].Revents != 0 {
			s.skip = 0
		}
		if t.polls[i].Revents&unix.POLLERR != 0 && s.errors {
			s.queued = true
		}
	}
	return r > 0, nil
}
