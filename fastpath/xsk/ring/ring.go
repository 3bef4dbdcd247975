// Package ring is one AF_XDP socket: memory for frames that it shares with the kernel and perhaps with other sockets, and the
// four rings in which frames change hands (Documentation/networking/af_xdp.rst).
//
// A frame belongs to one side at a time. Fill gives frames to the kernel to receive into, Receive takes them back with a
// packet; Transmit gives frames to the kernel to send, Complete takes them back. All methods but Close, Delivered and Stats are for one
// goroutine. None allocates.
package ring

import (
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Desc names a piece of the shared memory, at most one frame of it. Its Options are of no use here, and must be 0.
type Desc = unix.XDPDesc

// Socket is one AF_XDP socket.
type Socket struct {
	fd       int
	zeroCopy bool
	mem      []byte
	shared   bool // mem is another's
	maps     [][]byte

	fill, tx producer
	comp, rx consumer
}

// indices are a ring's: those written by the other side are read with acquire and ours written with release semantics,
// which sync/atomic's are and more.
type indices struct {
	producer, consumer, flags *uint32
	base                      unsafe.Pointer // of the entries
	mask                      uint32
}

// producer is a ring that we fill.
type producer struct {
	indices
	next  uint32 // our producer index
	limit uint32 // up to which there was room when we last looked
}

// consumer is a ring that the kernel fills.
type consumer struct {
	indices
	next  uint32 // our consumer index
	there uint32 // the kernel's producer index when we last looked
}

// reserve returns how many of n entries fit.
func (p *producer) reserve(n int) int {
	if free := p.limit - p.next; uint32(n) > free {
		p.limit = atomic.LoadUint32(p.consumer) + p.mask + 1
	}
	return min(n, int(p.limit-p.next))
}

func (p *producer) publish(n int) {
	p.next += uint32(n)
	atomic.StoreUint32(p.producer, p.next)
}

// peek returns how many of at most n entries are there.
func (c *consumer) peek(n int) int {
	if uint32(n) > c.there-c.next {
		c.there = atomic.LoadUint32(c.producer)
	}
	return min(n, int(c.there-c.next))
}

func (c *consumer) release(n int) {
	c.next += uint32(n)
	atomic.StoreUint32(c.consumer, c.next)
}

func (i *indices) entry(at uint32, size uintptr) unsafe.Pointer {
	return unsafe.Add(i.base, uintptr(at&i.mask)*size)
}

// FD returns the file descriptor, for poll and for an XSKMAP.
func (s *Socket) FD() int { return s.fd }

// ZeroCopy reports whether the driver works on the frames themselves.
func (s *Socket) ZeroCopy() bool { return s.zeroCopy }

// Memory returns all frames, one behind the other. An address in a Desc is an offset in it.
func (s *Socket) Memory() []byte { return s.mem }

// Fill gives the kernel frames to receive into, by their addresses, and returns how many there was room for.
func (s *Socket) Fill(frames []uint64) int {
	r := &s.fill
	n := r.reserve(len(frames))
	for i, a := range frames[:n] {
		*(*uint64)(r.entry(r.next+uint32(i), 8)) = a
	}
	if n > 0 {
		r.publish(n)
	}
	return n
}

// Receive takes packets that have arrived and returns how many. Their Addr is where the packet begins, which need not be where
// its frame does.
func (s *Socket) Receive(descs []Desc) int {
	r := &s.rx
	n := r.peek(len(descs))
	for i := range descs[:n] {
		descs[i] = *(*Desc)(r.entry(r.next+uint32(i), unsafe.Sizeof(Desc{})))
	}
	if n > 0 {
		r.release(n)
	}
	return n
}

// Transmit queues packets to be sent and returns how many there was room for. Kick has the kernel send them.
func (s *Socket) Transmit(descs []Desc) int {
	r := &s.tx
	n := r.reserve(len(descs))
	for i, d := range descs[:n] {
		*(*Desc)(r.entry(r.next+uint32(i), unsafe.Sizeof(Desc{}))) = d
	}
	if n > 0 {
		r.publish(n)
	}
	return n
}

// Complete takes back frames that were sent, by the Addr of their Desc, and returns how many.
func (s *Socket) Complete(addrs []uint64) int {
	r := &s.comp
	n := r.peek(len(addrs))
	for i := range addrs[:n] {
		addrs[i] = *(*uint64)(r.entry(r.next+uint32(i), 8))
	}
	if n > 0 {
		r.release(n)
	}
	return n
}

// Kick has the kernel send what Transmit queued, if it has to be told. An error is transient if the interface is down or the
// kernel out of memory: what is queued stays so.
func (s *Socket) Kick() error {
	if atomic.LoadUint32(s.tx.flags)&unix.XDP_RING_NEED_WAKEUP == 0 {
		return nil
	}
	// The call does not wait, so the worker need not leave its processor to others as Syscall6 would have it.
	_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(s.fd), 0, 0, unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// Poll runs the driver's receive work if BusyPoll was called or the driver waits for memory. It does not wait.
func (s *Socket) Poll() error {
	_, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(s.fd), 0, 0, unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// FillNeedsWakeup reports whether the driver has run out of memory and waits for Poll.
func (s *Socket) FillNeedsWakeup() bool {
	return atomic.LoadUint32(s.fill.flags)&unix.XDP_RING_NEED_WAKEUP != 0
}

// Unsent returns how many packets the kernel has not taken from the ring yet.
func (s *Socket) Unsent() int { return int(s.tx.next - atomic.LoadUint32(s.tx.consumer)) }

// Delivered returns how many packets the kernel has put into the receive ring, modulo 2^32. It may be called from any goroutine.
func (s *Socket) Delivered() uint32 { return atomic.LoadUint32(s.rx.producer) }

// Stats returns what the kernel has counted.
func (s *Socket) Stats() (unix.XDPStatistics, error) {
	var st unix.XDPStatistics
	size := uint32(unsafe.Sizeof(st))
	if _, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(s.fd), unix.SOL_XDP, unix.XDP_STATISTICS, uintptr(unsafe.Pointer(&st)), uintptr(unsafe.Pointer(&size)), 0); errno != 0 {
		return st, os.NewSyscallError("getsockopt XDP_STATISTICS", errno)
	}
	return st, nil
}
