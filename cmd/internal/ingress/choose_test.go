package ingress

import (
	"errors"
	"net"
	"net/netip"
	"reflect"
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
	eth0, eth1 := arrival{name: "eth0", zone: 2}, arrival{name: "eth1", zone: 3}
	at := func(a arrival, c bpf.Choice, queues int) portFacts { return portFacts{a, c, queues} }
	one := func(c bpf.Choice, queues, workers int) Facts {
		return Facts{ports: []portFacts{at(eth0, c, queues)}, workers: workers}
	}
	sockets := func(why string) Plan { return Plan{why: why} }
	xdp := func(spread bool, c bpf.Choice, why string, ports ...arrival) Plan {
		for i := range ports {
			ports[i].mode, ports[i].xsk = c.Mode, true
		}
		return Plan{ports, spread, why}
	}
	const raw = "missing CAP_NET_RAW: run as root, or grant it (AmbientCapabilities= of systemd, or setcap)"
	tests := []struct {
		name string
		want config.Transport
		Facts
		Plan
		err string // part of it
	}{
		{"socket is socket", config.Socket, one(native, 1, 4), sockets("socket, as configured"), ""},
		{"auto", config.Auto, one(native, 4, 4), xdp(false, native, native.Why, eth0), ""},
		{"auto, few queues", config.Auto, one(native, 1, 4), xdp(true, native, native.Why, eth0), ""},
		{"auto, no interface", config.Auto, Facts{err: errors.New("which?"), workers: 4}, sockets("which?"), ""},
		{"auto, generic", config.Auto, one(generic, 1, 1), sockets("sockets are faster than " + generic.Why), ""},
		{"auto, busy", config.Auto, one(busy, 1, 1), sockets(busy.Err.Error()), ""},
		{"auto, capabilities", config.Auto, one(lacks, 1, 1), sockets(lacks.Err.Error()), ""},
		{
			"auto, AF_XDP's capability", config.Auto,
			Facts{ports: []portFacts{at(eth0, native, 1)}, missing: []string{"CAP_NET_RAW"}, workers: 1},
			sockets(raw), "",
		},
		{
			"auto, two", config.Auto,
			Facts{ports: []portFacts{at(eth0, native, 1), at(eth1, native, 4)}, workers: 4},
			xdp(false, native, "eth0: "+native.Why+"; eth1: "+native.Why, eth0, eth1), "",
		},
		{
			"auto, one of two", config.Auto,
			Facts{ports: []portFacts{at(eth0, generic, 1), at(eth1, native, 1)}, workers: 4},
			xdp(true, native, "eth0: sockets are faster than "+generic.Why+"; eth1: "+native.Why, eth1), "",
		},
		{"xdp", config.XDP, one(native, 4, 4), xdp(false, native, native.Why, eth0), ""},
		{"xdp, generic", config.XDP, one(generic, 4, 4), xdp(false, generic, generic.Why, eth0), ""},
		{"xdp, no interface", config.XDP, Facts{err: errors.New("which?")}, Plan{}, "transport xdp: which?"},
		{"xdp, busy", config.XDP, one(busy, 1, 1), Plan{}, "XDP program 7 (other) holds eth0"},
		{"xdp, one of two busy", config.XDP, Facts{ports: []portFacts{at(eth0, busy, 1), at(eth1, native, 1)}, workers: 1}, Plan{}, "transport xdp: eth0: XDP program 7 (other) holds eth0"},
		{"xdp, capabilities", config.XDP, one(lacks, 1, 1), Plan{}, "missing CAP_BPF, CAP_NET_RAW"},
		{
			"xdp, AF_XDP's capability", config.XDP,
			Facts{ports: []portFacts{at(eth0, native, 1)}, missing: []string{"CAP_NET_RAW"}},
			Plan{},
			"missing CAP_NET_RAW",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Decide(tt.want, tt.Facts)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, tt.Plan) {
				t.Errorf("got %+v, %v; want %+v", got, err, tt.Plan)
			}
		})
	}
}

