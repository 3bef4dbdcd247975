package udp

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"dcs/fastpath/packet"
)

// SetVRFs says which interfaces belong to VRFs: by their index, the index of the VRF's device, which is among them itself. What
// comes in by one of these is answered within its VRF, where another table of routes leads to the client. An answer to what
// comes in by any other interface may leave by whichever the routes say. The map must not change any more. It may be called
// from any goroutine.
func (t *Transport) SetVRFs(vrfs map[uint32]uint32) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed.Load() {
		return net.ErrClosed
	}
	t.vrfs = vrfs
	if len(vrfs) == 0 {
		return nil
	}
	var errs []error
	for _, s := range t.reading {
		errs = append(errs, s.tellInterface())
	}
	return errors.Join(errs...)
}

// tellInterface has the kernel say of each packet by which interface it came in.
func (s *socket) tellInterface() error {
	level, opt := unix.IPPROTO_IP, unix.IP_PKTINFO
	if s.v6 {
		level, opt = unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO
	}
	if err := unix.SetsockoptInt(s.fd, level, opt, 1); err != nil {
		return fmt.Errorf("udp: packet information of %v: %w", s.local, os.NewSyscallError("setsockopt", err))
	}
	s.inform = true
	return nil
}

// enter notes the VRF of a packet that came in by an interface. A link-local peer is the interface's own: in a VRF the kernel
// gives the VRF's device for its scope, by which a neighbour cannot be reached where the VRF has several interfaces.
func (t *Transport) enter(p *packet.Packet, index uint32) {
	vrf, ok := t.vrfs[index]
	switch {
	case !ok:
	case p.LinkLocal():
		p.Zone = index
	default:
		p.Zone = vrf
	}
}

// fromWire reports whether what came in by an interface is another host's: this host's own comes by the loopback or a VRF's device.
func (t *Transport) fromWire(index uint32) bool {
	vrf, ok := t.vrfs[index]
	return index != loopbackIndex && !(ok && vrf == index)
}
