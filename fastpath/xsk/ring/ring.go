// Package ring is one AF_XDP socket: memory for frames that it shares with the kernel and perhaps with other sockets, and the
// four rings in which frames change hands (Documentation/networking/af_xdp.rst).
//
// A frame belongs to one side at a time. Fill gives frames to the kernel to receive into, Receive takes them back with a
// packet; Transmit gives frames to the kernel to send, Complete takes them back. All methods but Close, Delivered and Stats are for one
// goroutine. None allocates.
package ring

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Desc names a piece of the shared memory, at most one frame of it. Its Options are of no use here, and must be 0.
type Desc = unix.XDPDesc

// Config says what to open. RX and TX must be powers of two.
type Config struct {
	Interface int  // index
	Queue     int  // of the interface
	FrameSize int  // octets: 2048 or 4096
	RX, TX    int  // frames that the rings of either direction hold
	Frames    int  // of the memory; default RX + TX. Passed over with Share.
	Copy      bool // let the kernel copy, even if the driver could do without
	// Share is another socket, whose memory this one uses too (XDP_SHARED_UMEM, Linux 5.10 and newer): frames of either may be
	// sent by both. Both copy, or neither does. The memory goes with Share, which must be closed last.
	Share *Socket
}

// Open waits for a queue that is held, so often so long.
const (
	tries = 400
	pause = 5 * time.Millisecond
)

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

// Open opens a socket and binds it to a queue of an interface, without copying if the driver can. It needs CAP_NET_RAW, and
// CAP_IPC_LOCK or a limit on locked memory that is large enough (RLIMIT_MEMLOCK).
func Open(cfg Config) (*Socket, error) {
	for _, n := range [...]int{cfg.RX, cfg.TX} {
		if n <= 0 || bits.OnesCount(uint(n)) != 1 {
			return nil, fmt.Errorf("AF_XDP: %d frames: must be a power of two", n)
		}
	}
	if cfg.FrameSize != 2048 && cfg.FrameSize != 4096 {
		return nil, fmt.Errorf("AF_XDP: frames of %d octets: must be 2048 or 4096", cfg.FrameSize)
	}
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("AF_XDP: %w", os.NewSyscallError("socket", err))
	}
	s := &Socket{fd: fd}
	if err := s.setup(cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("AF_XDP: queue %d: %w", cfg.Queue, err), s.Close())
	}
	return s, nil
}

func (s *Socket) setup(cfg Config) (err error) {
	if cfg.Share != nil {
		s.mem, s.shared, s.zeroCopy = cfg.Share.mem, true, cfg.Share.zeroCopy
	} else if err := s.register(cmp.Or(cfg.Frames, cfg.RX+cfg.TX), cfg.FrameSize); err != nil {
		return err
	}
	var off unix.XDPMmapOffsets
	size := uint32(unsafe.Sizeof(off))
	if _, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(s.fd), unix.SOL_XDP, unix.XDP_MMAP_OFFSETS, uintptr(unsafe.Pointer(&off)), uintptr(unsafe.Pointer(&size)), 0); errno != 0 {
		return os.NewSyscallError("getsockopt XDP_MMAP_OFFSETS", errno)
	}
	if size != uint32(unsafe.Sizeof(off)) {
		return errors.New("rings without flags; Linux 5.4 or newer required")
	}
	const desc, addr = int(unsafe.Sizeof(Desc{})), 8
	for _, r := range []struct {
		opt     int
		at      int64
		off     unix.XDPRingOffset
		entries int
		size    int
		indices *indices
	}{
		{unix.XDP_UMEM_FILL_RING, unix.XDP_UMEM_PGOFF_FILL_RING, off.Fr, cfg.RX, addr, &s.fill.indices},
		{unix.XDP_UMEM_COMPLETION_RING, unix.XDP_UMEM_PGOFF_COMPLETION_RING, off.Cr, cfg.TX, addr, &s.comp.indices},
		{unix.XDP_RX_RING, unix.XDP_PGOFF_RX_RING, off.Rx, cfg.RX, desc, &s.rx.indices},
		{unix.XDP_TX_RING, unix.XDP_PGOFF_TX_RING, off.Tx, cfg.TX, desc, &s.tx.indices},
	} {
		n := uint32(r.entries)
		if err := s.setsockopt(r.opt, unsafe.Pointer(&n), unsafe.Sizeof(n)); err != nil {
			return err
		}
		m, err := unix.Mmap(s.fd, r.at, int(r.off.Desc)+r.entries*r.size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
		if err != nil {
			return os.NewSyscallError("mmap of a ring", err)
		}
		s.maps = append(s.maps, m)
		*r.indices = indices{
			producer: (*uint32)(unsafe.Pointer(&m[r.off.Producer])),
			consumer: (*uint32)(unsafe.Pointer(&m[r.off.Consumer])),
			flags:    (*uint32)(unsafe.Pointer(&m[r.off.Flags])),
			base:     unsafe.Pointer(&m[r.off.Desc]),
			mask:     n - 1,
		}
	}
	// Without it, a call in copy mode sends 32 packets (Linux 6.17 and newer know it).
	n := uint32(cfg.TX)
	_ = s.setsockopt(unix.XDP_MAX_TX_SKB_BUDGET, unsafe.Pointer(&n), unsafe.Sizeof(n))
	// In copy mode what is under way is charged to the send buffer, some 1,000 octets a packet.
	if room := cfg.TX * cfg.FrameSize; unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, room) != nil {
		_ = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, room)
	}
	return s.bind(cfg)
}

