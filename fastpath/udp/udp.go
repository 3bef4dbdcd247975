// Package udp moves packets through UDP sockets, a batch per system call.
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

// Config configures Open. Zero fields other than Listen take their defaults.
type Config struct {
	Listen     []netip.AddrPort // addresses for requests; port 0 lets the kernel pick one
	SinglePort bool             // answer from the request port, not from transfer ports of the worker
	Key        tid.Key          // chooses the port that a client is answered from; the same for all workers
	TIDs       int              // transfer ports of each worker and address family; default 16, at most 4,096
	TIDMin     uint16           // first port of the range for transfer ports; its free ports are dealt out to the workers
	TIDMax     uint16           // last port of the range; 0: the kernel picks
	Marking    packet.Marking   // DSCP of answers
	Raw        bool             // send by raw sockets, if permitted (CAP_NET_RAW): one system call for all ports of a worker
	NoSegments bool             // send each block of a window by itself even if the kernel has UDP_SEGMENT
	RcvBuf     int              // receive buffer of each socket, octets; default 32 MiB
	SndBuf     int              // send buffer of each socket, octets; default 4 MiB
	Tick       time.Duration    // longest wait of Recv; default 20 ms
}

// maxListen bounds the number of listen addresses.
const maxListen = 61

// A Transport is one worker's sockets. Recv and Send are for one goroutine.
type Transport struct {
	key       tid.Key
	marking   packet.Marking
	families  [2]family // IPv4 and IPv6
	listeners []*socket
	reading   []*socket // sockets of running transfers, then the listeners
	tids      int       // how many of reading are for transfers
	polls     []unix.PollFd
	out       unix.PollFd
	timeout   unix.Timespec
	tick      time.Duration
	wake      int // eventfd
	closed    atomic.Bool
	mu        sync.Mutex // held while the sockets are in use, so that Close does not close them during a system call
	warnings  []string
	vrfs      map[uint32]uint32 // VRF device by interface, both by index; guarded by mu

	rx     headers
	errors *errorHeaders
	bound  *packet.Packet

	tx       headers
	one      headers // for a single packet
	txSock   []*socket
	segments bool // the kernel cuts messages into segments
	refused  refusalTable
	row      int         // refused windows since one was sent whole
	pause    uint32      // for so many more calls of Send no window is sent whole
	sends    uint32      // calls of Send
	last     int         // packets of the last batch received
	ident    frame.Ident // last identification of an IPv4 packet that may be fragmented

	drops      atomic.Uint64
	sendErrors atomic.Uint64
}

// A family is a worker's transfer ports of one address family.
type family struct {
	ports    []uint16
	socks    []*socket          // sockets of ports, in the same order
	at       map[uint16]*socket // by port
	own      [1 << 10]uint64    // a bit for each port
	raw      *socket            // sends for all ports; nil: none
	gathered bool               // socks[0] receives for all ports
}

func (t *Transport) family(v6 bool) *family {
	if v6 {
		return &t.families[1]
	}
	return &t.families[0]
}

// Check reports errors in a configuration for so many workers that do not depend on the host.
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

// Open opens the sockets of so many workers. Each worker has its own listeners, among which the kernel distributes
// requests by SO_REUSEPORT, and its own transfer ports.
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

// Warnings returns what the kernel did not grant to any of the workers. Only the first Transport returned by Open has
// them.
func (t *Transport) Warnings() []string { return t.warnings }

// Addrs returns the listen addresses.
func (t *Transport) Addrs() []netip.AddrPort {
	var as []netip.AddrPort
	for _, s := range t.listeners {
		as = append(as, s.local)
	}
	return as
}

// Ports returns the transfer ports of one address family in the order for tid.Pick; none with a single port.
func (t *Transport) Ports(v6 bool) []uint16 { return t.family(v6).ports }

// FDs returns the descriptors of the sockets that are read, for polling. They must not be used after Close.
func (t *Transport) FDs() []int {
	var fds []int
	for _, s := range t.reading {
		fds = append(fds, s.fd)
	}
	return fds
}

// Listeners returns the descriptors of the listening sockets, in the order of Addrs.
func (t *Transport) Listeners() []int { return t.FDs()[t.tids:] }

// Drops returns the number of packets dropped by the kernel because a receive buffer was full (SO_RXQ_OVFL). The count
// is updated when a later packet arrives.
func (t *Transport) Drops() uint64 { return t.drops.Load() }

// SendErrors returns the number of packets that the kernel refused to send.
func (t *Transport) SendErrors() uint64 { return t.sendErrors.Load() }

// Close closes the sockets; a waiting Recv returns net.ErrClosed.
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

// idleRounds is for how many calls Recv skips a socket that was empty while others are busy: an empty system call costs
// as much as a packet. If a call receives nothing else, the skipped sockets are read in that call.
const idleRounds = 3

// Recv fills batch from the front and returns the number of packets, 0 after a tick without any. Packets of running
// transfers come first and leave a quarter of the batch to requests. It is most efficient with the same batch each
// time.
func (t *Transport) Recv(batch []packet.Packet) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.prepare(batch); err != nil || len(batch) == 0 {
		return 0, err
	}
	if t.last >= busy {
		if n, err := t.sweep(batch); n > 0 || err != nil {
			t.last = n
			return n, err
		}
	}
	ready, err := t.poll(t.tick)
	if t.closed.Load() {
		return 0, net.ErrClosed
	}
	if err != nil || !ready {
		t.last = 0
		return 0, err
	}
	t.last, err = t.sweep(batch)
	return t.last, err
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

// prepare points the receive headers at the memory of batch.
func (t *Transport) prepare(batch []packet.Packet) error {
	if t.closed.Load() {
		return net.ErrClosed
	}
	if len(batch) > 0 && (t.bound != &batch[0] || len(t.rx.msgs) != len(batch)) {
		t.bind(batch)
	}
	return nil
}

// sweep receives what is queued, without waiting.
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

// busy is from how many packets in the last batch on Recv expects more to be queued, and does not wait first. With fewer
// the sockets are likely to be empty, and a system call that says so costs as much as the wait, which has to follow.
const busy = 8

// brief is how long a wait keeps the worker's processor from other goroutines. The scheduler watches the waits that it
// knows of, and takes processors from them. Without that a block for one of twelve clients that wait for each block costs
// 9.8 µs of CPU time instead of 11.8.
const brief = time.Millisecond

// poll waits for a packet, at most that long. The scheduler ends the brief part by a signal if it needs the processor.
func (t *Transport) poll(wait time.Duration) (bool, error) {
	t.timeout = unix.NsecToTimespec(int64(min(wait, brief)))
	r, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&t.polls[0])), uintptr(len(t.polls)), uintptr(unsafe.Pointer(&t.timeout)), 0, 0, 0)
	if (r == 0 && errno == 0 || errno == unix.EINTR) && wait > brief {
		t.timeout = unix.NsecToTimespec(int64(wait - brief))
		r, _, errno = unix.Syscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&t.polls[0])), uintptr(len(t.polls)), uintptr(unsafe.Pointer(&t.timeout)), 0, 0, 0)
	}
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
