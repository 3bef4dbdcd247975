package udp

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// rawBuffer is the receive buffer of a raw socket, which receives nothing, in octets.
const rawBuffer = 4 << 10

// openRaw opens a socket that sends whole IP packets from an address, or from any. It needs CAP_NET_RAW. With one
// socket per port instead, sending costs almost three times as much per packet: a system call and a queue lock for
// each.
func openRaw(at netip.Addr) (*socket, error) {
	s := &socket{v6: at.Is6(), any: at.IsUnspecified(), raw: true, local: netip.AddrPortFrom(at, 0)}
	family := unix.AF_INET
	if s.v6 {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	s.fd = fd
	// The source address is in the packets; binding is needed for source-dependent routes.
	level, opt := unix.IPPROTO_IP, unix.IP_FREEBIND
	var sa unix.Sockaddr = &unix.SockaddrInet4{Addr: v4(at)}
	if s.v6 {
		level, opt = unix.IPPROTO_IPV6, unix.IPV6_FREEBIND
		sa = &unix.SockaddrInet6{Addr: at.As16()}
	}
	err = errors.Join(os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, level, opt, 1)), s.discardAll())
	if err == nil && !s.any && !at.IsLinkLocalUnicast() {
		err = os.NewSyscallError("bind", unix.Bind(fd, sa))
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("raw socket at %v: %w", at, err)
	}
	return s, nil
}

func v4(a netip.Addr) (b [4]byte) {
	if a.Is4() {
		b = a.As4()
	}
	return b
}