// register allocates the memory for frames and makes it known to the kernel.
func (s *Socket) register(frames, size int) (err error) {
	s.mem, err = unix.Mmap(-1, 0, frames*size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_POPULATE)
	if err != nil {
		return os.NewSyscallError("mmap", err)
	}
	reg := unix.XDPUmemReg{Addr: uint64(uintptr(unsafe.Pointer(&s.mem[0]))), Len: uint64(len(s.mem)), Size: uint32(size)}
	err = s.setsockopt(unix.XDP_UMEM_REG, unsafe.Pointer(&reg), unsafe.Sizeof(reg))
	if errors.Is(err, unix.ENOBUFS) {
		err = fmt.Errorf("%w: cannot lock %d octets of memory; grant CAP_IPC_LOCK or raise RLIMIT_MEMLOCK", err, len(s.mem))
	}
	return err
}

func (s *Socket) bind(cfg Config) error {
	bind := func(flags uint16) error {
		at := unix.SockaddrXDP{Flags: flags, Ifindex: uint32(cfg.Interface), QueueID: uint32(cfg.Queue)}
		if cfg.Share != nil { // of which the kernel takes the flags, too
			at.Flags, at.SharedUmemFD = unix.XDP_SHARED_UMEM, uint32(cfg.Share.fd)
		}
		return unix.Bind(s.fd, &at)
	}
	// The kernel frees the queue of a socket that was closed, perhaps by a process that has just ended, in the background.
	var err error
	for range tries {
		if cfg.Share == nil && !cfg.Copy && bind(unix.XDP_ZEROCOPY|unix.XDP_USE_NEED_WAKEUP) == nil {
			s.zeroCopy = true
			return nil
		}
		if err = bind(unix.XDP_COPY | unix.XDP_USE_NEED_WAKEUP); !errors.Is(err, unix.EBUSY) {
			return os.NewSyscallError("bind", err)
		}
		time.Sleep(pause)
	}
	return fmt.Errorf("bind: queue in use by another AF_XDP socket: %w", err)
}

func (s *Socket) setsockopt(opt int, p unsafe.Pointer, size uintptr) error {
	if _, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(s.fd), unix.SOL_XDP, uintptr(opt), uintptr(p), size, 0); errno != 0 {
		return os.NewSyscallError(fmt.Sprintf("setsockopt %d of SOL_XDP", opt), errno)
	}
	return nil
}

// Close closes the socket and gives back its memory, which nobody may touch then.
func (s *Socket) Close() error {
	err := os.NewSyscallError("close", unix.Close(s.fd))
	if !s.shared {
		s.maps = append(s.maps, s.mem)
	}
	for _, m := range s.maps {
		if m != nil {
			err = errors.Join(err, os.NewSyscallError("munmap", unix.Munmap(m)))
		}
	}
	s.maps, s.mem = nil, nil
	return err
}

// BusyPoll has Poll and Kick run the driver's receive work, at most budget packets of it, and keeps the kernel from doing so
// elsewhere as long as they are called often enough (Linux 5.11 and newer). Only with CAP_NET_ADMIN may budget exceed 64.
func (s *Socket) BusyPoll(budget int) error {
	for _, o := range []struct {
		name       string
		opt, value int
	}{
		{"SO_PREFER_BUSY_POLL", unix.SO_PREFER_BUSY_POLL, 1},
		{"SO_BUSY_POLL", unix.SO_BUSY_POLL, 20}, // µs; of no use to calls that do not wait, but it must not be 0
		{"SO_BUSY_POLL_BUDGET", unix.SO_BUSY_POLL_BUDGET, budget},
	} {
		if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, o.opt, o.value); err != nil {
			return os.NewSyscallError("setsockopt "+o.name, err)
		}
	}
	return nil
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
