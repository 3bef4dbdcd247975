package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"dcs/bench/netlab"
)

// A romLink is where the network card of a machine in qemu is plugged in, and who serves it.
type romLink struct {
	host      *netlab.Host // has the tap, and runs qemu
	device    string       // where the server receives what the ROM sends
	four, six netip.Addr   // of the server on it
}

const (
	romTap = "rom0"
	romMAC = "02:00:c6:13:00:50"
)

// lease is the IPv4 address that the ROM is given.
func (l romLink) lease() netip.Addr {
	b := l.four.As4()
	b[3] = 50
	return netip.AddrFrom4(b)
}

// autoconf is the IPv6 address that the ROM makes of its MAC (RFC 4291, appendix A).
func (l romLink) autoconf() netip.Addr {
	b := l.six.As16()
	copy(b[8:], []byte{0x00, 0x00, 0xc6, 0xff, 0xfe, 0x13, 0x00, 0x50})
	return netip.AddrFrom16(b)
}

// bridgedROM plugs the machine into the lab's wire, by a bridge on the load's side.
func bridgedROM(t *testing.T, lab *netlab.Lab) romLink {
	t.Helper()
	err := lab.Load.Do(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = "bridge"
		snooping := false // nobody asks for the groups on this wire, which a bridge would wait for
		bridge := &netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &snooping}
		if err := netlink.LinkAdd(bridge); err != nil {
			return fmt.Errorf("bridge: %w", err)
		}
		wire, err := netlink.LinkByName(netlab.Device)
		if err != nil {
			return err
		}
		tap, err := addTap()
		if err != nil {
			return err
		}
		for _, port := range []netlink.Link{wire, tap} {
			if err := netlink.LinkSetMaster(port, bridge); err != nil {
				return fmt.Errorf("port %s: %w", port.Attrs().Name, err)
			}
		}
		return netlink.LinkSetUp(bridge)
	})
	if err == nil { // the lab has no link-local addresses, from which alone a router is heard (RFC 4861, section 6.1.2)
		err = lab.Server.Do(func() error { return addAddresses(netlab.Device, netip.MustParsePrefix("fe80::1/64")) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return romLink{host: lab.Load, device: netlab.Device, four: netlab.ServerAddr4, six: netlab.ServerAddr6}
}

// tappedROM plugs the machine into the server itself.
func tappedROM(t *testing.T, lab *netlab.Lab) romLink {
	t.Helper()
	l := romLink{host: lab.Server, device: romTap, four: netip.MustParseAddr("198.19.7.1"), six: netip.MustParseAddr("fd00:198:7::1")}
	err := l.host.Do(func() error {
		if _, err := addTap(); err != nil {
			return err
		}
		return addAddresses(romTap, netip.PrefixFrom(l.four, 24), netip.PrefixFrom(l.six, 64))
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func addAddresses(device string, addresses ...netip.Prefix) error {
	link, err := netlink.LinkByName(device)
	if err != nil {
		return err
	}
	for _, p := range addresses {
		a, err := netlink.ParseAddr(p.String())
		if err != nil {
			return err
		}
		if p.Addr().Is6() {
			a.Flags = unix.IFA_F_NODAD
		}
		if err := netlink.AddrAdd(link, a); err != nil {
			return fmt.Errorf("address %s: %w", p, err)
		}
	}
	return nil
}

func addTap() (netlink.Link, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = romTap
	tap := &netlink.Tuntap{LinkAttrs: attrs, Mode: netlink.TUNTAP_MODE_TAP}
	if err := netlink.LinkAdd(tap); err != nil {
		return nil, fmt.Errorf("tap: %w", err)
	}
	return tap, netlink.LinkSetUp(tap)
}

// romClass is the user class (RFC 3004) by which a ROM asks for the name of an index. None begins with another.
func romClass(i int) string { return fmt.Sprintf("boot-%02d", i) }

// dhcp serves addresses on the link. A client is given a name to boot: the first one, or that of its class.
func (l romLink) dhcp(t *testing.T, lab *netlab.Lab, first string, names []string) {
	t.Helper()
	need(t, "dnsmasq")
	args := []string{
		"--no-daemon", "--conf-file=/dev/null", "--pid-file=", "--leasefile-ro", "--port=0", "--interface=" + l.device, "--bind-dynamic",
		"--dhcp-authoritative", "--no-ping", "--dhcp-range=" + l.lease().String() + ",static", "--dhcp-host=" + romMAC + "," + l.lease().String(),
		"--enable-ra", "--dhcp-range=" + netip.PrefixFrom(l.six, 64).Masked().Addr().String() + ",ra-only",
		"--dhcp-option=175,b0:01:01", // iPXE: do not wait for a proxy's offer
		"--dhcp-boot=" + first,
	}
	for i, name := range names {
		class := romClass(i)
		args = append(args, "--dhcp-userclass=set:"+class+","+class, "--dhcp-boot=tag:"+class+","+name)
	}
	labRun(t, lab, exec.Command("dnsmasq", args...)).await("sockets bound")
}

// boot starts a machine without a disk, whose card is of a model, and returns what it writes on its serial console.
func (l romLink) boot(t *testing.T, card string) *romConsole {
	t.Helper()
	need(t, "qemu-system-x86_64")
	if roms, err := filepath.Glob("/usr/lib/ipxe/qemu/pxe-*.rom"); err != nil || len(roms) == 0 {
		missing(t, "ipxe-qemu")
	}
	cmd := exec.Command("qemu-system-x86_64", "-accel", "tcg", "-m", "64", "-nodefaults", "-nographic", "-serial", "stdio", "-no-reboot",
		"-boot", "n,strict=on,reboot-timeout=0", "-netdev", "tap,id=wire,ifname="+romTap+",script=no,downscript=no", "-device", card+",netdev=wire,mac="+romMAC)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := l.host.Start(cmd); err != nil {
		t.Fatal(err)
	}
	c := &romConsole{ended: make(chan struct{})}
	go func() {
		c.read(stdout)
		_ = cmd.Wait() // how it ends shows in what it has written
		close(c.ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-c.ended
		if t.Failed() {
			t.Logf("the console:\n%s\n%s", c.plain(), stderr.String())
		}
	})
	return c
}

// romConsole is what a machine has written.
type romConsole struct {
	lines
	ended chan struct{}
}

var escape = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]|[\r\x08]`)

// plain returns the text without what moves the cursor and colours the letters.
func (c *romConsole) plain() string { return escape.ReplaceAllString(c.String(), "") }
