package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// A socket is one bound UDP socket.
type socket struct {
	fd     int
	v6     bool
	local  netip.AddrPort // what it is bound to; the address may be the wildcard
	role   role
	single bool   // of a listener: transfers answer from it too
	raw    bool   // packets leave by it with all of their headers
	skip   int    // rounds for which Recv passes over it, as it was empty
	drops  uint32 // the kernel's count when it was last told
	zone   string // of the address that it is bound to
	any    bool   // bound to the wildcard: packets must say which of our addresses they are for
	errors bool   // the kernel keeps what ICMP says of packets that left from it
	queued bool   // there may be some of that to be read
	inform bool   // the kernel says of each packet where it came in, or with which TOS
	tos    uint8  // of packets that say no other
}

// A role is what a socket is for. The kernel is asked to tell with each packet only what its role
// needs: a control message is built, copied and parsed for every one.
type role uint8

const (
	transfers role = 1 << iota // packets of running transfers come here
	requests                   // requests come here, and their age counts
	shared                     // SO_REUSEPORT: other workers listen here too
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
	// With FREEBIND an address that no interface has yet, or that IPv6 still checks for duplicates (RFC 4862), can be bound
	// to. Packets come as soon as the host has it, and again when it was away.
	if s.v6 {
		errs = append(errs, set("IPV6_FREEBIND", unix.IPPROTO_IPV6, unix.IPV6_FREEBIND, 1))
		// An IPv4 listener stands beside: mapped addresses would reach two sockets.
		errs = append(errs, set("IPV6_V6ONLY", unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1))
		if s.inform = s.any || r&requests != 0; s.inform {
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
		// Boot ROMs do not do path MTU discovery, and routers near them drop its messages: without DF,
		// a router that must can fragment.
		errs = append(errs, set("IP_FREEBIND", unix.IPPROTO_IP, unix.IP_FREEBIND, 1), set("IP_MTU_DISCOVER", unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT))
		if s.inform = s.any; s.inform {
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

// buffer asks for a kernel buffer of n octets by the privileged option, else by the other, and returns what was
// granted.
func (s *socket) buffer(force, plain, n int) (int, error) {
	if unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, force, n) != nil {
		if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, plain, n); err != nil {
			return 0, os.NewSyscallError("setsockopt", err)
		}
	}
	got, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, plain)
	// The kernel doubles the figure for its own bookkeeping, and tells the double.
	return got / 2, os.NewSyscallError("getsockopt", err)
}

func (s *socket) close() { _ = unix.Close(s.fd) }

// deafen has the kernel throw away what comes to s.
func (s *socket) deafen() error {
	drop := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K}}
	return os.NewSyscallError("setsockopt SO_ATTACH_FILTER", unix.SetsockoptSockFprog(s.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &drop[0]}))
}
