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

// A spoofer sends datagrams to the server from any address. One goroutine at a time may use it.
type spoofer struct {
	sock   *afpacket.Socket
	rng    *rand.Rand
	buf    []byte
	octets uint64 // of IP packets
	sent   uint64

	begun time.Time // start of the pace
	paced int
}

// openSpoofer opens the load's device. It runs in the load's host.
func openSpoofer(seed uint64) (*spoofer, error) {
	// Another socket receives; the smallest ring costs almost nothing here.
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

// pace sleeps until the next packet is due at that rate. It returns false once ctx has ended.
func (s *spoofer) pace(ctx context.Context, rate float64) bool {
	const look = 16 // packets between two reads of the clock
	if s.paced++; s.paced%look != 0 {
		return true
	}
	if ahead := time.Duration(float64(s.paced)/rate*float64(time.Second)) - time.Since(s.begun); ahead > time.Millisecond {
		return s.sleep(ctx, ahead)
	}
	return ctx.Err() == nil
}

// restart restarts the pace.
func (s *spoofer) restart() { s.begun, s.paced = time.Now(), 0 }

// sleep sends what is queued and sleeps. It returns false once ctx has ended.
func (s *spoofer) sleep(ctx context.Context, d time.Duration) bool {
	s.sock.Flush()
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// client draws a random address of a prefix and a random port.
func (s *spoofer) client(p netip.Prefix) netip.AddrPort {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		if s.rng.Uint32()&1 != 0 {
			b[i/8] |= 0x80 >> (i % 8)
		}
	}
	a, _ := netip.AddrFromSlice(b) // as long as an address of the prefix
	return netip.AddrPortFrom(a, uint16(1024+s.rng.IntN(65536-1024)))
}

// close sends what is queued and closes the socket. It returns the packets that the device accepted, and their octets.
func (s *spoofer) close() (packets, octets uint64, err error) {
	s.sock.Flush()
	packets, octets = s.sent, s.octets
	if unsent := s.sock.Stats().Unsent; unsent > 0 {
		octets -= octets / max(packets, 1) * unsent
		packets -= unsent
	}
	return packets, octets, s.sock.Close()
}
