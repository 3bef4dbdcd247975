package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"

	"dcs/bench/netlab"
	"dcs/fastpath/xsk/ring"
)

// labLink calls f for a device of the lab's server.
func labLink(t *testing.T, lab *netlab.Lab, name string, f func(netlink.Link) error) {
	t.Helper()
	err := lab.Server.Do(func() error {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		return f(l)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func addrsOf(texts ...string) (all []netip.Addr) {
	for _, s := range texts {
		all = append(all, netip.MustParseAddr(s))
	}
	return all
}

// Requests arrive by two interfaces that have not as many queues as one another, and one of which goes down and away.
func TestXDPInterfaces(t *testing.T) {
	t.Parallel()
	lab := netlab.ForTest(t, netlab.Config{Queues: 2})
	if err := lab.Wire("lab1", 1, addrsOf("198.19.1.1", "fd00:198:20::1"), addrsOf("198.19.1.2", "fd00:198:20::2")); err != nil {
		t.Fatal(err)
	}
	body := strings.Repeat("text", 1000)
	addr := netlab.ServerAddr4.String() + ":9100"
	serve := func(args ...string) *process {
		p := labServe(t, lab, append([]string{"--transport", "xdp", "--static", static(t, map[string]string{"x": body}), "--metrics", addr}, args...)...)
		p.said("msg=serving", "transport=xdp", "workers=2", "interface=lab0,lab1")
		return p
	}
	hosts := []string{netlab.ServerAddr4.String(), netlab.ServerAddr6.String(), "198.19.1.1", "fd00:198:20::1"}
	taken := func() (steered, passed float64) {
		m := samples(t, labMetrics(t, lab, addr))
		for _, name := range []string{"lab0", "lab1"} {
			if m[`dcs_xdp_interface_af_xdp{bond="",interface="`+name+`"}`] != 1 {
				t.Errorf("%s has no AF_XDP: %v", name, m)
			}
		}
		return m[`dcs_xdp_packets_total{verdict="steer_xsk"}`], m[`dcs_xdp_packets_total{verdict="pass_socket"}`] + m[`dcs_xdp_packets_total{verdict="steer_cpu"}`]
	}

	p := serve()
	for i, host := range hosts {
		want(t, lab, host, "x", body)
		if steered, passed := taken(); steered != float64(10*(i+1)) || passed != 0 { // an RRQ, and the ACKs of the OACK and of eight blocks
			t.Errorf("%s: %v steered, %v passed", host, steered, passed)
		}
	}
	if err := p.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}

	p = serve("--interface", "lab1", "--interface", "lab0")
	for _, host := range hosts {
		want(t, lab, host, "x", body)
	}
	labLink(t, lab, "lab1", netlink.LinkSetDown)
	p.said("interface down", "lab1")
	want(t, lab, hosts[0], "x", body)
	labLink(t, lab, "lab1", netlink.LinkSetUp)
	p.said("interface up", "lab1")
	eventually(t, "lab1 serves again", func() bool {
		got, err := labFetch(t, lab, hosts[2], "x")
		return err == nil && got == body
	})
	labLink(t, lab, "lab1", netlink.LinkDel)
	p.said("XDP program detached", "lab1")
	want(t, lab, hosts[0], "x", body)
	want(t, lab, hosts[1], "x", body)
	if n := p.count("XDP program detached", "lab0"); n > 0 {
		t.Error("the other interface lost its program")
	}
	if err := p.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}

// An address that stands on the loopback interface, or on none that packets come in by: XDP sits where they arrive.
func TestXDPAnycast(t *testing.T) {
	t.Parallel()
	lab := netlab.ForTest(t, netlab.Config{})
	const four, six = "198.18.255.1", "fd00:198:53::1"
	labLink(t, lab, "lo", func(l netlink.Link) error {
		var errs []error
		for _, s := range []string{four + "/32", six + "/128"} {
			a, err := netlink.ParseAddr(s)
			errs = append(errs, err, netlink.AddrAdd(l, a))
		}
		return errors.Join(errs...)
	})
	err := lab.Load.Do(func() error {
		var errs []error
		for to, via := range map[string]netip.Addr{four + "/32": netlab.ServerAddr4, six + "/128": netlab.ServerAddr6} {
			n, err := netlink.ParseIPNet(to)
			errs = append(errs, err, netlink.RouteAdd(&netlink.Route{Dst: n, Gw: via.AsSlice()}))
		}
		return errors.Join(errs...)
	})
	if err != nil {
		t.Fatal(err)
	}
	metrics := netlab.ServerAddr4.String() + ":9100"
	p := labServe(t, lab, "--static", static(t, map[string]string{"x": "text"}), "--listen", four+":69", "--listen", "["+six+"]:69", "--metrics", metrics)
	p.said("msg=serving", "transport=xdp", "interface=lab0")
	want(t, lab, four, "x", "text")
	want(t, lab, six, "x", "text")
	if n := samples(t, labMetrics(t, lab, metrics))[`dcs_xdp_packets_total{verdict="steer_xsk"}`]; n != 6 { // two times an RRQ and two ACKs
		t.Errorf("%v packets steered", n)
	}
}

// Packets are steered to where no worker gets them, as drivers have done it: requests are served by sockets within a second.
func TestXDPArrivesNowhere(t *testing.T) {
	t.Parallel()
	lab := netlab.ForTest(t, netlab.Config{})
	metrics := netlab.ServerAddr4.String() + ":9100"
	p := labServe(t, lab, "--static", static(t, map[string]string{"x": "text"}), "--metrics", metrics)
	p.said("msg=serving", "transport=xdp")
	want(t, lab, netlab.ServerAddr4.String(), "x", "text")

	// The kernel throws away what is redirected to a socket of another device.
	var stray *ring.Socket
	labLink(t, lab, "lo", func(l netlink.Link) (err error) {
		stray, err = ring.Open(ring.Config{Interface: l.Attrs().Index, FrameSize: 2048, RX: 64, TX: 64, Copy: true})
		return err
	})
	defer stray.Close()
	xsks := xsksOf(t, xdpOf(t, lab))
	defer xsks.Close()
	if err := xsks.Put(uint32(0), uint32(stray.FD())); err != nil {
		t.Fatal(err)
	}

	start := time.Now()
	eventually(t, "sockets serve", func() bool {
		got, err := labFetch(t, lab, netlab.ServerAddr4.String(), "x", "--timeout", "100ms", "--tries", "1")
		return err == nil && got == "text"
	})
	p.said("steered packets not delivered", "lab0")
	if took := time.Since(start); took > 20*time.Second { // a second, on a quiet machine
		t.Errorf("it took %v", took)
	}
	want(t, lab, netlab.ServerAddr6.String(), "x", "text")
	m := samples(t, labMetrics(t, lab, metrics))
	if m["dcs_xdp_fallbacks_total"] != 1 || m[`dcs_xdp_interface_af_xdp{bond="",interface="lab0"}`] != 0 || m[`dcs_xdp_interface_attached{bond="",interface="lab0"}`] != 1 {
		t.Errorf("%v", m)
	}
	if err := p.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}

// xsksOf opens the map of AF_XDP sockets that a program redirects to.
func xsksOf(t *testing.T, id uint32) *ebpf.Map {
	t.Helper()
	prog, err := ebpf.NewProgramFromID(ebpf.ProgramID(id))
	if err != nil {
		t.Fatal(err)
	}
	defer prog.Close()
	info, err := prog.Info()
	if err != nil {
		t.Fatal(err)
	}
	maps, _ := info.MapIDs()
	for _, id := range maps {
		m, err := ebpf.NewMapFromID(id)
		if err != nil {
			t.Fatal(err)
		}
		if m.Type() == ebpf.XSKMap {
			return m
		}
		_ = m.Close()
	}
	t.Fatal("the program has no map of AF_XDP sockets")
	return nil
}

// An interface gets another name while it serves.
func TestXDPRename(t *testing.T) {
	t.Parallel()
	lab := netlab.ForTest(t, netlab.Config{})
	p := labServe(t, lab, "--static", static(t, map[string]string{"x": "text"}))
	p.said("msg=serving", "transport=xdp")
	labLink(t, lab, netlab.Device, func(l netlink.Link) error { return netlink.LinkSetName(l, "cable0") })
	p.said("interface renamed", "interface=cable0")
	for _, host := range []string{netlab.ServerAddr4.String(), netlab.ServerAddr6.String()} {
		want(t, lab, host, "x", "text")
	}
	if n := p.count("interface down") + p.count("XDP program detached"); n > 0 {
		t.Error("an interface with another name is no interface that is down")
	}
	// What comes later is told by its new name.
	labLink(t, lab, "cable0", netlink.LinkSetDown)
	p.said("interface down", "interface=cable0")
	// Another is made in its place, under the name that the configuration has.
	labLink(t, lab, "cable0", netlink.LinkDel)
	p.said("XDP program detached", "interface=cable0")
	if err := lab.Wire(netlab.Device, 1, []netip.Addr{netlab.ServerAddr4}, []netip.Addr{netlab.LoadAddr4}); err != nil {
		t.Fatal(err)
	}
	p.said("interface was re-created", "interface=lab0")
	p.said("XDP program re-attached", "interface=lab0")
	eventually(t, "it serves again", func() bool {
		got, err := labFetch(t, lab, netlab.ServerAddr4.String(), "x")
		return err == nil && got == "text"
	})
	if err := p.stop(syscall.SIGTERM); err != nil {
		t.Error(fmt.Errorf("the end: %w", err))
	}
}
