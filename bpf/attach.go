package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A Mode is the point of the receive path at which the program runs.
type Mode uint8

// The modes.
const (
	Auto    Mode = iota // native if the driver supports it, else generic
	Native              // in the driver, before a socket buffer is made
	Generic             // in the kernel's own path, for any device
	Off                 // nowhere
)

func (m Mode) String() string {
	switch m {
	case Auto:
		return "auto"
	case Native:
		return "native"
	case Generic:
		return "generic"
	case Off:
		return "off"
	}
	return fmt.Sprintf("mode %d", uint8(m))
}

// A Choice is how the program runs, or would run, on an interface.
type Choice struct {
	Mode     Mode   // Native, Generic or Off
	Why      string // for the log
	Driver   string // of the interface
	ZeroCopy bool   // the driver supports zero-copy AF_XDP sockets
	// HidesTags reports that the device strips VLAN tags before the program runs; after Attach, that it could not be made to stop. A
	// frame that goes to AF_XDP or to another processor then has lost its VLAN.
	HidesTags bool
	// Err says why the mode is Off: a *CapabilityError, a *BusyError, or that there is no such interface.
	Err error
}

// A BusyError reports that another XDP program is attached to the interface.
type BusyError struct {
	Interface string
	Program   uint32 // id, 0 if unknown
	Name      string // of the program, empty if unknown
}

func (e *BusyError) Error() string {
	id := "an XDP program"
	if e.Program != 0 {
		id = fmt.Sprintf("XDP program %d", e.Program)
	}
	if e.Name != "" {
		id += " (" + e.Name + ")"
	}
	return fmt.Sprintf("%s holds %s: stop what attached it, or, if that has ended, \"ip link set dev %s xdp off\"", id, e.Interface, e.Interface)
}

// hook is an attached program.
type hook struct {
	link  link.Link
	net   *netlink.Handle
	index int
	mode  Mode
	tags  *ethtool // the device took tags off before, and this undoes what leaveTags did
	stop  chan struct{}
	done  sync.WaitGroup
}

// Probe returns how the program would run on an interface. It changes nothing.
func Probe(iface string) Choice {
	if err := need(needed...); err != nil {
		return off(err)
	}
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE, unix.NETLINK_GENERIC)
	if err != nil {
		return off(fmt.Errorf("netlink: %w", err))
	}
	defer h.Close()
	c, _ := probe(h, iface)
	return c
}

func off(err error) Choice {
	return Choice{Mode: Off, Why: err.Error(), Err: err}
}

// probe also returns the interface's index.
func probe(h *netlink.Handle, iface string) (Choice, int) {
	l, err := h.LinkByName(iface)
	if err != nil {
		return off(fmt.Errorf("interface %s: %w", iface, err)), 0
	}
	attrs := l.Attrs()
	if x := attrs.Xdp; x != nil && x.Attached {
		return off(busy(iface, x.ProgId)), attrs.Index
	}
	var c Choice
	if e, err := openEthtool(); err == nil { // neither is vital
		c.Driver, c.HidesTags = e.driver(iface), e.stripsTags(iface)
		e.close()
	}
	features, known := xdpFeatures(h, attrs.Index)
	c.ZeroCopy = features&featureZeroCopy != 0
	switch {
	case !known:
		c.Mode = Native
		c.Why = fmt.Sprintf("native, if driver %q can: this kernel does not tell", c.Driver)
	case features&featureBasic != 0:
		c.Mode = Native
		c.Why = fmt.Sprintf("native: driver %q can", c.Driver)
	default:
		c.Mode = Generic
		c.Why = fmt.Sprintf("generic: driver %q has no native XDP", c.Driver)
	}
	return c, attrs.Index
}

// busy looks up the name of the program, which takes CAP_SYS_ADMIN.
func busy(iface string, id uint32) error {
	e := &BusyError{Interface: iface, Program: id}
	p, err := ebpf.NewProgramFromID(ebpf.ProgramID(id))
	if err != nil {
		return e
	}
	defer p.Close()
	if info, err := p.Info(); err == nil {
		e.Name = info.Name
	}
	return e
}

