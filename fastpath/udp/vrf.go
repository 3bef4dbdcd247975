package udp

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"dcs/fastpath/packet"
)

// SetVRFs sets which interfaces belong to VRFs: their index, and the index of the VRF device, which is a key as well.
// What arrives by one of these is answered within its VRF, which has its own routing table. Answers to anything else
// are routed by the main table. The map must not be changed afterwards. SetVRFs may be called from any goroutine.
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
		errs = append(errs, s.enablePacketInfo())
	}
	return errors.Join(errs...)
}

// enablePacketInfo makes the kernel report the incoming interface of each packet.
func (s *socket) enablePacketInfo() error {
	level, opt := unix.IPPROTO_IP, unix.IP_PKTINFO
	if s.v6 {
		level, opt = unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO
	}
	if err := unix.SetsockoptInt(s.fd, level, opt, 1); err != nil {
		return fmt.Errorf("udp: packet information of %v: %w", s.local, os.NewSyscallError("setsockopt", err))
	}
	s.pktinfo = true
	return nil
}

// setZone sets the VRF of a packet by its incoming interface. A link-local peer belongs to that interface itself: in a
// VRF the kernel reports the VRF device as its scope, by which a neighbour cannot be reached if the VRF has several
// interfaces.
func (t *Transport) setZone(p *packet.Packet, index uint32) {
	vrf, ok := t.vrfs[index]
	switch {
	case !ok:
	case p.LinkLocal():
		p.Zone = index
	default:
		p.Zone = vrf
	}
}

// fromWire reports whether a packet came from another host: this host's own arrive by the loopback or a VRF device.
func (t *Transport) fromWire(index uint32) bool {
	vrf, ok := t.vrfs[index]
	return index != loopbackIndex && !(ok && vrf == index)
}
