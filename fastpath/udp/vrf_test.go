package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"dcs/fastpath/frame"
	"dcs/fastpath/packet"
)

// A crossing is a host with two wires. Its routes lead to all peers by the second wire, also to those whose packets
// arrive by the first.
type crossing struct {
	t    *testing.T
	ours [2]netlink.Link // the host's ends
	taps [2]int          // packet sockets at the others
}

var (
	ourAddr4, ourAddr6   = netip.MustParseAddr("198.18.5.1"), netip.MustParseAddr("fd00:198:18:5::1")
	peerAddr4, peerAddr6 = netip.MustParseAddr("198.18.6.2"), netip.MustParseAddr("fd00:198:18:6::2")
	peerMAC              = net.HardwareAddr{2, 0, 0xc6, 0x12, 0, 9}
)

// newCrossing builds it in the network namespace of this thread.
func newCrossing(t *testing.T) (*crossing, error) {
	c := &crossing{t: t}
	for i := range c.ours {
		name, other := fmt.Sprint("wire", i), fmt.Sprint("tap", i)
		attrs := netlink.NewLinkAttrs()
		attrs.Name = name
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: other}); err != nil {
			return nil, err
		}
		for _, key := range []string{"ipv4/conf/" + name + "/rp_filter", "ipv4/conf/all/rp_filter"} {
			if err := os.WriteFile("/proc/sys/net/"+key, []byte("0"), 0); err != nil {
				return nil, err
			}
		}
		var err error
		if c.ours[i], err = netlink.LinkByName(name); err != nil {
			return nil, err
		}
		tap, err := netlink.LinkByName(other)
		if err != nil {
			return nil, err
		}
		if err := errors.Join(netlink.LinkSetUp(c.ours[i]), netlink.LinkSetUp(tap)); err != nil {
			return nil, err
		}
		if c.taps[i], err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return nil, err
		}
		t.Cleanup(func() { _ = unix.Close(c.taps[i]) })
		all := uint16(unix.ETH_P_ALL<<8 | unix.ETH_P_ALL>>8)
		if err := unix.Bind(c.taps[i], &unix.SockaddrLinklayer{Protocol: all, Ifindex: tap.Attrs().Index}); err != nil {
			return nil, err
		}
	}
	return c, errors.Join(c.route(1), c.route(0))
}

// route routes to the peers by a wire; by the first one for a packet that may leave by that alone. IPv4 prefers the
// other by its priority. IPv6 would then use nothing else, and prefers the older route.
func (c *crossing) route(i int) error {
	link, index := c.ours[i], c.ours[i].Attrs().Index
	var errs []error
	for _, a := range []struct {
		ours, peer      netip.Addr
		flags, priority int
	}{{ourAddr4, peerAddr4, 0, 100 - 50*i}, {ourAddr6, peerAddr6, unix.IFA_F_NODAD, 100}} {
		bits := a.ours.BitLen()
		if i == 0 {
			own := &netlink.Addr{IPNet: &net.IPNet{IP: a.ours.AsSlice(), Mask: net.CIDRMask(bits, bits)}, Flags: a.flags}
			errs = append(errs, netlink.AddrAdd(link, own))
		}
		errs = append(errs,
			netlink.NeighSet(&netlink.Neigh{LinkIndex: index, IP: a.peer.AsSlice(), HardwareAddr: peerMAC, State: netlink.NUD_PERMANENT}),
			netlink.RouteAppend(&netlink.Route{LinkIndex: index, Scope: netlink.SCOPE_LINK, Priority: a.priority, Dst: &net.IPNet{IP: a.peer.AsSlice(), Mask: net.CIDRMask(bits, bits)}}))
	}
	return errors.Join(errs...)
}

// send injects a packet that arrives by a wire.
func (c *crossing) send(wire int, peer, to netip.AddrPort) {
	c.t.Helper()
	var p packet.Packet
	buf := make([]byte, 256)
	p.SetBuffer(buf, frame.Room)
	p.Peer, p.Local = to, peer
	p.Data = append(p.Data, "ask"...)
	header := append(append([]byte{}, c.ours[wire].Attrs().HardwareAddr...), peerMAC...)
	kind := uint16(unix.ETH_P_IP)
	if to.Addr().Is6() {
		kind = unix.ETH_P_IPV6
	}
	p.Link.Len = uint8(copy(p.Link.Header[:], append(header, byte(kind>>8), byte(kind))))
	from, end, ok := frame.Append(&p, buf, frame.Room, 0)
	if !ok {
		c.t.Fatal("no frame")
	}
	if _, err := unix.Write(c.taps[wire], buf[from:end]); err != nil {
		c.t.Fatal(err)
	}
}