// Of linux/netdev.h, which x/sys lacks.
const (
	netdevFamily      = "netdev"
	netdevVersion     = 1
	netdevDevGet      = 1
	netdevIfindex     = 1
	netdevXDPFeatures = 3

	featureBasic    = 1 << 0
	featureZeroCopy = 1 << 3
)

// genlHeader is struct genlmsghdr. That of package nl is two octets short of it, and sends what stands behind it in memory,
// which the kernel refuses unless it is 0.
type genlHeader [4]byte

func (h genlHeader) Len() int          { return len(h) }
func (h genlHeader) Serialize() []byte { return h[:] }

// xdpFeatures asks the kernel what the driver can do, which it tells since Linux 6.3 (Documentation/netlink/specs/netdev.yaml).
func xdpFeatures(h *netlink.Handle, index int) (features uint64, known bool) {
	family, err := h.GenlFamilyGet(netdevFamily)
	if err != nil {
		return 0, false
	}
	req := nl.NewNetlinkRequest(int(family.ID), 0)
	req.AddData(genlHeader{netdevDevGet, netdevVersion})
	req.AddData(nl.NewRtAttr(netdevIfindex, nl.Uint32Attr(uint32(index))))
	msgs, err := req.Execute(unix.NETLINK_GENERIC, 0)
	if err != nil {
		return 0, false
	}
	for _, m := range msgs {
		if len(m) < nl.SizeofGenlmsg {
			continue
		}
		attrs, err := nl.ParseRouteAttr(m[nl.SizeofGenlmsg:])
		if err != nil {
			continue
		}
		for _, a := range attrs {
			if a.Attr.Type == netdevXDPFeatures && len(a.Value) == 8 {
				return binary.NativeEndian.Uint64(a.Value), true
			}
		}
	}
	return 0, false
}

// Attach attaches the program to an interface, in the mode that Probe decides if m is Auto, in no other than m if it is
// not, and has the device leave VLAN tags on frames until Detach. The kernel detaches it when Detach or Close is called and when the process ends, whatever ends it. The error
// is that of the Choice.
func (p *Program) Attach(iface string, m Mode) (Choice, error) {
	p.change.Lock()
	defer p.change.Unlock()
	if p.hook != nil {
		return Choice{Mode: Off}, errors.New("bpf: attach: already attached")
	}
	c := p.attach(iface, m)
	if c.Err != nil {
		return c, fmt.Errorf("bpf: attach to %s: %w", iface, c.Err)
	}
	return c, nil
}

func (p *Program) attach(iface string, m Mode) (c Choice) {
	if err := need(capNetAdmin); err != nil {
		return off(err)
	}
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE, unix.NETLINK_GENERIC)
	if err != nil {
		return off(fmt.Errorf("netlink: %w", err))
	}
	defer func() {
		if c.Mode == Off {
			h.Close()
		}
	}()
	c, index := probe(h, iface)
	if c.Err != nil {
		return c
	}
	switch m {
	case Auto:
	case Native, Generic:
		c.Mode, c.Why = m, m.String()+", as it was asked for"
	default:
		return off(fmt.Errorf("mode %v is not attachable", m))
	}
	// Before the first packet, or what is ours would be taken for another's.
	if err := p.refresh(h, index); err != nil {
		return off(fmt.Errorf("addresses: %w", err))
	}
	k := &hook{net: h, index: index, stop: make(chan struct{})}
	if c.HidesTags { // before the first packet too
		c.HidesTags = k.leaveTags(iface)
	}
	if c = p.hookOn(k, iface, m, c); c.Err != nil {
		k.restoreTags()
		return c
	}
	k.done.Go(func() { p.watch(k, iface) })
	p.steer.mu.Lock()
	p.hook = k
	p.steer.mu.Unlock()
	return c
}

