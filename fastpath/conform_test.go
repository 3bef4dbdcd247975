package fastpath_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dcs/bench/require"
	"dcs/fastpath"
	"dcs/fastpath/internal/conform"
	"dcs/fastpath/packet"
	"dcs/fastpath/tid"
	"dcs/fastpath/udp"
)

var start = time.Now()

func clock() (wall, mono int64) {
	now := time.Now()
	return now.UnixNano(), int64(now.Sub(start))
}

// run runs a server until the test ends.
func run(t testing.TB, s *fastpath.Server) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func total(s *fastpath.Server) fastpath.Stats {
	var sum fastpath.Stats
	for _, st := range s.Stats() {
		sum.Add(&st)
	}
	return sum
}

// TestConformUDP runs the conformance tests over sockets on the loopback.
func TestConformUDP(t *testing.T) {
	t.Parallel()
	for _, n := range []sockets{{workers: 1}, {workers: 3}, {workers: 1, raw: true}, {workers: 1, blockwise: true}} {
		t.Run(fmt.Sprintf("IPv4, workers %d, raw %v, blockwise %v", n.workers, n.raw, n.blockwise), func(t *testing.T) {
			if n.workers > 1 || n.raw || n.blockwise {
				require.Long(t, "a second transport of the same kind")
			}
			t.Parallel()
			conform.Run(t, loopback{n}, n == sockets{workers: 1} && require.AllTime())
		})
	}
	t.Run("IPv6", func(t *testing.T) {
		require.Long(t, "a second transport of the same kind")
		t.Parallel()
		if c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv6loopback}); err != nil {
			require.Missing(t, "ROOT", "no IPv6 on loopback: %v", err)
		} else {
			_ = c.Close()
		}
		// There is one loopback address: one script after the other.
		for _, raw := range []bool{false, true} {
			t.Run(fmt.Sprintf("raw %v", raw), func(t *testing.T) {
				conform.Run(t, sockets{addr: "::1", workers: 1, raw: raw}, false)
			})
		}
	})
}

// loopback is a network on 127.0.0.0/8.
type loopback struct{ sockets }

var loopbacks atomic.Uint32 // given away

// Apart implements conform.Apart.
func (n loopback) Apart() conform.Network {
	i := loopbacks.Add(1)
	n.addr = netip.AddrFrom4([4]byte{127, 69, byte(i >> 8), byte(i)}).String()
	return n.sockets
}

// TestMarkingUDP checks the DSCP of answers sent by sockets.
func TestMarkingUDP(t *testing.T) {
	for _, addr := range []string{"127.0.0.1", "::1"} {
		for _, raw := range []bool{false, true} {
			for _, wildcard := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, raw %v, wildcard %v", addr, raw, wildcard), func(t *testing.T) {
					conform.RunMarking(t, sockets{addr: addr, workers: 1, raw: raw, wildcard: wildcard})
				})
			}
		}
	}
}

type sockets struct {
	addr      string
	workers   int
	raw       bool // where the process may
	wildcard  bool // it listens at
	blockwise bool // windows are not sent in segments
}

func (n sockets) Serve(t testing.TB, cfg conform.Setup) (netip.AddrPort, func() fastpath.Stats) {
	if cfg.OneWorker {
		n.workers = 1
	}
	addr := netip.MustParseAddr(n.addr)
	at := addr
	if n.wildcard {
		if at = netip.IPv4Unspecified(); addr.Is6() {
			at = netip.IPv6Unspecified()
		}
	}
	us, err := udp.Open(udp.Config{
		Listen:     []netip.AddrPort{netip.AddrPortFrom(at, 0)},
		SinglePort: cfg.SinglePort,
		Marking:    cfg.Marking,
		Raw:        n.raw,
		NoSegments: n.blockwise,
		Tick:       5 * time.Millisecond,
	}, n.workers)
	if err != nil {
		t.Fatal(err)
	}
	if w := us[0].Warnings(); n.raw && len(w) > 0 && os.Getenv("DCS_REQUIRE_ROOT") != "" {
		t.Fatal(w)
	}
	var ts []fastpath.Transport
	for _, u := range us {
		ts = append(ts, u)
	}
	cfg.Server.Drain = -1
	s := fastpath.NewServer(cfg.Server, ts, func(int) fastpath.Renderer { return cfg.Renderer }, clock)
	run(t, s)
	return netip.AddrPortFrom(addr, us[0].Addrs()[0].Port()), func() fastpath.Stats { return total(s) }
}

