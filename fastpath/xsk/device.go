package xsk

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// device is a network interface and the previous values of its changed settings.
type device struct {
	name  string
	index int
	zone  uint32       // index of the interface that has the addresses
	mtu   atomic.Int32 // last known value
	idle  atomic.Bool  // answers to its packets are sent by the kernel's sockets
	undo  []func() error
	// resume are those of deferInterrupts.
	resume []func() error

	networks atomic.Pointer[networks]
}

func openDevice(name string) (*device, error) {
	d := &device{name: name}
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return nil, err
	}
	fd, err := control()
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, ifr); err != nil {
		return nil, os.NewSyscallError("ioctl SIOCGIFINDEX", err)
	}
	d.index = int(ifr.Uint32())
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFMTU, ifr); err != nil {
		return nil, os.NewSyscallError("ioctl SIOCGIFMTU", err)
	}
	d.mtu.Store(int32(ifr.Uint32()))
	return d, nil
}

// maxBlksize returns the largest block that fits into one frame of frame octets with a link-layer header of so many
// octets.
func (d *device) maxBlksize(frame int, v6 bool, link int) uint16 {
	const udp, v4, more = 8, 20, 20
	n := d.maxFrame(link) - link - udp - v4
	if v6 {
		n -= more
	}
	return uint16(max(min(n, frame-txRoom)-dataHeader, 1))
}

// maxFrame returns the longest frame that may be sent with a link-layer header of so many octets.
func (d *device) maxFrame(link int) int { return int(d.mtu.Load()) + min(link, oneTag) }

// control returns a socket for ioctl.
func control() (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	return fd, os.NewSyscallError("socket", err)
}

// ethtool runs a command with a structure of linux/ethtool.h.
func (d *device) ethtool(data unsafe.Pointer) error {
	fd, err := control()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var ifr struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}
	copy(ifr.name[:unix.IFNAMSIZ-1], d.name)
	ifr.data = data
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&ifr)))
	runtime.KeepAlive(data)
	if errno != 0 {
		return errno
	}
	return nil
}

// Queues returns the number of receive queues of an interface, 1 if the driver does not report it.
func Queues(iface string) (int, error) {
	d, err := openDevice(iface)
	if err != nil {
		return 0, fmt.Errorf("xsk: %s: %w", iface, err)
	}
	return d.queues(), nil
}

func (d *device) queues() int {
	// struct ethtool_channels
	c := struct{ cmd, maxRx, maxTx, maxOther, maxCombined, rx, tx, other, combined uint32 }{cmd: unix.ETHTOOL_GCHANNELS}
	if d.ethtool(unsafe.Pointer(&c)) == nil && c.rx+c.combined > 0 {
		return int(c.rx + c.combined)
	}
	return 1
}

// hashAddresses makes the device choose the receive queue of UDP packets by addresses alone.
func (d *device) hashAddresses() error {
	const (
		udp4, udp6 = 2, 6 // UDP_V4_FLOW, UDP_V6_FLOW
		addresses  = 1<<4 | 1<<5
		everything = 192 // size of struct ethtool_rxnfc, of which only the first 16 octets matter here
	)
	type rxnfc struct {
		cmd, flow uint32
		data      uint64
		_         [everything - 16]byte
	}
	for _, flow := range []uint32{udp4, udp6} {
		now := rxnfc{cmd: unix.ETHTOOL_GRXFH, flow: flow}
		if err := d.ethtool(unsafe.Pointer(&now)); err != nil {
			return err
		}
		if now.data == addresses {
			continue
		}
		want := rxnfc{cmd: unix.ETHTOOL_SRXFH, flow: flow, data: addresses}
		if err := d.ethtool(unsafe.Pointer(&want)); err != nil {
			return err
		}
		d.undo = append(d.undo, func() error {
			before := rxnfc{cmd: unix.ETHTOOL_SRXFH, flow: flow, data: now.data}
			return d.ethtool(unsafe.Pointer(&before))
		})
	}
	return nil
}

// deferInterrupts leaves the receive work to whoever polls; the kernel resumes it if nobody has polled for a while. Values
// that somebody else has set are kept: a server that may not write below /sys can be given them.
func (d *device) deferInterrupts() error {
	dir := "/sys/class/net/" + d.name + "/"
	// /sys may have been mounted in another network namespace.
	b, err := os.ReadFile(dir + "ifindex")
	if err != nil {
		return err
	}
	if strings.TrimSpace(string(b)) != fmt.Sprint(d.index) {
		return errors.New("/sys belongs to another network namespace")
	}
	for _, s := range []struct{ file, value string }{
		{"napi_defer_hard_irqs", "2"},
		{"gro_flush_timeout", "200000"}, // ns
	} {
		before, err := os.ReadFile(dir + s.file)
		if err != nil {
			return err
		}
		if strings.TrimSpace(string(before)) != "0" {
			continue
		}
		// Kept open to restore the value: by then the process may have dropped privileges.
		f, err := os.OpenFile(dir+s.file, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		d.resume = append(d.resume, func() error {
			_, err := f.WriteAt(before, 0)
			return errors.Join(err, f.Close())
		})
		if _, err := f.WriteAt([]byte(s.value), 0); err != nil {
			return err
		}
	}
	return nil
}

// resumeInterrupts restores what deferInterrupts has changed.
func (d *device) resumeInterrupts() {
	for _, f := range d.resume {
		_ = f()
	}
	d.resume = nil
}

// restore restores the changed settings. The interface may be gone.
func (d *device) restore() {
	if i, err := net.InterfaceByIndex(d.index); err == nil {
		d.name = i.Name // it may have been renamed
	}
	for _, f := range d.undo {
		_ = f()
	}
	d.undo = nil
	d.resumeInterrupts()
}
