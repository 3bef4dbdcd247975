package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"dcs/bpf"
	"dcs/fastpath/xsk/ring"
)

const (
	received  = 1 << 14 // as in DCS
	sending   = 4096
	frameSize = 2048
	headers   = 14 + 20 + 8 // Ethernet without tags, IPv4 without options, UDP: what netlab's load sends
)

// serveXDP answers over AF_XDP, with DCS's steering program. The frame of a request becomes its answer.
func serveXDP(listen netip.AddrPort, iface string, size, batch int, busy bool) error {
	ifi, err := net.InterfaceByName(iface)
	if err != nil {
		return err
	}
	if !listen.Addr().Is4() {
		return fmt.Errorf("%v: AF_XDP supports IPv4 only", listen)
	}
	// Packets that XDP passes to the kernel must find the port open.
	if _, err := open(listen); err != nil {
		return err
	}
	s, err := ring.Open(ring.Config{Interface: ifi.Index, FrameSize: frameSize, RX: received, TX: sending})
	if err != nil {
		return err
	}
	if busy {
		if err := busyPoll(s, iface); err != nil {
			return err
		}
	}
	steer, err := bpf.Load(bpf.Config{Listen: []netip.AddrPort{listen}})
	if err != nil {
		return err
	}
	if err := steer.Programs()[0].SetXSK(0, s.FD()); err != nil {
		return err
	}
	choice, err := steer.Programs()[0].Attach(iface, bpf.Auto)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "limit:", choice.Why)
	fmt.Println("ready")
	return answer(s, size, batch, busy)
}

// busyPoll makes the same settings as DCS.
func busyPoll(s *ring.Socket, iface string) error {
	for file, value := range map[string]string{"napi_defer_hard_irqs": "2", "gro_flush_timeout": "200000"} {
		if err := os.WriteFile("/sys/class/net/"+iface+"/"+file, []byte(value), 0); err != nil {
			return err
		}
	}
	return s.BusyPoll(64)
}

// answer returns only on an error.
func answer(s *ring.Socket, size, batch int, busy bool) error {
	mem := s.Memory()
	spare := make([]uint64, 0, received+sending) // frames for the fill ring
	for i := range received + sending {
		spare = append(spare, uint64(i*frameSize))
	}
	block := append([]byte{0, opDATA, 0, 1}, make([]byte, size)...)
	for i := range block[4:] {
		block[4+i] = byte(i)
	}
	// The constant part of the answers' checksums.
	fixed := uint32(17) + 2*uint32(8+len(block))
	for i := 0; i < len(block); i += 2 {
		fixed += uint32(block[i]) << 8
		if i+1 < len(block) {
			fixed += uint32(block[i+1])
		}
	}
	in, out := make([]ring.Desc, batch), make([]ring.Desc, 0, batch)
	polls := []unix.PollFd{{Fd: int32(s.FD()), Events: unix.POLLIN}}
	idle := 0
	for {
		n := s.Fill(spare)
		spare = spare[:copy(spare, spare[n:])]
		n = s.Receive(in)
		if n == 0 {
			if idle++; busy && idle < 100 {
				_ = s.Poll()
			} else if _, err := unix.Poll(polls, 100); err != nil && err != unix.EINTR {
				return err
			}
			continue
		}
		idle = 0
		out = out[:0]
		for _, d := range in[:n] {
			f := mem[d.Addr : d.Addr+frameSize-d.Addr%frameSize]
			if d.Len < headers+4 || f[headers+1] != opRRQ {
				spare = append(spare, d.Addr&^(frameSize-1))
				continue
			}
			out = append(out, ring.Desc{Addr: d.Addr, Len: uint32(reply(f, block, fixed))})
		}
		if len(out) > 0 {
			for _, d := range out[s.Transmit(out):] {
				spare = append(spare, d.Addr&^(frameSize-1))
			}
			for range 1 + len(out)/32 {
				if s.Kick() != unix.EAGAIN {
					break
				}
			}
		}
		n = s.Complete(spare[len(spare):cap(spare)])
		for i := len(spare); i < len(spare)+n; i++ {
			spare[:cap(spare)][i] &^= frameSize - 1
		}
		spare = spare[:len(spare)+n]
	}
}

// reply turns the frame of a request into the answer and returns its length.
func reply(f, block []byte, fixed uint32) int {
	h := (*[headers]byte)(f)
	var mac [6]byte
	copy(mac[:], h[:6])
	copy(h[:6], h[6:12])
	copy(h[6:12], mac[:])
	src, dst := binary.BigEndian.Uint32(h[26:]), binary.BigEndian.Uint32(h[30:])
	binary.BigEndian.PutUint32(h[26:], dst)
	binary.BigEndian.PutUint32(h[30:], src)
	sport, dport := binary.BigEndian.Uint16(h[34:]), binary.BigEndian.Uint16(h[36:])
	binary.BigEndian.PutUint16(h[34:], dport)
	binary.BigEndian.PutUint16(h[36:], sport)
	n := 8 + len(block)
	binary.BigEndian.PutUint16(h[38:], uint16(n))
	binary.BigEndian.PutUint16(h[16:], uint16(20+n))
	binary.BigEndian.PutUint32(h[18:], 0x4000) // DF
	h[22] = 64
	ends := src>>16 + src&0xffff + dst>>16 + dst&0xffff
	binary.BigEndian.PutUint16(h[24:], fold(uint32(h[14])<<8+uint32(h[15])+uint32(20+n)+0x4000+64<<8+17+ends))
	binary.BigEndian.PutUint16(h[40:], fold(fixed+ends+uint32(sport)+uint32(dport)))
	return headers + copy(f[headers:], block)
}

// fold returns the checksum for a sum of words (RFC 1071).
func fold(s uint32) uint16 {
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	if s == 0xffff {
		return 0xffff // 0 would mean no checksum
	}
	return ^uint16(s)
}