// seen returns the wire by which an answer to a peer has left; -1: none.
func (c *crossing) seen(peer netip.AddrPort) int {
	buf := make([]byte, 2048)
	for i, fd := range c.taps {
		for {
			n, from, err := unix.Recvfrom(fd, buf, unix.MSG_DONTWAIT)
			if err != nil {
				break
			}
			if ll, ok := from.(*unix.SockaddrLinklayer); !ok || ll.Pkttype == unix.PACKET_OUTGOING {
				continue // what this test has sent
			}
			var p packet.Packet // seen from the host: Local is the peer
			if frame.Parse(buf[:n], &p) == frame.Datagram && p.Local == peer && string(p.Data) == "answer" {
				return i
			}
		}
	}
	return -1
}

// An answer to a packet from an interface in a VRF stays in the VRF, whatever the main table says; other answers follow
// the main table. There is no VRF here: an interface stands for the VRF device, which the kernel treats alike.
func TestAnswersStayInVRF(t *testing.T) {
	isolated(t, 1500, func() {
		c, err := newCrossing(t)
		if err != nil {
			t.Error(err)
			return
		}
		port := uint16(2000)
		for _, v6 := range []bool{false, true} {
			ours, peer, any := ourAddr4, peerAddr4, netip.IPv4Unspecified()
			if v6 {
				ours, peer, any = ourAddr6, peerAddr6, netip.IPv6Unspecified()
			}
			for _, at := range []netip.Addr{any, ours} {
				for _, raw := range []bool{false, true} {
					for _, single := range []bool{false, true} {
						for _, inVRF := range []bool{false, true} {
							port++
							name := fmt.Sprintf("at %v, raw %v, single port %v, VRF %v", at, raw, single, inVRF)
							if wire := c.exchange(name, Config{Listen: []netip.AddrPort{netip.AddrPortFrom(at, 0)}, Raw: raw, SinglePort: single}, ours, netip.AddrPortFrom(peer, port), inVRF); inVRF != (wire == 0) {
								t.Errorf("%s: the answer left by wire %d", name, wire)
							}
						}
					}
				}
			}
		}
	})
}

// exchange sends a request by the first wire, and an ACK to the source of the answer, and returns the wire by which
// they were answered.
func (c *crossing) exchange(name string, cfg Config, ours netip.Addr, peer netip.AddrPort, inVRF bool) int {
	t := c.t
	ts, err := Open(cfg, 1)
	if err != nil {
		t.Fatal(name, err)
	}
	tr := ts[0]
	defer tr.Close()
	index, zone := uint32(c.ours[0].Attrs().Index), uint32(0)
	if inVRF {
		zone = index
		if err := tr.SetVRFs(map[uint32]uint32{index: zone}); err != nil {
			t.Fatal(name, err)
		}
	}
	to := netip.AddrPortFrom(ours, tr.Addrs()[0].Port())
	wire := -1
	for range 2 {
		p := c.receive(tr, peer, to)
		if p.Zone != zone || p.Flags != 0 {
			t.Errorf("%s: received %+v, want zone %d", name, p, zone)
		}
		if p.TID != 0 {
			to = netip.AddrPortFrom(ours, p.TID)
		}
		out := packet.NewSlab(1, packet.Headroom, 64)
		out[0].Peer, out[0].Local, out[0].Zone = p.Peer, to, p.Zone
		out[0].Data = append(out[0].Data, "answer"...)
		before := wire
		wire = c.answer(tr, out, peer)
		if before >= 0 && before != wire {
			t.Errorf("%s: answers left by both wires", name)
		}
	}
	return wire
}

// receive sends packets by the first wire until one is received.
func (c *crossing) receive(tr *Transport, peer, to netip.AddrPort) *packet.Packet {
	c.t.Helper()
	batch := packet.NewSlab(4, 0, 64)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		c.send(0, peer, to)
		for range 10 { // ticks
			n, err := tr.Recv(batch)
			if err != nil {
				c.t.Fatal(err)
			}
			for i := range batch[:n] {
				if batch[i].Local == to {
					return &batch[i]
				}
			}
		}
	}
	c.t.Fatal("no packet")
	return nil
}

// answer sends an answer until it is seen, and returns its wire.
func (c *crossing) answer(tr *Transport, out []packet.Packet, peer netip.AddrPort) int {
	c.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		if err := tr.Send(out); err != nil || tr.SendErrors() != 0 {
			c.t.Fatalf("%v, %d send errors", err, tr.SendErrors())
		}
		for again := time.Now().Add(200 * time.Millisecond); time.Now().Before(again); time.Sleep(time.Millisecond) {
			if wire := c.seen(peer); wire >= 0 {
				return wire
			}
		}
	}
	c.t.Fatal("no answer")
	return -1
}
