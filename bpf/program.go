package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
)

// A Program is the XDP program for one interface at a time.
type Program struct {
	steer *Steer
	objs  ofInterface
	lost  chan error

	change sync.Mutex // held by Attach and Detach, which take the Steer's mu as well
	hook   *hook      // this and the following fields are guarded by the Steer's mu
	vlans  map[steerTags]bool
	tagged map[steerAddress]bool
}

// ofInterface holds the maps and settings of one program.
type ofInterface struct {
	Steer   *ebpf.Program `ebpf:"steer"`
	Tagged  *ebpf.Map     `ebpf:"tagged"`
	Tallies *ebpf.Map     `ebpf:"tallies"`
	Vlans   *ebpf.Map     `ebpf:"vlans"`
	Xsks    *ebpf.Map     `ebpf:"xsks"`

	BondMac       *ebpf.Variable `ebpf:"bond_mac"`
	Inside        *ebpf.Variable `ebpf:"inside"`
	OwnMac        *ebpf.Variable `ebpf:"own_mac"`
	Standby       *ebpf.Variable `ebpf:"standby"`
	VLANAddresses *ebpf.Variable `ebpf:"vlan_addresses"`
	Workers       *ebpf.Variable `ebpf:"workers"`

	CaptureLost   *ebpf.Variable `ebpf:"capture_lost"`
	CapturePassed *ebpf.Variable `ebpf:"capture_passed"`
}

func (o *ofInterface) close() error {
	return errors.Join(o.Steer.Close(), o.Tagged.Close(), o.Tallies.Close(), o.Vlans.Close(), o.Xsks.Close())
}

// spread turns spreading by SetWorkers on or off.
func (p *Program) spread(on bool) error {
	var n int
	if on {
		n = p.steer.workers
	}
	return p.objs.Workers.Set(uint32(n))
}

// SetStandby makes the program leave everything to the kernel, as for a standby member of a bond: the active member
// receives the same packets, and the kernel drops those of the standby.
func (p *Program) SetStandby(on bool) error {
	if err := p.objs.Standby.Set(on); err != nil {
		return fmt.Errorf("bpf: %w", err)
	}
	return nil
}

// SetXSK steers the packets of a receive queue to an AF_XDP socket. The kernel removes the socket when it is closed.
func (p *Program) SetXSK(queue, fd int) error {
	if n := int(p.objs.Xsks.MaxEntries()); queue < 0 || queue >= n {
		return fmt.Errorf("bpf: queue %d out of range, 0 to %d", queue, n-1)
	}
	if err := p.objs.Xsks.Put(uint32(queue), uint32(fd)); err != nil {
		return fmt.Errorf("bpf: steer queue %d to a socket: %w", queue, err)
	}
	return nil
}

// ClearXSK leaves the packets of a receive queue to the kernel, or to the processors of SetWorkers.
func (p *Program) ClearXSK(queue int) error {
	if err := p.objs.Xsks.Delete(uint32(queue)); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("bpf: clear queue %d: %w", queue, err)
	}
	return nil
}

// refresh updates the addresses, hardware addresses and VLANs.
func (p *Program) refresh(h *netlink.Handle, index int) error {
	links, err := h.LinkList()
	if err != nil {
		return err
	}
	find := func(index int) netlink.Link {
		if i := slices.IndexFunc(links, func(l netlink.Link) bool { return l.Attrs().Index == index }); i >= 0 {
			return links[i]
		}
		return nil
	}
	link := find(index)
	if link == nil {
		return netlink.LinkNotFoundError{}
	}
	own := hardware(link)
	bond := own
	if m := find(link.Attrs().MasterIndex); m != nil {
		bond = hardware(m)
	}
	addrs, err := h.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return err
	}
	prefixes := Prefixes(addrs)
	var local []netip.Addr
	for _, p := range prefixes {
		if !p.Addr().IsLoopback() {
			local = append(local, p.Addr())
		}
	}
	s := p.steer
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := errors.Join(
		p.objs.OwnMac.Set(own), p.objs.BondMac.Set(bond),
		p.objs.Inside.Set(link.Attrs().Flags&net.FlagLoopback != 0),
	); err != nil {
		return err
	}
	if err := p.setVLANs(links, addrs, index, link.Attrs().MasterIndex); err != nil {
		return err
	}
	if err := s.setOwn(prefixes); err != nil {
		return err
	}
	s.local = local
	return s.place()
}

// hardware returns an interface's hardware address in the form of steer.bpf.c, 0 if it has none.
func hardware(l netlink.Link) uint64 {
	var mac [8]byte
	if hw := l.Attrs().HardwareAddr; len(hw) == 6 {
		copy(mac[:], hw)
	}
	return binary.LittleEndian.Uint64(mac[:])
}
