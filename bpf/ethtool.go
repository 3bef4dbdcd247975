package bpf

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ethtool is a socket for reading and changing interface settings, in the network namespace it was opened in.
type ethtool int

func openEthtool() (ethtool, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	return ethtool(fd), os.NewSyscallError("socket", err)
}

func (e ethtool) close() { _ = unix.Close(int(e)) }

// driver returns the name of an interface's driver, empty if unknown.
func (e ethtool) driver(iface string) string {
	info, err := unix.IoctlGetEthtoolDrvinfo(int(e), iface)
	if err != nil {
		return ""
	}
	return unix.ByteSliceToString(info.Driver[:])
}

const rxVLAN = 1 << 8 // ETH_FLAG_RXVLAN, linux/ethtool.h

// stripsTags reports whether a device is known to strip VLAN tags from received frames.
func (e ethtool) stripsTags(iface string) bool {
	flags, err := e.flags(iface, unix.ETHTOOL_GFLAGS, 0)
	return err == nil && flags&rxVLAN != 0
}

// stripTags makes a device strip tags or leave them.
func (e ethtool) stripTags(iface string, on bool) error {
	flags, err := e.flags(iface, unix.ETHTOOL_GFLAGS, 0)
	if err != nil {
		return err
	}
	flags &^= rxVLAN
	if on {
		flags |= rxVLAN
	}
	_, err = e.flags(iface, unix.ETHTOOL_SFLAGS, flags)
	return err
}

// flags runs a command on a device's flags (struct ethtool_value).
func (e ethtool) flags(iface string, cmd, flags uint32) (uint32, error) {
	value := struct{ cmd, data uint32 }{cmd, flags}
	var ifr struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}
	copy(ifr.name[:unix.IFNAMSIZ-1], iface)
	ifr.data = unsafe.Pointer(&value)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(e), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&ifr)))
	runtime.KeepAlive(&value)
	if errno != 0 {
		return 0, os.NewSyscallError("ioctl SIOCETHTOOL", errno)
	}
	return value.data, nil
}