func TestArrivals(t *testing.T) {
	link := func(name string, index, parent, master int) netlink.LinkAttrs {
		a := netlink.LinkAttrs{Name: name, Index: index, ParentIndex: parent, MasterIndex: master}
		if name == "lo" {
			a.Flags = net.FlagLoopback
		}
		return a
	}
	addr := func(index int, prefix string) netlink.Addr {
		ip, ipNet, err := net.ParseCIDR(prefix)
		if err != nil {
			t.Fatal(err)
		}
		return netlink.Addr{LinkIndex: index, IPNet: &net.IPNet{IP: ip, Mask: ipNet.Mask}}
	}
	lo := &netlink.Device{LinkAttrs: link("lo", 1, 0, 0)}
	eth0 := &netlink.Device{LinkAttrs: link("eth0", 2, 0, 0)}
	eth1 := &netlink.Device{LinkAttrs: link("eth1", 3, 0, 0)}
	vlan := &netlink.Vlan{LinkAttrs: link("eth0.5", 4, 2, 0)}
	stacked := &netlink.Vlan{LinkAttrs: link("eth0.5.6", 5, 4, 0)}
	veth := &netlink.Veth{LinkAttrs: link("veth0", 6, 7, 0)} // whose parent is its other end
	dummy := &netlink.Dummy{LinkAttrs: link("any0", 8, 0, 0)}
	bond := &netlink.Bond{LinkAttrs: link("bond0", 9, 0, 0)}
	eth2 := &netlink.Device{LinkAttrs: link("eth2", 10, 0, 9)}
	eth3 := &netlink.Device{LinkAttrs: link("eth3", 11, 0, 9)}
	overBond := &netlink.Vlan{LinkAttrs: link("bond0.7", 12, 9, 0)}
	team := &netlink.GenericLink{LinkAttrs: link("team0", 13, 0, 0), LinkType: "team"}
	eth4 := &netlink.Device{LinkAttrs: link("eth4", 14, 0, 13)}
	empty := &netlink.Bond{LinkAttrs: link("bond1", 15, 0, 0)}
	vrf := &netlink.Vrf{LinkAttrs: link("blue", 16, 0, 0)}
	local := []netlink.Addr{addr(1, "127.0.0.1/8"), addr(1, "::1/128")}
	with := func(addrs ...netlink.Addr) []netlink.Addr {
		return append(append([]netlink.Addr{}, local...), addrs...)
	}
	one := with(addr(2, "192.0.2.1/24"), addr(2, "2001:db8::1/64"), addr(2, "fe80::1/64"))
	links := func(l ...netlink.Link) []netlink.Link { return append([]netlink.Link{lo}, l...) }
	bonded := links(eth2, eth3, bond)
	tests := []struct {
		name       string
		host       host
		configured string
		listen     string
		want       string // interfaces, a member with its master; or part of the error after "!"
	}{
		{"wildcard", host{links(eth0), one}, "", "0.0.0.0:69", "eth0"},
		{"both wildcards", host{links(eth0), one}, "", "0.0.0.0:69 [::]:69", "eth0"},
		{"address", host{links(eth0, eth1), append(with(addr(3, "198.51.100.1/24")), one...)}, "", "198.51.100.1:69", "eth1"},
		{"loopback", host{links(eth0), one}, "", "127.0.0.1:69 [::1]:69", "!only the loopback interface"},
		{"an address that is not there yet", host{links(eth0), one}, "", "198.18.0.9:69", "!no interface has 198.18.0.9 yet; name"},
		{"one of two addresses is there", host{links(eth0), one}, "", "198.18.0.9:69 192.0.2.1:69", "eth0"},
		{"two", host{links(eth1, eth0), append(with(addr(3, "198.51.100.1/24")), one...)}, "", "0.0.0.0:69", "eth0 eth1"},
		{"the other has no address of its own", host{links(eth0, eth1), append(with(addr(3, "fe80::2/64")), one...)}, "", "[::]:69", "eth0"},
		{"link-local", host{links(eth0), one}, "", "[fe80::1%eth0]:69", "eth0"},
		{"VLAN", host{links(eth0, vlan), with(addr(4, "192.0.2.1/24"))}, "", "0.0.0.0:69", "eth0"},
		{"VLAN beside its interface", host{links(eth0, vlan), append(with(addr(4, "192.0.3.1/24")), one...)}, "", "0.0.0.0:69", "eth0"},
		{"tag in a tag", host{links(eth0, vlan, stacked), with(addr(5, "192.0.2.1/24"))}, "", "0.0.0.0:69", "eth0"},
		{"veth", host{links(veth), with(addr(6, "192.0.2.1/24"))}, "", "0.0.0.0:69", "veth0"},
		{"bond", host{bonded, with(addr(9, "192.0.2.1/24"))}, "", "0.0.0.0:69", "eth2<bond0 eth3<bond0"},
		{"VLAN on a bond", host{append(bonded, overBond), with(addr(12, "192.0.2.1/24"))}, "", "192.0.2.1:69", "eth2<bond0 eth3<bond0"},
		{"team", host{links(team, eth4), with(addr(13, "192.0.2.1/24"))}, "", "0.0.0.0:69", "eth4<team0"},
		{"anycast on a dummy", host{links(eth0, eth1, dummy), append(with(addr(8, "203.0.113.1/32")), one...)}, "", "203.0.113.1:69", "eth0"},
		{"anycast on the loopback interface", host{links(eth0), append(with(addr(1, "203.0.113.1/32")), one...)}, "", "203.0.113.1:69", "eth0"},
		{"anycast on a dummy, behind a bond", host{append(bonded, dummy), with(addr(8, "203.0.113.1/32"), addr(9, "192.0.2.1/24"))}, "", "203.0.113.1:69", "eth2<bond0 eth3<bond0"},
		{"wildcard beside a dummy", host{links(eth0, dummy), append(with(addr(8, "203.0.113.1/32")), one...)}, "", "0.0.0.0:69", "eth0"},
		{"address of a VRF", host{links(eth0, vrf), append(with(addr(16, "203.0.113.1/32")), one...)}, "", "203.0.113.1:69", "eth0"},
		{"configured", host{links(eth0, eth1), one}, "eth1", "0.0.0.0:69", "eth1"},
		{"two configured", host{links(eth0, eth1), one}, "eth1 eth0", "0.0.0.0:69", "eth0 eth1"},
		{"bond configured", host{bonded, local}, "bond0", "0.0.0.0:69", "eth2<bond0 eth3<bond0"},
		{"member configured", host{bonded, local}, "eth2", "0.0.0.0:69", "eth2"},
		{"bond without a member", host{links(empty), local}, "bond1", "0.0.0.0:69", "!bond1 has no members"},
		{"none of that name", host{links(eth0), one}, "eth7", "0.0.0.0:69", "!interface eth7 does not exist"},
		{"VLAN configured", host{links(eth0, vlan), one}, "eth0.5", "0.0.0.0:69", "!eth0.5 is a VLAN; name its parent interface, eth0"},
		{"dummy configured", host{links(eth0, dummy), one}, "any0", "0.0.0.0:69", "!any0 is a dummy interface"},
	}
	both := host{links(eth0, vlan), one}
	if all, err := both.arrivals([]string{"eth7", "eth0", "eth0.5"}, nil); len(all) != 1 || all[0].name != "eth0" || err == nil || err.Error() != "interface eth7 does not exist\neth0.5 is a VLAN; name its parent interface, eth0" {
		t.Errorf("some that are none: %v, %v", all, err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var listen []netip.AddrPort
			for _, a := range strings.Fields(tt.listen) {
				listen = append(listen, netip.MustParseAddrPort(a))
			}
			arrivals, err := tt.host.arrivals(strings.Fields(tt.configured), listen)
			if want, fails := strings.CutPrefix(tt.want, "!"); fails {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, %v; want %q", arrivals, err, want)
				}
				return
			}
			var got []string
			for _, a := range arrivals {
				l, there := tt.host.byName(a.name)
				zone := l.Attrs().Index
				if l.Attrs().MasterIndex != 0 {
					zone = l.Attrs().MasterIndex
				}
				if a.master != "" {
					a.name += "<" + a.master
				}
				if !there || a.zone != uint32(zone) {
					t.Errorf("%s: zone %d", a.name, a.zone)
				}
				got = append(got, a.name)
			}
			if err != nil || strings.Join(got, " ") != tt.want {
				t.Errorf("got %v, %v; want %q", got, err, tt.want)
			}
		})
	}
}

