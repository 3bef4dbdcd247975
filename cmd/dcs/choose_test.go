package main

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"dcs/bpf"
	"dcs/cmd/internal/config"
)

func TestDecide(t *testing.T) {
	native := bpf.Choice{Mode: bpf.Native, Why: `native: driver "veth" can`}
	generic := bpf.Choice{Mode: bpf.Generic, Why: `generic: driver "x" has no native XDP`}
	busy := bpf.Choice{Mode: bpf.Off, Err: &bpf.BusyError{Interface: "eth0", Program: 7, Name: "other"}}
	lacks := bpf.Choice{Mode: bpf.Off, Err: &bpf.CapabilityError{Missing: []string{"CAP_BPF", "CAP_NET_RAW"}}}
	strips := native
	strips.HidesTags = true
	sockets := func(why string) plan { return plan{mode: bpf.Off, why: why} }
	xdp := func(spread bool) plan {
		return plan{iface: "eth0", mode: bpf.Native, xsk: true, spread: spread, why: native.Why}
	}
	tests := []struct {
		name string
		want config.Transport
		facts
		plan
		err string // part of it
	}{
		{"socket is socket", config.Socket, facts{iface: "eth0", xdp: native, queues: 1, workers: 4}, sockets("socket, as configured"), ""},
		{"auto", config.Auto, facts{iface: "eth0", xdp: native, queues: 4, workers: 4}, xdp(false), ""},
		{"auto, few queues", config.Auto, facts{iface: "eth0", xdp: native, queues: 1, workers: 4}, xdp(true), ""},
		{"auto, no interface", config.Auto, facts{err: errors.New("which?"), workers: 4}, sockets("which?"), ""},
		{"auto, generic", config.Auto, facts{iface: "eth0", xdp: generic, queues: 1, workers: 1}, sockets("sockets bear more than " + generic.Why), ""},
		{"auto, busy", config.Auto, facts{iface: "eth0", xdp: busy, queues: 1, workers: 1}, sockets(busy.Err.Error()), ""},
		{"auto, capabilities", config.Auto, facts{iface: "eth0", xdp: lacks, queues: 1, workers: 1}, sockets(lacks.Err.Error()), ""},
		{"auto, AF_XDP's capability", config.Auto, facts{iface: "eth0", xdp: native, missing: []string{"CAP_NET_RAW"}, queues: 1, workers: 1}, sockets("missing CAP_NET_RAW: run as root, or grant it (AmbientCapabilities= of systemd, or setcap)"), ""},
		{
			"auto, tags hidden", config.Auto,
			facts{iface: "eth0", xdp: strips, vlans: []string{"eth0.5"}, queues: 1, workers: 4},
			plan{iface: "eth0", mode: bpf.Native, why: `eth0 takes the tags of its VLANs (eth0.5) off: "ethtool -K eth0 rxvlan off" leaves them on`},
			"",
		},
		{"auto, tags hidden, no VLANs", config.Auto, facts{iface: "eth0", xdp: strips, queues: 4, workers: 4}, xdp(false), ""},
		{"xdp", config.XDP, facts{iface: "eth0", xdp: native, queues: 4, workers: 4}, xdp(false), ""},
		{"xdp, generic", config.XDP, facts{iface: "eth0", xdp: generic, queues: 4, workers: 4}, plan{iface: "eth0", mode: bpf.Generic, xsk: true, why: generic.Why}, ""},
		{"xdp, no interface", config.XDP, facts{err: errors.New("which?")}, plan{}, "transport xdp: which?"},
		{"xdp, busy", config.XDP, facts{iface: "eth0", xdp: busy}, plan{}, "XDP program 7 (other) holds eth0"},
		{"xdp, capabilities", config.XDP, facts{iface: "eth0", xdp: lacks}, plan{}, "missing CAP_BPF, CAP_NET_RAW"},
		{"xdp, AF_XDP's capability", config.XDP, facts{iface: "eth0", xdp: native, missing: []string{"CAP_NET_RAW"}}, plan{}, "missing CAP_NET_RAW"},
		{"xdp, tags hidden", config.XDP, facts{iface: "eth0", xdp: strips, vlans: []string{"eth0.5"}}, plan{}, "ethtool -K eth0 rxvlan off"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := decide(tt.want, tt.facts)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || got != tt.plan {
				t.Errorf("got %+v, %v; want %+v", got, err, tt.plan)
			}
		})
	}
}

