// Package udp moves packets by UDP sockets, a batch per system call.
package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"dcs/fastpath/packet"
)

// Config says what to open. A zero field but Listen takes the default.
type Config struct {
	Listen     []netip.AddrPort // where requests are taken; port 0 lets the kernel pick one
	SinglePort bool             // answer from the port that was asked, not from ports of the worker's own
	TIDMin     uint16           // first of the ports that transfers answer from, of which each worker takes two for IPv4 and one for IPv6
	TIDMax     uint16           // last of them; 0: the kernel picks
	RcvBuf     int              // receive buffer of each socket, octets; default 32 MiB
	SndBuf     int              // send buffer of each socket, octets; default 4 MiB
	Tick       time.Duration    // Recv waits at most so long; default 20 ms
}

// errPorts: of the range, too few of the ports between TIDMin and TIDMax are free.
var errPorts = fmt.Errorf("too few are free: %w", unix.EADDRINUSE)

// maxListen leaves room for the three ports of transfers in a word with a bit per socket.
const maxListen = 61

// A Transport is one worker's sockets. Recv and Send are for one goroutine.
type Transport struct {
	socks    []*socket // those of running transfers first
	tids     int       // how many of socks those are
	polls    []unix.PollFd
	out      unix.PollFd
	timeout  unix.Timespec
	tick     time.Duration
	wake     int // eventfd
	closed   atomic.Bool
	mu       sync.Mutex // held while the sockets are used, so that Close does not close them under a system call
	warnings []string

	rx    headers
	bound *packet.Packet

	tx     headers
	txSock []uint8

	drops      atomic.Uint64
	sendErrors atomic.Uint64
}

// Open opens the sockets of so many workers: each worker has its own listeners, between which the kernel shares
// out the requests by SO_REUSEPORT, and its own ports for transfers.
func Open(cfg Config, workers int) ([]*Transport, error) {
	if len(cfg.Listen) == 0 || len(cfg.Listen) > maxListen {
		return nil, fmt.Errorf("udp: %d addresses to listen on, must be 1 to %d", len(cfg.Listen), maxListen)
	}
	if cfg.TIDMin > cfg.TIDMax || cfg.TIDMax > 0 && cfg.TIDMin == 0 {
		return nil, fmt.Errorf("udp: range of transfer ports %d-%d is empty", cfg.TIDMin, cfg.TIDMax)
	}
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

// An opener opens the sockets of one worker after the other.
type opener struct {
	Config
	workers  int
	listen   []netip.AddrPort // with the ports that the kernel picked for the first worker
	warnings []string
}

func (o *opener) worker(i int) (*Transport, error) {
	t := &Transport{tick: o.Tick, wake: -1}
	if err := o.open(t, i); err != nil {
		_ = t.Close()
		return nil, err
	}
	return t, nil
}

func (o *opener) open(t *Transport, i int) (err error) {
	var listeners []*socket
	defer func() {
		t.socks = append(t.socks, listeners...)
	}()
	kept := o.listen[:0]
	for _, a := range o.listen {
		s, err := o.listener(i, a)
		if err != nil {
			if i == 0 && len(o.listen) > 1 && a.Addr() == netip.IPv6Unspecified() && errors.Is(err, unix.EAFNOSUPPORT) {
				o.warnings = append(o.warnings, fmt.Sprintf("%v is left out: this host has no IPv6", a))
				continue
			}
			return err
		}
		listeners = append(listeners, s)
		kept = append(kept, netip.AddrPortFrom(a.Addr(), s.local.Port()))
	}
	o.listen = kept
	for _, v6 := range [...]bool{false, true} {
		if err := o.transfers(t, i, v6, listeners); err != nil {
			return err
		}
	}
	t.tids = len(t.socks)
	t.socks = append(t.socks, listeners...)
	listeners = nil
	for _, s := range t.socks {
		if err := o.buffers(s); err != nil {
			return err
		}
	}
	if t.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return fmt.Errorf("udp: eventfd: %w", err)
	}
	for _, s := range t.socks {
		t.polls = append(t.polls, unix.PollFd{Fd: int32(s.fd), Events: unix.POLLIN})
	}
	t.polls = append(t.polls, unix.PollFd{Fd: int32(t.wake), Events: unix.POLLIN})
	return nil
}

// listener opens worker i's socket for requests to a.
func (o *opener) listener(i int, a netip.AddrPort) (*socket, error) {
	if o.workers == 1 {
		return open(a, requests)
	}
	if i == 0 && a.Port() != 0 {
		// SO_REUSEPORT would let a second server take half of the first one's requests.
		s, err := open(a, requests)
		if err != nil {
			return nil, err
		}
		s.close()
	}
	return open(a, requests|shared)
}

