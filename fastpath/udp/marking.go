package udp

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"dcs/fastpath/packet"
)

// setDSCP sets the configured DSCP as the default for packets of the socket. With Mirror the kernel reports the DSCP of
// each received packet. Packets of a raw socket have their own headers; there the option only selects routes, queues
// and VLAN priorities.
func (s *socket) setDSCP(m packet.Marking) error {
	set := func(name string, level, opt, value int) error {
		return os.NewSyscallError("setsockopt "+name, unix.SetsockoptInt(s.fd, level, opt, value))
	}
	var errs []error
	if s.tos = m.TOS(0); s.tos != 0 {
		if s.v6 {
			errs = append(errs, set("IPV6_TCLASS", unix.IPPROTO_IPV6, unix.IPV6_TCLASS, int(s.tos)))
		} else {
			errs = append(errs, set("IP_TOS", unix.IPPROTO_IP, unix.IP_TOS, int(s.tos)))
		}
	}
	if m.Mirror && !s.raw {
		s.pktinfo = true
		if s.v6 {
			errs = append(errs, set("IPV6_RECVTCLASS", unix.IPPROTO_IPV6, unix.IPV6_RECVTCLASS, 1))
		} else {
			errs = append(errs, set("IP_RECVTOS", unix.IPPROTO_IP, unix.IP_RECVTOS, 1))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("udp: DSCP of %v: %w", s.local, err)
	}
	return nil
}
