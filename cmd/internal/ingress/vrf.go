package ingress

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"dcs/bpf"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/listen"
	"dcs/fastpath/xsk"
)

// vrfs returns the VRF of each interface that belongs to one: the index of its device, which is among the interfaces itself.
func (h *host) vrfs() map[uint32]uint32 {
	all := map[uint32]uint32{}
	for _, l := range h.links {
		if l.Type() == "vrf" {
			all[uint32(l.Attrs().Index)] = uint32(l.Attrs().Index)
		}
	}
	if len(all) == 0 {
		return all
	}
	for _, l := range h.links {
		if master := uint32(l.Attrs().MasterIndex); master != 0 && all[master] == master {
			all[uint32(l.Attrs().Index)] = master
		}
	}
	return all
}

// networksOn returns where the frames of an interface belong: itself or the bond that it is a member of, and the VLANs that lie on
// either, one VLAN in another among them.
func (h *host) networksOn(index, zone uint32) map[xsk.Tags]xsk.Network {
	vrfs := h.vrfs()
	all := map[xsk.Tags]xsk.Network{{}: {Zone: zone, VRF: vrfs[zone]}}
	for tags, device := range bpf.VLANs(h.links, int(index), int(zone)) {
		all[xsk.Tags(tags)] = xsk.Network{Zone: uint32(device), VRF: vrfs[uint32(device)]}
	}
	return all
}

// ipv4Sysctls is the directory of net.ipv4's settings.
const ipv4Sysctls = "/proc/sys/net/ipv4"

// deafVRFs returns a line for each protocol whose sockets do not hear what arrives in a VRF that has an address of theirs.
func (h *host) deafVRFs(cfg *config.Config, sysctls string) []string {
	vrfs := h.vrfs()
	if len(vrfs) == 0 || boundToDevice() {
		return nil
	}
	var lines []string
	for _, p := range []struct {
		listen            []netip.AddrPort
		key, what, accept string
	}{
		{cfg.Listen, "listen", "requests", "udp_l3mdev_accept"},
		{httpAddresses(cfg.HTTP), "http", "connections", "tcp_l3mdev_accept"},
		{httpAddresses(cfg.Metrics), "metrics", "connections", "tcp_l3mdev_accept"},
		{adminAddresses(cfg), "admin", "connections", "tcp_l3mdev_accept"},
	} {
		// A kernel without the setting has no VRFs.
		value, err := os.ReadFile(filepath.Join(sysctls, p.accept))
		if err != nil || !bytes.Equal(bytes.TrimSpace(value), []byte("0")) {
			continue
		}
		if names := h.vrfsOf(vrfs, p.listen); len(names) > 0 {
			lines = append(lines, fmt.Sprintf("%s: sockets do not receive %s that arrive in VRF %s; set net.ipv4.%s=1", p.key, p.what, strings.Join(names, ", "), p.accept))
		}
	}
	return lines
}

// vrfsOf returns the names of the VRFs that have an address of listen.
func (h *host) vrfsOf(vrfs map[uint32]uint32, listen []netip.AddrPort) []string {
	var names []string
	for _, a := range h.addrs {
		ip, ok := netip.AddrFromSlice(a.IP)
		if vrf := vrfs[uint32(a.LinkIndex)]; ok && vrf != 0 && listensAt(listen, ip.Unmap()) {
			names = append(names, h.name(int(vrf)))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// adminAddresses returns the addresses that those of admin stand for.
func adminAddresses(cfg *config.Config) (all []netip.AddrPort) {
	for _, a := range cfg.Admin {
		if !strings.HasPrefix(a, "unix:") {
			all = append(all, httpAddresses(a)...)
		}
	}
	return all
}

// httpAddresses returns the addresses that an address of http stands for; none if it is a host name.
func httpAddresses(address string) []netip.AddrPort {
	if address == "" {
		return nil
	}
	host := listen.Host(address)
	if host == "" {
		return []netip.AddrPort{netip.AddrPortFrom(netip.IPv4Unspecified(), 0), netip.AddrPortFrom(netip.IPv6Unspecified(), 0)}
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return nil
	}
	return []netip.AddrPort{netip.AddrPortFrom(a, 0)}
}

// boundToDevice reports whether the process runs in a VRF itself (ip vrf exec): the kernel binds every socket that it opens to the
// VRF's device, and hands over what arrives there.
func boundToDevice() bool {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	name, err := unix.GetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE)
	return err == nil && strings.Trim(name, "\x00") != ""
}

// VrfWarnings tells of a configuration which VRFs the server would not hear.
func VrfWarnings(cfg *config.Config) []string {
	h, err := newHost()
	if err != nil {
		return nil // absentAddresses reports the error
	}
	return h.deafVRFs(cfg, ipv4Sysctls)
}
