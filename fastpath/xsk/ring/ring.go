// Package ring is one AF_XDP socket: a UMEM, which may be shared with other sockets, and the four rings through which
// its frames pass between the process and the kernel (Documentation/networking/af_xdp.rst).
//
// A frame is owned by one side at a time. Fill gives frames to the kernel to receive into, Receive takes them back with
// a packet; Transmit gives frames to the kernel to send, Complete takes them back. All methods but Close, Delivered and
// Stats are for one goroutine. None allocates.
package ring

import (
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Desc describes a range of the UMEM, within one frame. Its Options must be 0.
type Desc = unix.XDPDesc

// Socket is one AF_XDP socket.
type Socket struct {
	fd       int
	zeroCopy bool
	mem      []byte
	shared   bool // mem belongs to another socket
	maps     [][]byte

	fill, tx producer
	comp, rx consumer
}

// indices are those of a ring. What the other side writes is loaded with acquire, what we write is stored with release
// semantics; sync/atomic gives more than that.
type indices struct {
	producer, consumer, flags *uint32
	base                      unsafe.Pointer // the entries
	mask                      uint32
}

// producer is a ring that we write.
type producer struct {
	indices
	next  uint32 // our producer index
	limit uint32 // next at which the ring is full, as of the last look at the kernel's index
}

// consumer is a ring that the kernel writes.
type consumer struct {
	indices
	next  uint32 // our consumer index
	there uint32 // the kernel's producer index as of the last look
}

// reserve returns how many of n entries there is room for.
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

// peek returns how many of at most n entries are available.
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

// put writes as many of entries as there is room for, and returns how many.
func put[E uint64 | Desc](p *producer, entries []E) int {
	n := p.reserve(len(entries))
	for i, e := range entries[:n] {
		*(*E)(p.entry(p.next+uint32(i), unsafe.Sizeof(e))) = e
	}
	if n > 0 {
		p.publish(n)
	}
	return n
}

// take reads as many entries as are available, and returns how many.
func take[E uint64 | Desc](c *consumer, entries []E) int {
	n := c.peek(len(entries))
	for i := range entries[:n] {
		entries[i] = *(*E)(c.entry(c.next+uint32(i), unsafe.Sizeof(entries[i])))
	}
	if n > 0 {
		c.release(n)
	}
	return n
}

func (i *indices) entry(at uint32, size uintptr) unsafe.Pointer {
	return unsafe.Add(i.base, uintptr(at&i.mask)*size)
}

// FD returns the file descriptor, for poll and for an XSKMAP.
func (s *Socket) FD() int { return s.fd }

// ZeroCopy reports whether the socket is in zero-copy mode.
func (s *Socket) ZeroCopy() bool { return s.zeroCopy }

// Memory returns the UMEM: all frames, contiguous. An address in a Desc is an offset into it.
func (s *Socket) Memory() []byte { return s.mem }

// Fill gives the kernel frames to receive into, by address, and returns how many it had room for.
func (s *Socket) Fill(frames []uint64) int { return put(&s.fill, frames) }

// Receive returns how many received packets it has stored in descs. Addr is where the packet begins, which may be after
// the beginning of its frame.
func (s *Socket) Receive(descs []Desc) int { return take(&s.rx, descs) }

// Waiting returns how many packets have been received and not been taken by Receive.
func (s *Socket) Waiting() int { return int(atomic.LoadUint32(s.rx.producer) - s.rx.next) }

// Ready reports whether Receive would return a packet.
func (s *Socket) Ready() bool { return s.rx.peek(1) > 0 }

// Transmit queues packets to be sent and returns how many it had room for. Kick makes the kernel send them.
func (s *Socket) Transmit(descs []Desc) int { return put(&s.tx, descs) }

// Complete takes back sent frames, by the Addr of their Desc, and returns how many.
func (s *Socket) Complete(addrs []uint64) int { return take(&s.comp, addrs) }

// Kick makes the kernel send what Transmit queued, if it needs a call for that. An error is transient if the interface
// is down or the kernel out of memory: the packets stay queued.
func (s *Socket) Kick() error {
	if atomic.LoadUint32(s.tx.flags)&unix.XDP_RING_NEED_WAKEUP == 0 {
		return nil
	}
	// The call does not wait, so the worker need not offer its processor to others as with Syscall6.
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

// FillNeedsWakeup reports whether the driver has run out of frames and waits for Poll.
func (s *Socket) FillNeedsWakeup() bool {
	return atomic.LoadUint32(s.fill.flags)&unix.XDP_RING_NEED_WAKEUP != 0
}

// Unsent returns how many packets the kernel has not taken from the transmit ring yet.
func (s *Socket) Unsent() int { return int(s.tx.next - atomic.LoadUint32(s.tx.consumer)) }

// Delivered returns how many packets the kernel has put into the receive ring, modulo 2^32. It may be called from any goroutine.
func (s *Socket) Delivered() uint32 { return atomic.LoadUint32(s.rx.producer) }

// Stats returns the kernel's counters.
func (s *Socket) Stats() (unix.XDPStatistics, error) {
	var st unix.XDPStatistics
	size := uint32(unsafe.Sizeof(st))
	if _, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(s.fd), unix.SOL_XDP, unix.XDP_STATISTICS, uintptr(unsafe.Pointer(&st)), uintptr(unsafe.Pointer(&size)), 0); errno != 0 {
		return st, os.NewSyscallError("getsockopt XDP_STATISTICS", errno)
	}
	return st, nil
}
