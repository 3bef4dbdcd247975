package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"dcs/bench/netlab"
)

// A counter counts, in the kernel, what arrives at the load's device for the lab's modems, by the third octet of an
// IPv4 address and the tenth of an IPv6 address.
type counter struct {
	fd      int
	program *ebpf.Program
	counts  *ebpf.Map
}

// tally is what arrived. Octets are those of IP packets; fragments count separately.
type tally struct{ Packets, Octets uint64 }

const classes = 512 // 256 for each family

// openCounter starts a counter. It runs in the load's host.
func openCounter() (*counter, error) {
	c := &counter{fd: -1}
	if err := c.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("count packets: %w", err), c.close())
	}
	return c, nil
}

func (c *counter) open() (err error) {
	c.counts, err = ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 16, MaxEntries: classes})
	if err != nil {
		return err
	}
	c.program, err = ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SocketFilter, License: "MIT", Instructions: countInto(c.counts)})
	if err != nil {
		return err
	}
	link, err := net.InterfaceByName(netlab.Device)
	if err != nil {
		return err
	}
	// An unbound socket receives nothing; the filter is set before it is bound.
	if c.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ATTACH_BPF, c.program.FD()); err != nil {
		return err
	}
	var proto [2]byte
	binary.BigEndian.PutUint16(proto[:], unix.ETH_P_ALL)
	return unix.Bind(c.fd, &unix.SockaddrLinklayer{Protocol: binary.NativeEndian.Uint16(proto[:]), Ifindex: link.Index})
}

func (c *counter) close() error {
	var err error
	if c.fd >= 0 {
		err = unix.Close(c.fd)
	}
	if c.program != nil {
		err = errors.Join(err, c.program.Close())
	}
	if c.counts != nil {
		err = errors.Join(err, c.counts.Close())
	}
	return err
}

// to returns what has arrived for a prefix, which must consist of whole classes.
func (c *counter) to(p netip.Prefix) (sum tally, err error) {
	first, n := 0, 1
	if a := p.Addr(); a.Is4() {
		first, n = int(a.As4()[2]), 1<<max(24-p.Bits(), 0)
	} else {
		first = 256 + int(a.As16()[9])
	}
	for k := first; k < first+n; k++ {
		var t tally
		if err := c.counts.Lookup(uint32(k), &t); err != nil {
			return sum, err
		}
		sum.Packets += t.Packets
		sum.Octets += t.Octets
	}
	return sum, nil
}

// countInto returns a filter that accepts no packet and counts those that arrive for modems.
func countInto(counts *ebpf.Map) asm.Instructions {
	const (
		pktType      = 4 // in __sk_buff
		outgoing     = 4 // PACKET_OUTGOING
		ip           = 14
		modems4      = 198<<8 | 18
		modems6      = 0xfd00_0198
		key          = -4
		total, dest4 = ip + 2, ip + 16
		payload      = ip + 4
		dest6        = ip + 24
	)
	return asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1), // LoadAbs takes the packet from R6
		asm.LoadMem(asm.R0, asm.R6, pktType, asm.Word),
		asm.JEq.Imm(asm.R0, outgoing, "drop"),
		asm.LoadAbs(12, asm.Half),
		asm.JEq.Imm(asm.R0, unix.ETH_P_IPV6, "ipv6"),
		asm.JNE.Imm(asm.R0, unix.ETH_P_IP, "drop"),

		asm.LoadAbs(dest4, asm.Word),
		asm.Mov.Reg(asm.R8, asm.R0),
		asm.RSh.Imm(asm.R8, 16),
		asm.JNE.Imm(asm.R8, modems4, "drop"),
		asm.RSh.Imm(asm.R0, 8),
		asm.And.Imm(asm.R0, 0xff),
		asm.StoreMem(asm.RFP, key, asm.R0, asm.Word),
		asm.LoadAbs(total, asm.Half),
		asm.Mov.Reg(asm.R7, asm.R0),
		asm.Ja.Label("count"),

		asm.LoadAbs(dest6, asm.Word).WithSymbol("ipv6"),
		asm.LoadImm(asm.R8, modems6, asm.DWord),
		asm.JNE.Reg(asm.R0, asm.R8, "drop"),
		asm.LoadAbs(dest6+8, asm.Half),
		asm.And.Imm(asm.R0, 0xff),
		asm.Add.Imm(asm.R0, 256),
		asm.StoreMem(asm.RFP, key, asm.R0, asm.Word),
		asm.LoadAbs(payload, asm.Half),
		asm.Mov.Reg(asm.R7, asm.R0),
		asm.Add.Imm(asm.R7, 40),

		asm.LoadMapPtr(asm.R1, counts.FD()).WithSymbol("count"),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, key),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "drop"),
		asm.Mov.Imm(asm.R1, 1),
		asm.AddAtomic.Mem(asm.R0, asm.R1, asm.DWord, 0),
		asm.AddAtomic.Mem(asm.R0, asm.R7, asm.DWord, 8),

		asm.Mov.Imm(asm.R0, 0).WithSymbol("drop"),
		asm.Return(),
	}
}
