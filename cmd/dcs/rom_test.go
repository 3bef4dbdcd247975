package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"dcs/bench/netlab"
	"dcs/bench/require"
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
	// A router is heard from a link-local address alone (RFC 4861, section 6.1.2), of which labs have none.
	linkLocal := netip.MustParseAddr("fe80::1")
	err := errors.Join(lab.Load.Tap(romTap), lab.Load.Bridge("bridge", netlab.Device, romTap), lab.Server.Address(netlab.Device, linkLocal))
	if err != nil {
		t.Fatal(err)
	}
	return romLink{host: lab.Load, device: netlab.Device, four: netlab.ServerAddr4, six: netlab.ServerAddr6}
}

// tappedROM plugs the machine into the server itself.
func tappedROM(t *testing.T, lab *netlab.Lab) romLink {
	t.Helper()
	l := romLink{host: lab.Server, device: romTap, four: netip.MustParseAddr("198.19.7.1"), six: netip.MustParseAddr("fd00:198:7::1")}
	if err := l.host.Tap(romTap, l.four, l.six); err != nil {
		t.Fatal(err)
	}
	return l
}

// romClass is the user class (RFC 3004) by which a ROM asks for the name of an index. None begins with another.
func romClass(i int) string { return fmt.Sprintf("boot-%02d", i) }

// dhcp serves addresses on the link. A client is given a name to boot: the first one, or that of its class.
func (l romLink) dhcp(t *testing.T, lab *netlab.Lab, first string, names []string) {
	t.Helper()
	require.Program(t, "dnsmasq")
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
	require.Program(t, "qemu-system-x86_64")
	if roms, err := filepath.Glob("/usr/lib/ipxe/qemu/pxe-*.rom"); err != nil || len(roms) == 0 {
		require.Missing(t, "CLIENTS", "ipxe-qemu is missing: make deps installs it")
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
