package storm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	socketsMax  = 4096 // modems, if each needs a socket
	socketBatch = 64
	socketRoom  = 2048 // bytes of a datagram unless a larger blksize is requested
)

// sockets is the link by plain UDP sockets, which needs no privileges. To a loopback target of IPv4 all modems share
// one socket, and each has its own source address (IP_PKTINFO: all of 127.0.0.0/8 is local). Elsewhere each modem has a
// socket, and all have the machine's own address.
type sockets struct {
	net    netip.Prefix
	target netip.Addr
	source netip.Addr // if modems share an address
	shared bool       // one socket, many addresses
	fds    []int
	ports  []uint16
	epoll  int
	events []unix.EpollEvent

	tx, rx   msgs
	pending  int
	pendfd   int
	count    linkStats
	capacity int
}

type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
	_   [4]byte
}

// msgs is a batch of messages and everything they point to.
type msgs struct {
	msg  []mmsghdr
	iov  []unix.Iovec
	name []unix.RawSockaddrInet6 // IPv4 addresses use the beginning
	info []pktinfo
	data []byte
}

// pktinfo is one IP_PKTINFO control message.
type pktinfo struct {
	hdr  unix.Cmsghdr
	info unix.Inet4Pktinfo
	_    [4]byte
}

func newMsgs(room int) msgs {
	m := msgs{
		msg: make([]mmsghdr, socketBatch), iov: make([]unix.Iovec, socketBatch),
		name: make([]unix.RawSockaddrInet6, socketBatch), info: make([]pktinfo, socketBatch),
		data: make([]byte, socketBatch*room),
	}
	for i := range m.msg {
		m.iov[i].Base = &m.data[i*room]
		m.iov[i].SetLen(room)
		m.msg[i].hdr = unix.Msghdr{Name: (*byte)(unsafe.Pointer(&m.name[i])), Iov: &m.iov[i], Iovlen: 1}
	}
	return m
}

func openSockets(cfg *Config) (*sockets, error) {
	target := cfg.Target.Addr()
	s := &sockets{
		net: cfg.Net, target: target, shared: target.Is4() && target.IsLoopback(), epoll: -1,
		capacity: max(socketRoom, cfg.BlkSize+64), events: make([]unix.EpollEvent, 16),
	}
	s.tx, s.rx = newMsgs(s.capacity), newMsgs(s.capacity)
	n := cfg.Modems
	if s.shared {
		n = 1
	}
	if n > socketsMax {
		return nil, fmt.Errorf("%d modems for %s: at most %d without --interface", n, target, socketsMax)
	}
	var err error
	if s.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	for i := range n {
		if err := s.open(i); err != nil {
			return nil, errors.Join(fmt.Errorf("socket of modem %d: %w", i, err), s.close())
		}
	}
	return s, nil
}

func (s *sockets) open(i int) error {
	family := unix.AF_INET
	var sa, to unix.Sockaddr = &unix.SockaddrInet4{}, &unix.SockaddrInet4{Addr: [4]byte(s.target.AsSlice()), Port: 9}
	if s.target.Is6() {
		family = unix.AF_INET6
		sa, to = &unix.SockaddrInet6{}, &unix.SockaddrInet6{Addr: s.target.As16(), Port: 9}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	s.fds = append(s.fds, fd)
	if s.shared {
		if err := unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_PKTINFO, 1); err != nil {
			return err
		}
		// As much as permitted; without root that is less.
		for _, opt := range []int{unix.SO_RCVBUF, unix.SO_RCVBUFFORCE} {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, opt, 16<<20)
		}
	} else {
		// Connecting to any port reveals the source address that the machine will use; it is undone at once.
		if err := unix.Connect(fd, to); err != nil {
			return err
		}
		if sa, err = unix.Getsockname(fd); err != nil {
			return err
		}
		switch a := sa.(type) {
		case *unix.SockaddrInet4:
			s.source, a.Port = netip.AddrFrom4(a.Addr), 0
		case *unix.SockaddrInet6:
			s.source, a.Port = netip.AddrFrom16(a.Addr), 0
		}
		if _, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&unix.RawSockaddr{Family: unix.AF_UNSPEC})), unix.SizeofSockaddrInet4); errno != 0 {
			return errno
		}
	}
	if err := unix.Bind(fd, sa); err != nil {
		return err
	}
	if sa, err = unix.Getsockname(fd); err != nil {
		return err
	}
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		s.ports = append(s.ports, uint16(a.Port))
	case *unix.SockaddrInet6:
		s.ports = append(s.ports, uint16(a.Port))
	}
	return unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)})
}

func (s *sockets) port(modem, _ int) uint16 {
	if s.shared {
		return s.ports[0]
	}
	return s.ports[modem]
}

