package rig

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"

	"dcs/bench/netlab"
)

// Pass attaches an XDP program to the load's device that passes every packet on; it ends with the lab. A veth delivers
// what its peer sends by XDP_TX only if it has a program of its own.
func Pass(lab *netlab.Lab) error {
	const xdpPass = 2
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.XDP, License: "Dual BSD/GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, xdpPass), asm.Return()},
	})
	if err != nil {
		return err
	}
	defer prog.Close()
	return lab.Load.Do(func() error {
		dev, err := netlink.LinkByName(netlab.Device)
		if err != nil {
			return err
		}
		// Not a link of BPF, which would end with its file descriptor.
		if err := netlink.LinkSetXdpFdWithFlags(dev, prog.FD(), int(link.XDPDriverMode)); err != nil {
			return fmt.Errorf("attach a program to the load's device: %w", err)
		}
		return nil
	})
}
