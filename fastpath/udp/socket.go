package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A socket is one bound UDP socket.
type socket struct {
	fd      int
	v6      bool
	local   netip.AddrPort // bound address; may be the wildcard
	role    role
	single  bool   // a listener that transfers answer from as well
	raw     bool   // packets are sent with all of their headers
	skip    int    // number of rounds to skip, as the socket was empty
	drops   uint32 // the kernel's drop count as last reported
	zone    string // of the bound address
	any     bool   // bound to the wildcard: packets need a source address
	errors  bool   // the kernel queues ICMP errors about packets of this socket
	queued  bool   // the error queue may not be empty
	pktinfo bool   // the kernel reports the interface or TOS of each packet
	tos     uint8  // default of packets to be sent
	_       [32]byte
}

// Sockets are written to in each round. Two cache lines for each, as the allocator places them, so that none is on a line with another worker's.
var _ [128]byte = [unsafe.Sizeof(socket{})]byte{}

// A role is the purpose of a socket. The kernel is asked only for the control messages that the role needs: each is
// built, copied and parsed for every packet.
type role uint8

const (
	transfers role = 1 << iota // receives packets of running transfers
	requests                   // receives requests, whose age matters
	shared                     // SO_REUSEPORT: other workers listen on the same address
)

// open opens a socket bound to a, which need not be an address of this host.
func open(a netip.AddrPort, r role) (*socket, error) {
	s := &socket{role: r, v6: a.Addr().Is6(), zone: a.Addr().Zone(), any: a.Addr().IsUnspecified()}
	family := unix.AF_INET
	if s.v6 {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("udp: listen %v: %w", a, os.NewSyscallError("socket", err))
	}
	s.fd = fd
	if err := s.bind(a, r); err != nil {
		s.close()
		return nil, fmt.Errorf("udp: listen %v: %w", a, err)
	}
	return s, nil
}

func (s *socket) bind(a netip.AddrPort, r role) error {
	set := func(name string, level, opt, value int) error {
		return os.NewSyscallError("setsockopt "+name, unix.SetsockoptInt(s.fd, level, opt, value))
	}
	var sa unix.Sockaddr
	var errs []error
	// With FREEBIND the address may be missing on all interfaces, or be tentative (RFC 4862). Packets arrive as soon as
	// the host has it.
	if s.v6 {
		errs = append(errs, set("IPV6_FREEBIND", unix.IPPROTO_IPV6, unix.IPV6_FREEBIND, 1))
		// There is an IPv4 listener beside it: mapped addresses would reach two sockets.
		errs = append(errs, set("IPV6_V6ONLY", unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1))
		if s.pktinfo = s.any || r&requests != 0; s.pktinfo {
			errs = append(errs, set("IPV6_RECVPKTINFO", unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1))
		}
		sa6 := &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
		if z := a.Addr().Zone(); z != "" {
			ifi, err := net.InterfaceByName(z)
			if err != nil {
				return err
			}
			sa6.ZoneId = uint32(ifi.Index)
		}
		sa = sa6
	} else {
		// Boot ROMs do not do path MTU discovery, and routers near them drop its messages: without DF, routers can
		// fragment.
		errs = append(errs, set("IP_FREEBIND", unix.IPPROTO_IP, unix.IP_FREEBIND, 1), set("IP_MTU_DISCOVER", unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT))
		if s.pktinfo = s.any; s.pktinfo {
			errs = append(errs, set("IP_PKTINFO", unix.IPPROTO_IP, unix.IP_PKTINFO, 1))
		}
		sa = &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	errs = append(errs, set("SO_RXQ_OVFL", unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1))
	if r&requests != 0 {
		errs = append(errs, set("SO_TIMESTAMPNS", unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1))
	}
	if r&shared != 0 {
		errs = append(errs, set("SO_REUSEPORT", unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := unix.Bind(s.fd, sa); err != nil {
		return os.NewSyscallError("bind", err)
	}
	bound, err := unix.Getsockname(s.fd)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	switch b := bound.(type) {
	case *unix.SockaddrInet4:
		s.local = netip.AddrPortFrom(netip.AddrFrom4(b.Addr), uint16(b.Port))
	case *unix.SockaddrInet6:
		s.local = netip.AddrPortFrom(netip.AddrFrom16(b.Addr), uint16(b.Port))
	}
	return nil
}

// buffer sets a kernel buffer to n octets, with the privileged option if possible, and returns the size granted.
func (s *socket) buffer(force, plain, n int) (int, error) {
	if unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, force, n) != nil {
		if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, plain, n); err != nil {
			return 0, os.NewSyscallError("setsockopt", err)
		}
	}
	got, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, plain)
	// The kernel doubles the value for its own bookkeeping and reports the doubled one.
	return got / 2, os.NewSyscallError("getsockopt", err)
}

func (s *socket) close() { _ = unix.Close(s.fd) }

// discardAll makes the kernel drop everything that s receives.
func (s *socket) discardAll() error {
	drop := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K}}
	return os.NewSyscallError("setsockopt SO_ATTACH_FILTER", unix.SetsockoptSockFprog(s.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &drop[0]}))
}
