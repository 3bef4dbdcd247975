package xsk_test

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dcs/bench/netlab"
	"dcs/fastpath"
	"dcs/fastpath/frame"
	"dcs/fastpath/packet"
	"dcs/fastpath/xsk/ring"
)

// A station is the load's end of a wire without the kernel: clients that choose the VLAN tags of their frames and the
// queue they arrive in.
type station struct {
	addr  netip.Addr
	link  packet.Link
	socks []*ring.Socket
	stop  atomic.Bool
	done  sync.WaitGroup

	mu      sync.Mutex
	sent    uint64 // since the server began
	handled func() fastpath.Stats
	next    uint16
	used    []int // frames of each socket
	inboxes map[uint16]chan datagram
}

type datagram struct {
	from netip.AddrPort
	tos  uint8
	data []byte
}

func newStation(t testing.TB, w *wire, addr netip.Addr, tags []byte, queues int) *station {
	t.Helper()
	s := &station{addr: addr, next: 20000, inboxes: map[uint16]chan datagram{}, used: make([]int, queues)}
	h := append([]byte(netlab.ServerMAC), netlab.LoadMAC...)
	h = append(h, tags...)
	if addr.Is4() {
		h = append(h, 8, 0)
	} else {
		h = append(h, 0x86, 0xdd)
	}
	s.link.Len = uint8(copy(s.link.Header[:], h))
	xsks, _ := redirect(t, w.Load)
	err := w.Load.Do(func() error {
		ifi, err := net.InterfaceByName(netlab.Device)
		if err != nil {
			return err
		}
		for q := range queues {
			sock, err := ring.Open(ring.Config{Interface: ifi.Index, Queue: q, FrameSize: 4096, RX: 256, TX: 256})
			if err != nil {
				return err
			}
			s.socks = append(s.socks, sock)
			for f := range 256 {
				sock.Fill([]uint64{uint64(f * 4096)})
			}
			if err := xsks.Put(uint32(q), uint32(sock.FD())); err != nil {
				return err
			}
		}
		return nil
	})
	t.Cleanup(func() {
		s.stop.Store(true)
		s.done.Wait()
		for _, sock := range s.socks {
			_ = sock.Close()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, sock := range s.socks {
		s.done.Go(func() { s.receive(sock) })
	}
	return s
}

func (s *station) receive(sock *ring.Socket) {
	descs := make([]ring.Desc, 64)
	for !s.stop.Load() {
		fds := []unix.PollFd{{Fd: int32(sock.FD()), Events: unix.POLLIN}}
		_, _ = unix.Poll(fds, 20)
		n := sock.Receive(descs)
		for _, d := range descs[:n] {
			// The server must have kept the tags and turned the addresses round.
			var p packet.Packet
			b := sock.Memory()[d.Addr : d.Addr+uint64(d.Len)]
			if frame.Parse(b, &p) == frame.Datagram && p.Link == s.link {
				s.mu.Lock()
				if c := s.inboxes[p.Local.Port()]; c != nil {
					c <- datagram{p.Peer, p.TOS, append([]byte{}, p.Data...)}
				}
				s.mu.Unlock()
			}
			sock.Fill([]uint64{d.Addr &^ 4095})
		}
	}
}

func (s *station) restart(handled func() fastpath.Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent, s.handled = 0, handled
}

func (s *station) client() *stationClient {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	c := &stationClient{s: s, port: s.next, in: make(chan datagram, 1024)}
	s.inboxes[c.port] = c.in
	return c
}

type stationClient struct {
	s    *station
	port uint16
	in   chan datagram
	mark uint8 // TOS of what it sends
	tos  uint8 // of the last packet that it received
}

// Send sends a packet after the server has handled all previous ones: packets in different queues are not ordered, and
// scripts rely on their order.
func (c *stationClient) Send(to netip.AddrPort, data []byte) error {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	for end := time.Now().Add(20 * time.Second); s.handled().Events[fastpath.Received] < s.sent && time.Now().Before(end); {
		time.Sleep(20 * time.Microsecond)
	}
	s.sent++
	q := 0
	if to.Port() != port && len(s.socks) > 1 {
		q = 1
	}
	sock := s.socks[q]
	at := 256 + s.used[q]%256
	s.used[q]++
	var p packet.Packet
	p.SetBuffer(sock.Memory()[at*4096:(at+1)*4096], frame.Room)
	p.Data = append(p.Data, data...)
	p.Peer, p.Local, p.Link, p.TOS = to, netip.AddrPortFrom(s.addr, c.port), s.link, c.mark
	from, end, ok := frame.Append(&p, p.Buffer(), frame.Room, 0)
	if !ok {
		return unix.EMSGSIZE
	}
	sock.Complete(make([]uint64, 64))
	sock.Transmit([]ring.Desc{{Addr: uint64(at*4096 + from), Len: uint32(end - from)}})
	return sock.Kick()
}

func (c *stationClient) Recv(wait time.Duration) ([]byte, netip.AddrPort) {
	select {
	case d := <-c.in:
		c.tos = d.tos
		return d.data, d.from
	case <-time.After(wait):
		return nil, netip.AddrPort{}
	}
}

func (c *stationClient) Mark(tos uint8) error {
	c.mark = tos
	return nil
}

func (c *stationClient) TOS() uint8 { return c.tos }
