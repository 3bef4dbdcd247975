package xsk

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"dcs/fastpath/packet"
	"dcs/fastpath/tid"
)

const nobody = -1

// place completes a packet that was received from a device, and returns the index of the transport that owns it.
func (t *Transport) place(dev *device, p *packet.Packet) int {
	p.TID, p.MaxBlksize, p.Zone, p.Time, p.TOS = 0, 0, dev.zoneOf(p), 0, t.group.marking.TOS(p.TOS)
	p.Hash = t.group.key.Hash(p.Peer)
	if len(p.Data) > rxRoom {
		p.Data = p.Data[:rxRoom]
		p.Flags |= packet.Truncated
	}
	local := p.Local
	v6 := local.Addr().Is6()
	use := t.group.portsOf(v6)[local.Port()]
	if use&requestPort == 0 {
		owner := int(use&ownerMask) - 1
		if owner != nobody && tid.Pick(t.group.Transports[owner].tidsOf(v6), p.Hash) != local.Port() {
			p.Flags |= packet.WrongTID
			return t.index // counted there
		}
		return owner
	}
	if !t.group.listens(local) {
		return nobody
	}
	p.MaxBlksize = dev.maxBlksize(t.size, v6, int(p.Link.Len))
	switch {
	case t.group.single:
		p.TID = local.Port()
		if t.group.owner != nil {
			return t.group.owner(p.Peer.Addr())
		}
	case len(t.tidsOf(v6)) == 0:
		return nobody
	default:
		p.TID = tid.Pick(t.tidsOf(v6), p.Hash)
	}
	return t.index
}

// tidsOf returns the transfer ports of the address family.
func (t *Transport) tidsOf(v6 bool) []uint16 {
	if v6 {
		return t.tids[1]
	}
	return t.tids[0]
}

// listens reports whether requests are accepted at a.
func (g *Group) listens(a netip.AddrPort) bool {
	for _, l := range g.listen {
		if l.Port() == a.Port() && (l.Addr().WithZone("") == a.Addr() || l.Addr().IsUnspecified() && l.Addr().Is4() == a.Addr().Is4()) {
			return true
		}
	}
	return false
}

func (t *Transport) handOver(p *packet.Packet, owner int) {
	if !t.outboxes[owner].put(p) {
		t.count[handLost].Add(1)
		return
	}
	t.count[handedOver].Add(1)
	t.woken[owner] = true
}

func (t *Transport) wakeOthers() {
	for i, to := range t.group.Transports {
		if !t.woken[i] {
			continue
		}
		t.woken[i] = false
		if to.sleeping.Load() {
			t.group.wake(i)
		}
	}
}

func (g *Group) wake(i int) {
	one := uint64(1)
	_, _, _ = unix.RawSyscall(unix.SYS_WRITE, uintptr(g.wakes[i]), uintptr(unsafe.Pointer(&one)), 8)
}

func (g *Group) portsOf(v6 bool) *[1 << 16]uint16 {
	if v6 {
		return &g.ports[1]
	}
	return &g.ports[0]
}