func TestInterfaceOf(t *testing.T) {
	link := func(name string, index, parent int) netlink.LinkAttrs {
		return netlink.LinkAttrs{Name: name, Index: index, ParentIndex: parent}
	}
	addr := func(index int, prefix string) netlink.Addr {
		ip, ipNet, err := net.ParseCIDR(prefix)
		if err != nil {
			t.Fatal(err)
		}
		return netlink.Addr{LinkIndex: index, IPNet: &net.IPNet{IP: ip, Mask: ipNet.Mask}}
	}
	lo := &netlink.Device{LinkAttrs: link("lo", 1, 0)}
	eth0 := &netlink.Device{LinkAttrs: link("eth0", 2, 0)}
	eth1 := &netlink.Device{LinkAttrs: link("eth1", 3, 0)}
	vlan := &netlink.Vlan{LinkAttrs: link("eth0.5", 4, 2)}
	stacked := &netlink.Vlan{LinkAttrs: link("eth0.5.6", 5, 4)}
	veth := &netlink.Veth{LinkAttrs: link("veth0", 6, 7)} // whose parent is its other end
	local := []netlink.Addr{addr(1, "127.0.0.1/8"), addr(1, "::1/128")}
	one := append(local, addr(2, "192.0.2.1/24"), addr(2, "2001:db8::1/64"), addr(2, "fe80::1/64"))
	tests := []struct {
		name   string
		host   host
		listen string
		want   string // an interface, or part of the error after "!"
	}{
		{"wildcard", host{[]netlink.Link{lo, eth0}, one}, "0.0.0.0:69", "eth0"},
		{"both wildcards", host{[]netlink.Link{lo, eth0}, one}, "0.0.0.0:69 [::]:69", "eth0"},
		{"address", host{[]netlink.Link{lo, eth0, eth1}, append(one, addr(3, "198.51.100.1/24"))}, "198.51.100.1:69", "eth1"},
		{"loopback", host{[]netlink.Link{lo, eth0}, one}, "127.0.0.1:69 [::1]:69", "!no interface but the loopback"},
		{"an address that is not there yet", host{[]netlink.Link{lo, eth0}, one}, "198.18.0.9:69", "!no interface has 198.18.0.9 yet: the key interface"},
		{"one of two addresses is there", host{[]netlink.Link{lo, eth0}, one}, "198.18.0.9:69 192.0.2.1:69", "eth0"},
		{"two", host{[]netlink.Link{lo, eth1, eth0}, append(one, addr(3, "198.51.100.1/24"))}, "0.0.0.0:69", "!eth0, eth1: say by the key interface"},
		{"the other has no address of its own", host{[]netlink.Link{lo, eth0, eth1}, append(one, addr(3, "fe80::2/64"))}, "[::]:69", "eth0"},
		{"link-local", host{[]netlink.Link{lo, eth0}, one}, "[fe80::1%eth0]:69", "eth0"},
		{"VLAN", host{[]netlink.Link{lo, eth0, vlan}, append(local, addr(4, "192.0.2.1/24"))}, "0.0.0.0:69", "eth0"},
		{"VLAN beside its interface", host{[]netlink.Link{lo, eth0, vlan}, append(one, addr(4, "192.0.3.1/24"))}, "0.0.0.0:69", "eth0"},
		{"tag in a tag", host{[]netlink.Link{lo, eth0, vlan, stacked}, append(local, addr(5, "192.0.2.1/24"))}, "0.0.0.0:69", "eth0"},
		{"veth", host{[]netlink.Link{lo, veth}, append(local, addr(6, "192.0.2.1/24"))}, "0.0.0.0:69", "veth0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var listen []netip.AddrPort
			for _, a := range strings.Fields(tt.listen) {
				listen = append(listen, netip.MustParseAddrPort(a))
			}
			got, err := tt.host.interfaceOf(listen)
			if want, fails := strings.CutPrefix(tt.want, "!"); fails {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, %v; want %q", got, err, want)
				}
			} else if err != nil || got != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
	h := host{[]netlink.Link{lo, eth0, vlan, stacked, eth1}, nil}
	if got := strings.Join(h.vlansOn("eth0"), " "); got != "eth0.5 eth0.5.6" {
		t.Errorf("VLANs on eth0: %s", got)
	}
	if got := h.vlansOn("eth1"); got != nil {
		t.Errorf("VLANs on eth1: %v", got)
	}
}
