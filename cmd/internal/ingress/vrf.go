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

// vrfs maps the index of each interface that belongs to a VRF, the VRF's own device included, to the index of that device.
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

// networksOn returns the network that frames of an interface belong to, by their VLAN tags: untagged, the interface itself or
// its bond; tagged, the VLANs on either, nested VLANs included.
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

// deafVRFs returns a line for each protocol whose sockets do not receive what arrives in a VRF that has an address of theirs.
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
			lines = append(lines, fmt.Sprintf("%s: sockets do not receive %s in VRF %s; set net.ipv4.%s=1", p.key, p.what, strings.Join(names, ", "), p.accept))
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

// adminAddresses returns the IP addresses of the key admin.
func adminAddresses(cfg *config.Config) (all []netip.AddrPort) {
	for _, a := range cfg.Admin {
		if !strings.HasPrefix(a, "unix:") {
			all = append(all, httpAddresses(a)...)
		}
	}
	return all
}

// httpAddresses returns the IP addresses that host:port covers: both wildcards without a host, none for a host name.
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

// boundToDevice reports whether the process itself runs in a VRF (ip vrf exec): the kernel then binds every socket that it
// opens to the VRF's device, where it receives everything.
func boundToDevice() bool {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	name, err := unix.GetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE)
	return err == nil && strings.Trim(name, "\x00") != ""
}

// VRFWarnings returns a line for each key whose sockets would not receive from a VRF.
func VRFWarnings(cfg *config.Config) []string {
	h, err := newHost()
	if err != nil {
		return nil // AbsentAddresses reports the error
	}
	return h.deafVRFs(cfg, ipv4Sysctls)
}
