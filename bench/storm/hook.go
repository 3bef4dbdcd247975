package storm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"net"
	"net/netip"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	attachment "github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"dcs/fastpath/xsk"
)

// hook is an XDP program on an interface. It redirects UDP packets from the server to modems to AF_XDP sockets, and passes everything
// else to the kernel. The kernel detaches it when it is closed, and when the process ends in any way.
type hook struct {
	sockets *ebpf.Map
	program *ebpf.Program
	link    attachment.Link
}

// attach attaches the program in the driver, and returns the number of receive queues. It fails if the interface has an XDP program.
func attach(cfg *Config, index int) (h *hook, queues int, err error) {
	if queues, err = xsk.Queues(cfg.Interface); err != nil {
		return nil, 0, err
	}
	if queues > maxQueues {
		return nil, 0, fmt.Errorf("%d receive queues: at most %d", queues, maxQueues)
	}
	h = &hook{}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.close())
		}
	}()
	h.sockets, err = ebpf.NewMap(&ebpf.MapSpec{Name: programName, Type: ebpf.XSKMap, KeySize: 4, ValueSize: 4, MaxEntries: uint32(queues)})
	if err != nil {
		return h, 0, err
	}
	spec := &ebpf.ProgramSpec{Name: programName, Type: ebpf.XDP, License: "GPL", Instructions: answersTo(cfg.Target.Addr(), simulated(cfg), h.sockets.FD())}
	if h.program, err = ebpf.NewProgram(spec); err != nil {
		return h, 0, err
	}
	h.link, err = attachment.AttachXDP(attachment.XDPOptions{Program: h.program, Interface: index, Flags: attachment.XDPDriverMode})
	switch {
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EEXIST):
		if err = fmt.Errorf("attach: another XDP program is on the interface: %w", err); nameOn(index) == programName {
			err = fmt.Errorf("%w: %w", errSecond, err)
		}
	case err != nil:
		err = fmt.Errorf("attach: %w", err)
	}
	return h, queues, err
}

// programName is the name of the program and of its map in the kernel.
const programName = "dcs_storm"

// errSecond is returned by attach while another load runs on the interface.
var errSecond = errors.New("another dcs storm runs over AF_XDP on the interface, and its XDP program receives the answers to its modems")

// simulated returns the least prefix with all simulated modems, so that other hosts of the network get their packets.
func simulated(cfg *Config) netip.Prefix {
	a := cfg.Net.Masked().Addr()
	return netip.PrefixFrom(a, max(cfg.Net.Bits(), a.BitLen()-bits.Len(uint(cfg.Modems-1))))
}

// nameOn returns the name of the XDP program on an interface; empty: none, or unknown.
func nameOn(index int) string {
	l, err := netlink.LinkByIndex(index)
	if err != nil || l.Attrs().Xdp == nil {
		return ""
	}
	p, err := ebpf.NewProgramFromID(ebpf.ProgramID(l.Attrs().Xdp.ProgId))
	if err != nil {
		return ""
	}
	defer p.Close()
	info, err := p.Info()
	if err != nil {
		return ""
	}
	return info.Name
}

func (h *hook) redirect(queue, fd int) error { return h.sockets.Put(uint32(queue), uint32(fd)) }

func (h *hook) close() error {
	var errs []error
	if h.link != nil {
		errs = append(errs, h.link.Close())
	}
	if h.program != nil {
		errs = append(errs, h.program.Close())
	}
	if h.sockets != nil {
		errs = append(errs, h.sockets.Close())
	}
	return errors.Join(errs...)
}

// field is what a frame must have at an offset: 1, 2, 4 or 8 octets under a mask.
type field struct {
	at         int16
	want, mask []byte
}

// answersTo returns the instructions of the program. A frame with a VLAN tag or with the address of another server is passed to the
// kernel.
func answersTo(server netip.Addr, modems netip.Prefix, sockets int) asm.Instructions {
	kind, protocol, source := []byte{etherIPv4 >> 8, etherIPv4 & 255}, int16(etherLen+9), int16(etherLen+12)
	least := etherLen + ip4Len
	if server.Is6() {
		kind, protocol, source = []byte{etherIPv6 >> 8, etherIPv6 & 255}, etherLen+6, etherLen+8
		least = etherLen + ip6Len
	}
	from, to := server.AsSlice(), modems.Masked().Addr().AsSlice()
	fields := []field{{at: 12, want: kind}, {at: protocol, want: []byte{protoUDP}}}
	mask := net.CIDRMask(modems.Bits(), 8*len(to))
	for width := min(len(from), 8); len(from) > 0; from, to, mask = from[width:], to[width:], mask[width:] {
		fields = append(fields,
			field{at: source, want: from[:width]},
			field{at: source + int16(server.BitLen()/8), want: to[:width], mask: mask[:width]})
		source += int16(width)
	}
	const pass = "pass"
	code := asm.Instructions{ // struct xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index
		asm.LoadMem(asm.R2, asm.R1, 0, asm.Word),
		asm.LoadMem(asm.R3, asm.R1, 4, asm.Word),
		asm.Mov.Reg(asm.R4, asm.R2),
		asm.Add.Imm(asm.R4, int32(least)),
		asm.JGT.Reg(asm.R4, asm.R3, pass),
	}
	for _, f := range fields {
		code = append(code, asm.LoadMem(asm.R4, asm.R2, f.at, map[int]asm.Size{1: asm.Byte, 2: asm.Half, 4: asm.Word, 8: asm.DWord}[len(f.want)]))
		if f.mask != nil {
			code = append(code, asm.LoadImm(asm.R5, native(f.mask), asm.DWord), asm.And.Reg(asm.R4, asm.R5))
		}
		code = append(code, asm.LoadImm(asm.R5, native(f.want), asm.DWord), asm.JNE.Reg(asm.R4, asm.R5, pass))
	}
	const xdpPass = 2
	return append(code,
		asm.LoadMem(asm.R2, asm.R1, 16, asm.Word),
		asm.LoadMapPtr(asm.R1, sockets),
		asm.Mov.Imm(asm.R3, xdpPass), // for a queue without a socket
		asm.FnRedirectMap.Call(),
		asm.Return(),
		asm.Mov.Imm(asm.R0, xdpPass).WithSymbol(pass),
		asm.Return(),
	)
}

// native returns the value that loading b from memory gives.
func native(b []byte) int64 {
	switch len(b) {
	case 1:
		return int64(b[0])
	case 2:
		return int64(binary.NativeEndian.Uint16(b))
	case 4:
		return int64(binary.NativeEndian.Uint32(b))
	}
	return int64(binary.NativeEndian.Uint64(b))
}