// Members that wait are those that the kernel says so of; every other interface takes what comes.
func TestWaits(t *testing.T) {
	for _, tt := range []struct {
		slave netlink.LinkSlave
		want  bool
	}{{nil, false}, {&netlink.BondSlave{State: netlink.BondStateActive}, false}, {&netlink.BondSlave{State: netlink.BondStateBackup}, true}} {
		if got := waits(&netlink.Device{LinkAttrs: netlink.LinkAttrs{Slave: tt.slave}}); got != tt.want {
			t.Errorf("%+v: %v", tt.slave, got)
		}
	}
}

// What is steered and arrives nowhere is seen at the second look; what goes slowly, or not at all, is no loss.
func TestDelivery(t *testing.T) {
	for _, tt := range []struct {
		name  string
		looks [][2]uint64 // steered, taken
		lost  int         // the look at which it is, from 1; 0: never
	}{
		{"nothing comes", [][2]uint64{{0, 0}, {0, 0}, {0, 0}, {0, 0}}, 0},
		{"all arrives", [][2]uint64{{0, 0}, {10, 10}, {20, 20}, {20, 20}, {20, 20}}, 0},
		{"some was steered before the first look", [][2]uint64{{50, 10}, {50, 10}, {50, 10}}, 0},
		{"none arrives", [][2]uint64{{0, 0}, {10, 0}, {20, 0}}, 3},
		{"one packet, that arrives nowhere", [][2]uint64{{0, 0}, {1, 0}, {1, 0}}, 3},
		{"none arrives any more", [][2]uint64{{0, 0}, {10, 10}, {20, 10}, {30, 10}}, 4},
		{"some of it arrives", [][2]uint64{{0, 0}, {10, 1}, {20, 2}, {30, 3}}, 0},
		{"one comes between the counts, then none", [][2]uint64{{0, 0}, {0, 1}, {1, 1}, {1, 1}, {1, 1}}, 0},
		{"one comes between the first counts", [][2]uint64{{0, 1}, {1, 1}, {1, 1}, {1, 1}}, 0},
		{"some come between the counts, then none arrives", [][2]uint64{{5, 5}, {10, 12}, {12, 12}, {13, 12}, {14, 12}}, 5},
		{"it arrives a little late", [][2]uint64{{0, 0}, {10, 0}, {20, 20}, {30, 20}, {30, 30}}, 0},
	} {
		var p delivery
		got := 0
		for i, l := range tt.looks {
			if p.update(l[0], l[1]) && got == 0 {
				got = i + 1
			}
		}
		if got != tt.lost {
			t.Errorf("%s: lost at look %d, want %d", tt.name, got, tt.lost)
		}
	}
}

// More interfaces than there are programs for are an error that says so, before anything is loaded.
func TestTooManyInterfaces(t *testing.T) {
	in := &Ingress{plan: Plan{ports: make([]arrival, bpf.MaxInterfaces+1)}}
	if st, err := (&opener{cfg: new(config.Config)}).newSteering(in, nil); st != nil || err == nil || !strings.Contains(err.Error(), "at most 64 can have XDP") {
		t.Errorf("%v, %v", st, err)
	}
}
