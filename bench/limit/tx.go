package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

//go:generate go tool bpf2go -target bpfel -cflags "-O2 -mcpu=v3 -Wall -Wextra -Werror -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include/aarch64-linux-gnu" tx tx.bpf.c

// serveTX answers in the XDP program itself, in native mode: the absolute limit. It returns only on an error. A veth has
// no room behind a packet, so requests must be as long as their answers there, and it delivers what is sent so only to a
// device with an XDP program of its own, such as that of dcs storm.
func serveTX(listen netip.AddrPort, iface string, size int) error {
	ifi, err := net.InterfaceByName(iface)
	if err != nil {
		return err
	}
	if !listen.Addr().Is4() {
		return fmt.Errorf("%v: XDP_TX supports IPv4 only", listen)
	}
	spec, err := loadTx()
	if err != nil {
		return err
	}
	if err := errors.Join(spec.Variables["port"].Set(listen.Port()), spec.Variables["size"].Set(uint16(size))); err != nil {
		return err
	}
	var objs txObjects
	if err := spec.LoadAndAssign(&objs, nil); err != nil {
		return err
	}
	attached, err := link.AttachXDP(link.XDPOptions{Program: objs.Answer, Interface: ifi.Index, Flags: link.XDPDriverMode})
	if err != nil {
		return fmt.Errorf("attach to %s: %w", iface, err)
	}
	defer attached.Close()
	fmt.Println("ready")
	return unix.Pause()
}