// transfers opens worker i's ports for transfers of one address family and makes the listeners name them.
func (o *opener) transfers(t *Transport, i int, v6 bool, listeners []*socket) error {
	var at netip.Addr
	for _, l := range listeners {
		if l.v6 != v6 {
			continue
		}
		if o.SinglePort {
			l.tid = l.local.Port()
			continue
		}
		switch a := l.local.Addr().WithZone(l.zone); {
		case !at.IsValid():
			at = a
		case at != a && v6:
			at = netip.IPv6Unspecified()
		case at != a:
			at = netip.IPv4Unspecified()
		}
	}
	if !at.IsValid() {
		return nil
	}
	tid, err := o.tid(t, i, at, transfers)
	if err != nil {
		return err
	}
	wide := uint16(0)
	if !v6 {
		if wide, err = o.tid(t, i, at, transfers|large); err != nil {
			return err
		}
	}
	for _, l := range listeners {
		if l.v6 == v6 {
			l.tid, l.wide = tid, wide
		}
	}
	return nil
}

// tid opens one port for transfers.
func (o *opener) tid(t *Transport, i int, at netip.Addr, r role) (uint16, error) {
	step := o.workers
	port := int(o.TIDMin) + i
	if o.TIDMax == 0 {
		port, step = 0, 0
	}
	for port <= int(o.TIDMax) {
		s, err := open(netip.AddrPortFrom(at, uint16(port)), r)
		if err == nil {
			t.socks = append(t.socks, s)
			return s.local.Port(), nil
		}
		if step == 0 || !errors.Is(err, unix.EADDRINUSE) {
			return 0, err
		}
		port += step
	}
	return 0, fmt.Errorf("udp: transfer ports %d-%d: %d workers, %w", o.TIDMin, o.TIDMax, o.workers, errPorts)
}

func (o *opener) buffers(s *socket) error {
	for _, b := range [...]struct {
		name, limit        string
		force, plain, want int
	}{
		{"receive", "net.core.rmem_max", unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, o.RcvBuf},
		{"send", "net.core.wmem_max", unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, o.SndBuf},
	} {
		got, err := s.buffer(b.force, b.plain, b.want)
		if err != nil {
			return fmt.Errorf("udp: %s buffer of %v: %w", b.name, s.local, err)
		}
		if got < b.want {
			w := fmt.Sprintf("%s buffer is %d octets, not %d: raise %s or grant CAP_NET_ADMIN", b.name, got, b.want, b.limit)
			if n := len(o.warnings); n < 2 || o.warnings[n-1] != w && o.warnings[n-2] != w {
				o.warnings = append(o.warnings, w)
			}
		}
	}
	return nil
}

// Warnings returns what the kernel did not grant, once for all workers: those of the first Transport
// that Open returned.
func (t *Transport) Warnings() []string { return t.warnings }

// Addrs returns the addresses that requests are taken at.
func (t *Transport) Addrs() []netip.AddrPort {
	var as []netip.AddrPort
	for _, s := range t.socks[t.tids:] {
		as = append(as, s.local)
	}
	return as
}

// Ports returns the ports that transfers answer from: those of one address family, 0 where there is none. wide is for transfers
// with large blocks, 0 where tid serves for them too.
func (t *Transport) Ports(v6 bool) (tid, wide uint16) {
	for _, s := range t.socks[t.tids:] {
		if s.v6 == v6 {
			return s.tid, s.wide
		}
	}
	return 0, 0
}

// FDs returns the sockets' descriptors, for another's poll. Those of a closed Transport must not be used.
func (t *Transport) FDs() []int {
	var fds []int
	for _, s := range t.socks {
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
	for _, s := range t.socks {
		s.close()
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
	if n, err = t.collect(t.socks[:t.tids], batch, 0, quota); err != nil {
		return n, err
	}
	more := n == quota && t.tids > 0
	if n, err = t.collect(t.socks[t.tids:], batch, n, len(batch)); err != nil || !more {
		return n, err
	}
	// Requests have not used their quarter.
	return t.collect(t.socks[:t.tids], batch, n, len(batch))
}

// collect fills batch[n:to] from socks.
func (t *Transport) collect(socks []*socket, batch []packet.Packet, n, to int) (int, error) {
	for _, s := range socks {
		if n == to {
			break
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
	for i, s := range t.socks {
		s.skip = idleRounds
		if t.polls[i].Revents != 0 {
			s.skip = 0
		}
	}
	return r > 0, nil
}

// Send sends the packets of batch, those of one socket in one system call.
func (t *Transport) Send(batch []packet.Packet) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed.Load() {
		return net.ErrClosed
	}
	if len(batch) > len(t.tx.msgs) {
		t.tx.grow(len(batch))
		t.txSock = make([]uint8, len(batch))
	}
	const nobody = 0xff
	var used uint64 // bit per socket
	hint := uint8(0)
	for i := range batch {
		p := &batch[i]
		v6 := p.Peer.Addr().Is6()
		if !t.socks[hint].owns(p.Local, v6) {
			hint = nobody
			for j, s := range t.socks {
				if s.owns(p.Local, v6) {
					hint = uint8(j)
					break
				}
			}
		}
		t.txSock[i] = hint
		if hint == nobody {
			t.sendErrors.Add(1)
			hint = 0
			continue
		}
		used |= 1 << hint
	}
	for j, s := range t.socks {
		if used&(1<<j) == 0 {
			continue
		}
		n := 0
		for i := range batch {
			if t.txSock[i] == uint8(j) {
				t.tx.fill(n, &batch[i], s)
				n++
			}
		}
		if err := t.transmit(s, n); err != nil {
			return err
		}
	}
	return nil
}