func (s *sockets) addr(modem int) netip.Addr {
	if s.shared {
		return modemAddr(s.net, modem)
	}
	return s.source
}

func (s *sockets) slot() []byte {
	if s.pending == socketBatch {
		s.flush()
	}
	off := s.pending * s.capacity
	return s.tx.data[off : off : off+s.capacity]
}

func (s *sockets) send(modem int, _, to uint16, payload []byte) {
	fd := s.fds[0]
	if !s.shared {
		fd = s.fds[modem]
	}
	if s.pending > 0 && fd != s.pendfd {
		s.flushTo(payload)
	}
	s.pendfd = fd
	i := s.pending
	h := &s.tx.msg[i].hdr
	s.tx.iov[i].SetLen(len(payload))
	h.Namelen = putName(&s.tx.name[i], s.target, to)
	if s.shared {
		c := &s.tx.info[i]
		c.hdr = unix.Cmsghdr{Level: unix.SOL_IP, Type: unix.IP_PKTINFO}
		c.hdr.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
		c.info = unix.Inet4Pktinfo{Spec_dst: modemAddr(s.net, modem).As4()}
		h.Control = (*byte)(unsafe.Pointer(c))
		h.SetControllen(unix.CmsgSpace(unix.SizeofInet4Pktinfo))
	}
	s.pending++
}

// flushTo sends what is queued for another socket and moves the current payload to the front.
func (s *sockets) flushTo(payload []byte) {
	s.flush()
	copy(s.tx.data[:s.capacity], payload)
}

func putName(to *unix.RawSockaddrInet6, a netip.Addr, port uint16) uint32 {
	if a.Is4() {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(to))
		v4.Family, v4.Addr = unix.AF_INET, a.As4()
		binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&v4.Port))[:], port)
		return unix.SizeofSockaddrInet4
	}
	to.Family, to.Addr = unix.AF_INET6, a.As16()
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&to.Port))[:], port)
	return unix.SizeofSockaddrInet6
}

func getName(from *unix.RawSockaddrInet6) (netip.Addr, uint16) {
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&from.Port))[:])
	if from.Family == unix.AF_INET {
		return netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(from)).Addr), port
	}
	return netip.AddrFrom16(from.Addr), port
}

func (s *sockets) flush() {
	for off := 0; off < s.pending; {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(s.pendfd), uintptr(unsafe.Pointer(&s.tx.msg[off])), uintptr(s.pending-off), 0, 0, 0)
		switch {
		case errno == 0:
			s.count.sent += uint64(n)
			off += int(n)
		case errno == unix.EINTR:
		default: // including ECONNREFUSED for an earlier packet: a modem does not notice
			s.count.unsent++
			off++
		}
	}
	s.pending = 0
}

func (s *sockets) receive(now int64, e *engine) int {
	ready, err := unix.EpollWait(s.epoll, s.events, 0)
	if err != nil {
		return 0
	}
	total := 0
	for _, ev := range s.events[:ready] {
		total += s.receiveFrom(now, e, int(ev.Fd))
	}
	return total
}

func (s *sockets) receiveFrom(now int64, e *engine, at int) int {
	for i := range s.rx.msg {
		h := &s.rx.msg[i].hdr
		h.Namelen = unix.SizeofSockaddrInet6
		if s.shared {
			h.Control = (*byte)(unsafe.Pointer(&s.rx.info[i]))
			h.SetControllen(int(unsafe.Sizeof(s.rx.info[i])))
		}
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(s.fds[at]), uintptr(unsafe.Pointer(&s.rx.msg[0])), socketBatch, unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0
	}
	for i := range int(n) {
		s.count.received++
		source, from := getName(&s.rx.name[i])
		modem := at
		if s.shared {
			c := &s.rx.info[i]
			if c.hdr.Type != unix.IP_PKTINFO {
				s.count.foreign++
				continue
			}
			modem = int(int64(binary.BigEndian.Uint32(c.info.Addr[:])) - int64(binary.BigEndian.Uint32(s.net.Addr().AsSlice())))
		}
		if source != s.target {
			s.count.foreign++
			continue
		}
		off := i * s.capacity
		e.handle(now, modem, s.ports[min(at, len(s.ports)-1)], from, s.rx.data[off:off+int(s.rx.msg[i].n)])
	}
	return int(n)
}

func (s *sockets) wait(d time.Duration) {
	_, _ = unix.EpollWait(s.epoll, s.events, int(max(1, d.Milliseconds())))
}

func (s *sockets) stats() linkStats { return s.count }

func (s *sockets) close() error {
	var errs []error
	for _, fd := range append(s.fds, s.epoll) {
		if fd >= 0 {
			errs = append(errs, unix.Close(fd))
		}
	}
	return errors.Join(errs...)
}
