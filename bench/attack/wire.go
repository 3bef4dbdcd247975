package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"dcs/bench/afpacket"
	"dcs/bench/netlab"
	"dcs/fastpath/frame"
	"dcs/fastpath/packet"
)

// A spoofer sends datagrams to the server from whatever address it is given. One goroutine at a time may use it.
type spoofer struct {
	sock   *afpacket.Socket
	rng    *rand.Rand
	buf    []byte
	octets uint64 // of IP packets
	sent   uint64

	begun time.Time // of the pace
	paced int
}

// openSpoofer opens the load's device. It runs in the load's host.
func openSpoofer(seed uint64) (*spoofer, error) {
	// What arrives is another socket's: in the smallest ring it costs next to nothing.
	sock, err := afpacket.Open(netlab.Device, afpacket.Config{Slots: 64})
	if err != nil {
		return nil, err
	}
	return &spoofer{sock: sock, rng: rand.New(rand.NewPCG(seed, seed)), buf: make([]byte, 2048)}, nil
}

// send queues a datagram to a port of the server.
func (s *spoofer) send(from netip.AddrPort, to uint16, payload []byte) {
	server, mac := netlab.ServerAddr4, netlab.GatewayMAC
	kind := [2]byte{0x08, 0x00}
	if from.Addr().Is6() {
		server, kind = netlab.ServerAddr6, [2]byte{0x86, 0xdd}
	}
	if from.Addr() == netlab.LoadAddr4 {
		mac = netlab.LoadMAC
	}
	p := packet.Packet{Peer: netip.AddrPortFrom(server, to), Local: from}
	p.Link.Len = 14
	copy(p.Link.Header[0:], netlab.ServerMAC)
	copy(p.Link.Header[6:], mac)
	copy(p.Link.Header[12:], kind[:])
	p.Data = append(s.buf[frame.Room:frame.Room], payload...)
	begin, end, ok := frame.Append(&p, s.buf, frame.Room, 0)
	if !ok {
		panic(fmt.Sprintf("no frame from %s to %s", from, p.Peer))
	}
	s.sock.Commit(len(append(s.sock.Slot(), s.buf[begin:end]...)))
	s.octets += uint64(end - begin - int(p.Link.Len))
	s.sent++
}

// pace sleeps as long as rate packets a second ask for before the next one. It is false when ctx has ended.
func (s *spoofer) pace(ctx context.Context, rate float64) bool {
	const look = 16 // packets between two looks at the clock
	if s.paced++; s.paced%look != 0 {
		return true
	}
	if ahead := time.Duration(float64(s.paced)/rate*float64(time.Second)) - time.Since(s.begun); ahead > time.Millisecond {
		return s.sleep(ctx, ahead)
	}
	return ctx.Err() == nil
}

// restart begins the pace anew.
func (s *spoofer) restart() { s.begun, s.paced = time.Now(), 0 }

// sleep sends what is queued and waits. It is false when ctx has ended.
func (s *spoofer) sleep(ctx context.Context, d time.Duration) bool {
	s.sock.Flush()
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// client draws an address of a prefix and a port at random.
func (s *spoofer) client(p netip.Prefix) netip.AddrPort {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		if s.rng.Uint32()&1 != 0 {
			b[i/8] |= 0x80 >> (i % 8)
		}
	}
	a, _ := netip.AddrFromSlice(b) // as many octets as that of the prefix
	return netip.AddrPortFrom(a, uint16(1024+s.rng.IntN(65536-1024)))
}

// close sends what is queued and closes the socket. It returns the packets that the device took, and the octets of those.
func (s *spoofer) close() (packets, octets uint64, err error) {
	s.sock.Flush()
	packets, octets = s.sent, s.octets
	if unsent := s.sock.Stats().Unsent; unsent > 0 {
		octets -= octets / max(packets, 1) * unsent
		packets -= unsent
	}
	return packets, octets, s.sock.Close()
}
