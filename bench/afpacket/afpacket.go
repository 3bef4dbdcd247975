// Package afpacket sends and receives whole Ethernet frames in batches through an AF_PACKET socket.
//
// Frames are received from a TPACKET_V2 ring. Version 3 hands frames over in blocks, which are closed when they are
// full or after at least a millisecond, and with a small window that millisecond would be part of every latency. Frames
// are sent by sendmmsg, bypassing the queueing discipline. A ring for sending would save nothing, as its pages are
// copied anyway once a frame crosses a veth pair (the kernel orphans it there).
package afpacket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Config sizes a socket. Zero fields take their defaults.
type Config struct {
	Slots int // frames in the receive ring; default 32768, rounded up to a power of two
	MTU   int // of the interface, without the Ethernet header; default 1500
	Batch int // frames sent by one system call; default 64
}

// Socket is one AF_PACKET socket, bound to one interface. One goroutine at a time may use it.
type Socket struct {
	fd       int
	ring     []byte
	slotSize int
	slots    int
	next     int
	lent     bool

	tx      []byte
	txSize  int
	txLen   []int
	iov     []unix.Iovec
	msg     []mmsghdr
	pending int

	sent, unsent, received, lost uint64
}

type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
	_   [4]byte
}

// Stats counts frames since Open.
type Stats struct {
	Sent     uint64 // given to the device
	Unsent   uint64 // refused by the device
	Received uint64 // handed to the caller
	Lost     uint64 // arrived while the ring was full
}

// Open opens the interface of that name in the network namespace of the calling thread. It needs CAP_NET_RAW.
func Open(ifname string, cfg Config) (*Socket, error) {
	if cfg.Slots <= 0 {
		cfg.Slots = 32768
	}
	if cfg.MTU <= 0 {
		cfg.MTU = 1500
	}
	if cfg.Batch <= 0 {
		cfg.Batch = 64
	}
	cfg.Slots = 1 << bits.Len(uint(max(cfg.Slots, 64)-1))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("AF_PACKET socket: %w", err)
	}
	s := &Socket{fd: fd, slots: cfg.Slots}
	if err := s.setup(ifname, cfg); err != nil {
		s.Close()
		return nil, fmt.Errorf("AF_PACKET on %s: %w", ifname, err)
	}
	return s, nil
}

func (s *Socket) setup(ifname string, cfg Config) error {
	index, err := interfaceIndex(s.fd, ifname)
	if err != nil {
		return err
	}
	if err := unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V2); err != nil {
		return err
	}
	// The kernel puts its header, an address and padding before the frame: 64 bytes including the Ethernet header.
	s.slotSize = 1 << bits.Len(uint(cfg.MTU+14+unix.SizeofTpacket2Hdr+unix.SizeofSockaddrLinklayer+64-1))
	blockSize := max(s.slotSize, 1<<16)
	req := unix.TpacketReq{
		Block_size: uint32(blockSize),
		Block_nr:   uint32(max(1, s.slots*s.slotSize/blockSize)),
		Frame_size: uint32(s.slotSize),
	}
	s.slots = int(req.Block_nr) * (blockSize / s.slotSize)
	req.Frame_nr = uint32(s.slots)
	if err := unix.SetsockoptTpacketReq(s.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &req); err != nil {
		return fmt.Errorf("receive ring: %w", err)
	}
	s.ring, err = unix.Mmap(s.fd, 0, s.slots*s.slotSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return fmt.Errorf("receive ring: %w", err)
	}
	// Old kernels lack both; without them the socket is only slower.
	_ = unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1)
	_ = unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
	_ = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 8<<20)

	s.txSize = (cfg.MTU + 14 + 63) &^ 63
	s.tx = make([]byte, s.txSize*cfg.Batch)
	s.txLen = make([]int, cfg.Batch)
	s.iov = make([]unix.Iovec, cfg.Batch)
	s.msg = make([]mmsghdr, cfg.Batch)
	for i := range s.msg {
		s.iov[i].Base = &s.tx[i*s.txSize]
		s.msg[i].hdr.Iov = &s.iov[i]
		s.msg[i].hdr.Iovlen = 1
	}
	return unix.Bind(s.fd, &unix.SockaddrLinklayer{Protocol: hostToNet16(unix.ETH_P_ALL), Ifindex: index})
}

// Close releases the socket and its ring. Frames given out by Next must not be used afterwards.
func (s *Socket) Close() error {
	var err error
	if s.ring != nil {
		err = unix.Munmap(s.ring)
		s.ring = nil
	}
	if s.fd >= 0 {
		err = errors.Join(err, unix.Close(s.fd))
		s.fd = -1
	}
	return err
}

// FD returns the file descriptor, for poll.
func (s *Socket) FD() int { return s.fd }

// Next returns the next received frame, or false if there is none. The frame may be changed, and is valid until the
// next call of Next. whole is false if the sender left the checksum to a device.
func (s *Socket) Next() (frame []byte, whole, ok bool) {
	if s.lent {
		s.lent = false
		atomic.StoreUint32(s.status(s.next), unix.TP_STATUS_KERNEL)
		s.next = (s.next + 1) & (s.slots - 1)
	}
	st := atomic.LoadUint32(s.status(s.next))
	if st&unix.TP_STATUS_USER == 0 {
		return nil, false, false
	}
	s.lent = true
	s.received++
	slot := s.ring[s.next*s.slotSize : (s.next+1)*s.slotSize]
	h := (*unix.Tpacket2Hdr)(unsafe.Pointer(&slot[0]))
	mac, n := int(h.Mac), int(h.Snaplen)
	return slot[mac : mac+n : mac+n], st&unix.TP_STATUS_CSUMNOTREADY == 0, true
}

func (s *Socket) status(i int) *uint32 {
	return (*uint32)(unsafe.Pointer(&s.ring[i*s.slotSize]))
}

// Slot returns an empty frame with room for the largest one, to be appended to and passed to Commit. A full batch is
// flushed first.
func (s *Socket) Slot() []byte {
	if s.pending == len(s.msg) {
		s.Flush()
	}
	off := s.pending * s.txSize
	return s.tx[off : off : off+s.txSize]
}

// Commit queues the first n bytes of the last Slot.
func (s *Socket) Commit(n int) {
	s.iov[s.pending].SetLen(n)
	s.pending++
}

// Flush sends what is queued. A frame that the device refuses is counted and dropped.
func (s *Socket) Flush() {
	for off := 0; off < s.pending; {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.msg[off])), uintptr(s.pending-off), 0, 0, 0)
		switch {
		case errno == 0:
			s.sent += uint64(n)
			off += int(n)
		case errno == unix.EINTR:
		default:
			s.unsent++
			off++
		}
	}
	s.pending = 0
}

// Wait sleeps until a frame arrives or d has passed.
func (s *Socket) Wait(d time.Duration) {
	fds := [1]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}
	ts := unix.NsecToTimespec(int64(d))
	_, _ = unix.Ppoll(fds[:], &ts, nil)
}

// Stats returns the counts since Open.
func (s *Socket) Stats() Stats {
	// Reading the kernel's counter resets it.
	if k, err := unix.GetsockoptTpacketStats(s.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
		s.lost += uint64(k.Drops)
	}
	return Stats{Sent: s.sent, Unsent: s.unsent, Received: s.received, Lost: s.lost}
}

func interfaceIndex(fd int, name string) (int, error) {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return 0, err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, ifr); err != nil {
		return 0, err
	}
	return int(ifr.Uint32()), nil
}

func hostToNet16(v uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], v)
	return binary.NativeEndian.Uint16(b[:])
}