func (n sockets) Client(t testing.TB) conform.Client {
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(n.addr)})
	if err != nil {
		t.Fatal(err)
	}
	return conform.NewSocket(t, c)
}

// TestConformMemory runs the conformance tests over a transport of two channels.
func TestConformMemory(t *testing.T) {
	t.Parallel()
	conform.Run(t, &memory{}, require.AllTime())
}

const memoryPort = 69

var (
	memoryTIDs = []uint16{50000, 50001, 50002, 50003, 50004, 50005, 50006, 50007}
	memoryKey  = tid.NewKey()
)

// memory is a network with one server at a time.
type memory struct {
	clients atomic.Uint32
	server  *memoryTransport
}

type datagram struct {
	peer, local netip.AddrPort
	data        []byte
}

type memoryTransport struct {
	net    *memory
	single bool
	in     chan datagram
	closed chan struct{}
	mu     sync.Mutex
	peers  map[netip.AddrPort]chan datagram
}

func (tr *memoryTransport) peer(a netip.AddrPort) chan datagram {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.peers[a] == nil {
		tr.peers[a] = make(chan datagram, 256)
	}
	return tr.peers[a]
}

var memoryServer = netip.MustParseAddr("192.0.2.69")

// Apart implements conform.Apart.
func (*memory) Apart() conform.Network { return &memory{} }

func (n *memory) Serve(t testing.TB, cfg conform.Setup) (netip.AddrPort, func() fastpath.Stats) {
	tr := &memoryTransport{net: n, single: cfg.SinglePort, in: make(chan datagram, 256), closed: make(chan struct{}), peers: map[netip.AddrPort]chan datagram{}}
	n.server = tr
	cfg.Server.Drain = -1
	s := fastpath.NewServer(cfg.Server, []fastpath.Transport{tr}, func(int) fastpath.Renderer { return cfg.Renderer }, clock)
	run(t, s)
	return netip.AddrPortFrom(memoryServer, memoryPort), func() fastpath.Stats { return total(s) }
}

func (n *memory) Client(testing.TB) conform.Client {
	i := n.clients.Add(1)
	return &memoryClient{addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1024), tr: n.server}
}

func (tr *memoryTransport) Recv(batch []packet.Packet) (int, error) {
	var timer <-chan time.Time
	n := 0
	for n < len(batch) {
		var d datagram
		if n == 0 {
			timer = time.After(5 * time.Millisecond)
			select {
			case d = <-tr.in:
			case <-timer:
				return 0, nil
			case <-tr.closed:
				return 0, net.ErrClosed
			}
		} else {
			select {
			case d = <-tr.in:
			default:
				return n, nil
			}
		}
		p := &batch[n]
		p.Data = p.Room()
		p.Data = p.Data[:copy(p.Data, d.data)]
		p.Peer, p.Local, p.TID, p.Flags, p.Zone, p.Time, p.Hash = d.peer, d.local, 0, 0, 0, time.Now().UnixNano(), memoryKey.Hash(d.peer)
		if len(p.Data) < len(d.data) {
			p.Flags = packet.Truncated
		}
		switch port := tid.Pick(memoryTIDs, p.Hash); {
		case tr.single:
			p.TID = memoryPort
		case d.local.Port() == memoryPort:
			p.TID = port
		case d.local.Port() != port:
			p.Flags |= packet.WrongTID
		}
		n++
	}
	return n, nil
}

func (tr *memoryTransport) Send(batch []packet.Packet) error {
	for i := range batch {
		p := &batch[i]
		tr.peer(p.Peer) <- datagram{peer: p.Peer, local: p.Local, data: append([]byte(nil), p.Data...)}
	}
	return nil
}

func (tr *memoryTransport) Close() error {
	close(tr.closed)
	return nil
}

type memoryClient struct {
	addr netip.AddrPort
	tr   *memoryTransport
}

func (c *memoryClient) Send(to netip.AddrPort, data []byte) error {
	c.tr.in <- datagram{peer: c.addr, local: to, data: append([]byte(nil), data...)}
	return nil
}

func (c *memoryClient) Recv(wait time.Duration) ([]byte, netip.AddrPort) {
	select {
	case d := <-c.tr.peer(c.addr):
		return d.data, d.local
	case <-time.After(wait):
		return nil, netip.AddrPort{}
	}
}