// hookOn hooks the program on k's interface, in the mode of c, or the next best if m is Auto.
func (p *Program) hookOn(k *hook, iface string, m Mode, c Choice) Choice {
	l, err := p.hookTo(k.index, c.Mode)
	if err != nil {
		// Another may have come first. The error alone does not tell: drivers have reasons of their own to be busy.
		if now, _ := probe(k.net, iface); now.Err != nil {
			return now
		}
		if m != Auto || c.Mode != Native {
			return off(err)
		}
		c.Mode = Generic
		c.Why = fmt.Sprintf("generic: driver %q refused native: %v", c.Driver, err)
		if l, err = p.hookTo(k.index, c.Mode); err != nil {
			return off(err)
		}
	}
	k.link, k.mode = l, c.Mode
	return c
}

func (p *Program) hookTo(index int, m Mode) (link.Link, error) {
	p.steer.mu.Lock()
	err := p.spread(m != Generic)
	p.steer.mu.Unlock()
	if err != nil {
		return nil, err
	}
	flags := link.XDPDriverMode
	if m == Generic {
		flags = link.XDPGenericMode
	}
	return link.AttachXDP(link.XDPOptions{Program: p.objs.Steer, Interface: index, Flags: flags})
}

// leaveTags has the device leave VLAN tags on frames, and reports whether it goes on taking them off.
func (k *hook) leaveTags(iface string) (hides bool) {
	e, err := openEthtool()
	if err != nil {
		return true
	}
	if e.stripTags(iface, false) != nil || e.stripsTags(iface) {
		e.close()
		return true
	}
	k.tags = &e
	return false
}

// restoreTags undoes leaveTags. The interface may be gone, or have another name.
func (k *hook) restoreTags() {
	if k.tags == nil {
		return
	}
	if l, err := k.net.LinkByIndex(k.index); err == nil {
		_ = k.tags.stripTags(l.Attrs().Name, true)
	}
	k.tags.close()
}

// Detach detaches the program, if it is attached.
func (p *Program) Detach() error {
	p.change.Lock()
	defer p.change.Unlock()
	p.steer.mu.Lock()
	k := p.hook
	p.hook = nil
	p.steer.mu.Unlock()
	if k == nil {
		return nil
	}
	close(k.stop)
	k.done.Wait()
	k.restoreTags()
	k.net.Close()
	if err := k.link.Close(); err != nil {
		return fmt.Errorf("bpf: detach: %w", err)
	}
	return nil
}

// Lost returns a channel that receives one error, within Config.Poll, if the program stops running without a call of Detach: it was
// detached by another process, or the interface is gone.
func (p *Program) Lost() <-chan error { return p.lost }

// watch follows what can change under an attached program.
func (p *Program) watch(k *hook, iface string) {
	t := time.NewTicker(p.steer.poll)
	defer t.Stop()
	for {
		select {
		case <-k.stop:
			return
		case <-t.C:
		}
		if err := p.check(k); err != nil {
			select {
			case p.lost <- fmt.Errorf("bpf: %s: %w", iface, err):
			default: // told before, and nobody has heard it
			}
			return
		}
		// What cannot be read now is read at the next tick; until then the addresses that are known hold.
		_ = p.refresh(k.net, k.index)
	}
}

// check looks whether the program still runs. There is no message for it: neither a bpf_link that is detached
// nor one whose program is exchanged is told by rtnetlink.
func (p *Program) check(k *hook) error {
	info, err := k.link.Info()
	if err != nil {
		return fmt.Errorf("query the link: %w", err)
	}
	if x := info.XDP(); x == nil || x.Ifindex == 0 {
		return errors.New("XDP program detached by another process, or interface removed")
	}
	own, err := p.objs.Steer.Info()
	if err != nil {
		return fmt.Errorf("query the program: %w", err)
	}
	if id, ok := own.ID(); ok && id != info.Program {
		return fmt.Errorf("XDP program %d has replaced ours", info.Program)
	}
	return nil
}
