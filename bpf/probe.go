package bpf

import (
	"encoding/binary"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A Mode is the point of the receive path at which the program runs.
type Mode uint8

// Modes.
const (
	Auto    Mode = iota // native if the driver supports it, else generic
	Native              // in the driver, before a socket buffer is allocated
	Generic             // in the network stack, on any device
	Off                 // not at all
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
	Why      string // reason, for the log
	Driver   string // of the interface
	ZeroCopy bool   // the driver supports zero-copy AF_XDP sockets
	// HidesTags reports that the device strips VLAN tags before the program runs or, after Attach, that it could not be
	// stopped. Frames steered to AF_XDP or to another processor lack their VLAN then.
	HidesTags bool
	// Err says why the mode is Off: a *CapabilityError, a *BusyError, or that there is no such interface.
	Err error
}

// A BusyError reports that another XDP program is attached to the interface.
type BusyError struct {
	Interface string
	Program   uint32 // id; 0: unknown
	Name      string // of the program; empty: unknown
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
	if e, err := openEthtool(); err == nil { // not essential
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

// busy also looks up the program's name, which needs CAP_SYS_ADMIN.
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

// genlHeader is struct genlmsghdr. The type of package nl is two octets too short: it sends what follows in memory, and
// the kernel rejects that unless it is 0.
type genlHeader [4]byte

func (h genlHeader) Len() int { return len(h) }

func (h genlHeader) Serialize() []byte { return h[:] }

// xdpFeatures returns the driver's XDP features, which the kernel reports since Linux 6.3
// (Documentation/netlink/specs/netdev.yaml).
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

// Constants of linux/netdev.h that x/sys lacks.
const (
	netdevFamily      = "netdev"
	netdevVersion     = 1
	netdevDevGet      = 1
	netdevIfindex     = 1
	netdevXDPFeatures = 3

	featureBasic    = 1 << 0
	featureZeroCopy = 1 << 3
)
