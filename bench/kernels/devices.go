package main

// A device is a network setup between the wires and the server's addresses. Two hosts, srv and cli, are joined by two
// wires, v0–w0 and v1–w1; the rest is built by commands of ip for each host.
type device struct {
	name     string
	srv, cli []string // commands of ip
	// iface is the interface key of the configuration: used with transport xdp, left empty with auto. Empty: none.
	iface   string
	listen  string   // address and port; empty: the default, all addresses
	anycast bool     // modems ask an address of a dummy device
	tagged  bool     // frames carry VLAN tags
	below   []string // devices below the one with the addresses, other than the wires
	beside  bool     // the tag is metadata of the frame, as one veth hands it to another
	l3mdev  bool     // sockets that are not bound to a device receive packets of a VRF
}

// Addresses of the hosts, from RFC 2544 and unique local addresses.
const (
	srv4, cli4 = "198.18.0.1", "198.18.0.2"
	srv6, cli6 = "fd00:198:18::1", "fd00:198:18::2"
	anycast    = "198.19.99.1"
	anycast6   = "fd00:198:19::99"
)

// addresses returns the commands that assign the addresses of srv or cli to a device.
func addresses(dev, v4, v6 string) []string {
	return []string{
		"link set " + dev + " up",
		"addr add " + v4 + "/24 dev " + dev,
		"addr add " + v6 + "/64 dev " + dev + " nodad",
	}
}

// both returns the commands for both hosts; f gets the letter of a host's wires.
func both(f func(wire string) []string, on func(wire string) string) (srv, cli []string) {
	srv = append(f("v"), addresses(on("v"), srv4, srv6)...)
	cli = append(f("w"), addresses(on("w"), cli4, cli6)...)
	return srv, cli
}

func named(s string) func(string) string { return func(string) string { return s } }

func bond(options string) func(wire string) []string {
	return func(wire string) []string {
		cmds := []string{"link add bond0 type bond " + options}
		for _, n := range []string{"0", "1"} {
			cmds = append(cmds, "link set "+wire+n+" down", "link set "+wire+n+" master bond0", "link set "+wire+n+" up")
		}
		return append(cmds, "link set bond0 up")
	}
}

// Options of bonds. The first member is the primary on both sides, as otherwise both could wait for one another.
const (
	activeBackup = "mode active-backup miimon 50"
	balanceXor   = "mode balance-xor miimon 50 xmit_hash_policy layer3+4"
	lacp         = "mode 802.3ad miimon 50 lacp_rate slow xmit_hash_policy layer3+4"
)

// devices returns all devices.
func devices() []device {
	var all []device
	add := func(d device, f func(wire string) []string, on func(wire string) string) {
		d.srv, d.cli = both(f, on)
		all = append(all, d)
	}
	none := func(string) []string { return nil }
	first := func(wire string) string { return wire + "0" }
	add(device{name: "veth", iface: "v0"}, none, first)
	for _, b := range []struct{ name, options string }{
		{"bond active-backup", activeBackup}, {"bond balance-xor", balanceXor}, {"bond 802.3ad", lacp},
	} {
		add(device{name: b.name, iface: "bond0"}, bond(b.options), named("bond0"))
	}
	add(device{name: "team", iface: "team0"}, func(wire string) []string {
		return []string{
			"link add team0 type team", teamMode,
			"link set " + wire + "0 down", "link set " + wire + "0 master team0", "link set " + wire + "0 up",
			"link set " + wire + "1 down", "link set " + wire + "1 master team0", "link set " + wire + "1 up",
		}
	}, named("team0"))
	vlan := func(on string) []string { return []string{"link add link " + on + " name vlan5 type vlan id 5"} }
	add(device{name: "VLAN", iface: "v0", tagged: true}, func(wire string) []string { return vlan(wire + "0") }, named("vlan5"))
	add(device{name: "VLAN, tags beside the frames", iface: "v0", tagged: true, beside: true}, func(wire string) []string {
		return vlan(wire + "0")
	}, named("vlan5"))
	add(device{name: "QinQ", iface: "v0", tagged: true, below: []string{"vlan6"}}, func(wire string) []string {
		return append([]string{
			"link add link " + wire + "0 name vlan6 type vlan proto 802.1ad id 6", "link set vlan6 up",
		}, vlan("vlan6")...)
	}, named("vlan5"))
	add(device{name: "VLAN on bond active-backup", iface: "bond0", tagged: true, below: []string{"bond0"}}, func(wire string) []string {
		return append(bond(activeBackup)(wire), vlan("bond0")...)
	}, named("vlan5"))
	add(device{name: "VRF", iface: "v0", l3mdev: true}, func(wire string) []string {
		if wire == "w" {
			return nil
		}
		return []string{"link add vrf0 type vrf table 10", "link set vrf0 up", "link set v0 master vrf0"}
	}, first)
	dummy := device{name: "dummy", listen: anycast + ":69,[" + anycast6 + "]:69", anycast: true}
	add(dummy, func(wire string) []string {
		if wire == "w" {
			return nil
		}
		return []string{"link add any0 type dummy", "link set any0 up", "addr add " + anycast + "/32 dev any0", "addr add " + anycast6 + "/128 dev any0 nodad"}
	}, first)
	d := &all[len(all)-1]
	d.cli = append(d.cli, "route add "+anycast+" via "+srv4, "route add "+anycast6+" via "+srv6)
	return all
}

// teamMode is a pseudo-command among those of ip: a team's mode is set by another program.
const teamMode = "team mode"
