package main

import (
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
	headroom  = 256 // of XDP, before a packet in its frame
)

// serveXDP answers over AF_XDP, with DCS's steering program. The frame of a request becomes its answer: every frame
// holds the block from the beginning, and only what a packet has written over is written again.
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

// looks is how often wait looks for a packet before it sleeps, as DCS does; see spins in package xsk.
const looks = 24

// The kernel has lent frames at first, and pauses times the packets that have waited if there were more: fewer stay in the cache, as in DCS.
const lent, pauses = 1024, 4

// answer returns only on an error.
func answer(s *ring.Socket, size, batch int, busy bool) error {
	mem := s.Memory()
	spare := make([]uint64, 0, received+sending) // the frames that the kernel does not have, those that it returned last at the end
	b := newBlock(size)
	for i := range received + sending {
		spare = append(spare, uint64(i*frameSize))
		copy(mem[i*frameSize+headroom+headers:], b.octets)
	}
	in, out := make([]ring.Desc, batch), make([]ring.Desc, 0, batch)
	polls := []unix.PollFd{{Fd: int32(s.FD()), Events: unix.POLLIN}}
	depth, filled := lent, 0
	for {
		n := s.Complete(spare[len(spare):cap(spare)])
		for i := len(spare); i < len(spare)+n; i++ {
			spare[:cap(spare)][i] &^= frameSize - 1
		}
		spare = spare[:len(spare)+n]
		n = s.Fill(spare[max(len(spare)-max(depth-filled, 0), 0):])
		spare = spare[:len(spare)-n]
		filled += n
		n = s.Receive(in)
		filled -= n
		if n == 0 {
			send(s) // what the kernel did not take
			if err := wait(s, polls, busy); err != nil {
				return err
			}
			continue
		}
		if n == batch {
			depth = max(depth, min(pauses*s.Waiting(), received))
		}
		out = out[:0]
		for _, d := range in[:n] {
			if d.Addr%frameSize != headroom {
				return fmt.Errorf("packet at %d of its frame: want %d", d.Addr%frameSize, headroom)
			}
			f := mem[d.Addr : d.Addr+frameSize-headroom]
			request := d.Len >= headers+4 && f[headers+1] == opRRQ
			if d.Len > headers {
				copy(f[headers:d.Len], b.octets)
			}
			if request {
				out = append(out, ring.Desc{Addr: d.Addr, Len: uint32(b.address(f))})
			} else {
				spare = append(spare, d.Addr&^(frameSize-1))
			}
		}
		for _, d := range out[s.Transmit(out):] { // more than the window, which is for the load to bound
			spare = append(spare, d.Addr&^(frameSize-1))
		}
		send(s)
	}
}

// wait returns when there is a packet, or it is time to try again to send.
func wait(s *ring.Socket, polls []unix.PollFd, busy bool) error {
	for range looks {
		if busy {
			_ = s.Poll()
		} else {
			_, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
		}
		if s.Ready() {
			return nil
		}
		send(s)
	}
	longest := 100 // ms
	if s.Unsent() > 0 {
		longest = 1
	}
	if _, err := unix.Poll(polls, longest); err != nil && err != unix.EINTR {
		return err
	}
	return nil
}

// send makes the kernel send what was queued. A call ends at a frame that the interface drops (EBUSY), and at 32 frames where the kernel has
// no XDP_MAX_TX_SKB_BUDGET, which ring.Open sets. A full interface takes none (EAGAIN): asking again at once would take the CPU that it
// needs to empty itself.
func send(s *ring.Socket) {
	for left := s.Unsent(); left > 0; {
		err := s.Kick()
		now := s.Unsent()
		if err == nil || err != unix.EBUSY && now >= left {
			return
		}
		left = min(now, left-1)
	}
}
