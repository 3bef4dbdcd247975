package ring

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Config configures Open. RX and TX must be powers of two.
type Config struct {
	Interface int  // interface index
	Queue     int  // receive queue of the interface
	FrameSize int  // octets: 2048 or 4096
	RX, TX    int  // sizes of the receive and transmit rings, and of the fill and completion rings
	Frames    int  // frames of memory; default RX + TX. Ignored with Share.
	Copy      bool // force copy mode, even if the driver supports zero-copy
	// Share is another socket whose memory this one uses too (XDP_SHARED_UMEM, Linux 5.10 and newer): both may send any
	// frame. Both are in copy mode or neither is. Share owns the memory and must be closed last.
	Share *Socket
}

// Open tries to bind this often, at this interval, to a queue that is in use.
const (
	tries = 400
	pause = 5 * time.Millisecond
)

// Open opens a socket and binds it to a queue of an interface, in zero-copy mode if the driver supports it. It needs
// CAP_NET_RAW, and CAP_IPC_LOCK or a sufficient limit on locked memory (RLIMIT_MEMLOCK).
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
	// Otherwise a call in copy mode sends at most 32 packets (Linux 6.17 and newer).
	n := uint32(cfg.TX)
	_ = s.setsockopt(unix.XDP_MAX_TX_SKB_BUDGET, unsafe.Pointer(&n), unsafe.Sizeof(n))
	// In copy mode packets in flight are charged to the send buffer, about 1,000 octets each.
	if room := cfg.TX * cfg.FrameSize; unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, room) != nil {
		_ = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, room)
	}
	return s.bind(cfg)
}

// register allocates the memory for frames and registers it as the UMEM.
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
		if cfg.Share != nil { // the kernel takes the flags from Share, too
			at.Flags, at.SharedUmemFD = unix.XDP_SHARED_UMEM, uint32(cfg.Share.fd)
		}
		return unix.Bind(s.fd, &at)
	}
	// The kernel releases the queue of a closed socket, perhaps of a process that has just ended, in the background.
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

// Close closes the socket and unmaps its memory, which must not be accessed afterwards.
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

// BusyPoll makes Poll and Kick run the driver's receive work, at most budget packets at a time, and prevents the kernel
// from running it elsewhere as long as they are called often enough (Linux 5.11 and newer). A budget above 64 needs
// CAP_NET_ADMIN.
func (s *Socket) BusyPoll(budget int) error {
	for _, o := range []struct {
		name       string
		opt, value int
	}{
		{"SO_PREFER_BUSY_POLL", unix.SO_PREFER_BUSY_POLL, 1},
		{"SO_BUSY_POLL", unix.SO_BUSY_POLL, 20}, // µs; irrelevant for calls that do not wait, but must not be 0
		{"SO_BUSY_POLL_BUDGET", unix.SO_BUSY_POLL_BUDGET, budget},
	} {
		if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, o.opt, o.value); err != nil {
			return os.NewSyscallError("setsockopt "+o.name, err)
		}
	}
	return nil
}
