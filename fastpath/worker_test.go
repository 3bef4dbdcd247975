package fastpath

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
	"dcs/fastpath/transfer"
	"dcs/render/device"
)

// A rig is a worker with a clock that stands still.
type rig struct {
	*worker
	ft  *fakeTransport
	now int64
}

func newRig(cfg Config) *rig {
	r := &rig{ft: &fakeTransport{}, now: 1e18}
	r.worker = newWorker(cfg, r.ft, files{"static": make([]byte, 400), "dynamic": make([]byte, 400), "long": make([]byte, 5000)}, func() (int64, int64) { return r.now, r.now })
	return r
}

// give handles one batch and returns what is sent.
func (r *rig) give(ps ...packet.Packet) []packet.Packet {
	r.ft.out = r.ft.out[:0]
	r.handle(r.now, r.now, ps)
	return r.ft.out
}

func opcodes(ps []packet.Packet) string {
	var s strings.Builder
	for _, p := range ps {
		s.WriteString([]string{"?", "RRQ ", "WRQ ", "DATA ", "ACK ", "ERROR ", "OACK "}[tftp.Opcode(p.Data)])
	}
	return strings.TrimSpace(s.String())
}

func TestNoAllocs(t *testing.T) {
	for _, tt := range []struct {
		name  string
		cfg   Config
		event func(Stats) uint64 // that each round must count
		in    []packet.Packet
	}{
		{
			name: "one half-open transfer displaces another", cfg: Config{Transfer: transfer.Config{Transfers: 1}},
			in:    []packet.Packet{toServer(modem(1), rrq("dynamic", tftp.Options{})), toServer(modem(2), rrq("dynamic", tftp.Options{})), toTransfer(modem(2), tftp.AppendACK(nil, 1))},
			event: func(s Stats) uint64 { return s.Transfers[transfer.Evicted] },
		},
		{
			name: "sent and forgotten", cfg: Config{Transfer: transfer.Config{Transfers: 2}},
			in: []packet.Packet{
				toServer(modem(1), rrq("long", tftp.Options{})), toServer(modem(2), rrq("static", tftp.Options{})), toTransfer(modem(1), tftp.AppendERROR(nil, 0, "enough")),
			},
			event: func(s Stats) uint64 { return s.Transfers[transfer.Once] },
		},
		{
			name: "rrq, ack", in: []packet.Packet{toServer(modem(1), rrq("static", tftp.Options{})), toTransfer(modem(1), tftp.AppendACK(nil, 1))},
			event: func(s Stats) uint64 { return s.Transfers[transfer.Finished] },
		},
		{
			name: "rrq of a dynamic file", in: []packet.Packet{toServer(modem(1), rrq("dynamic", tftp.Options{})), toTransfer(modem(1), tftp.AppendACK(nil, 1))},
			event: func(s Stats) uint64 { return s.Transfers[transfer.Finished] },
		},
		{
			name: "rrq with options", in: []packet.Packet{
				toServer(modem(1), rrq("dynamic", tftp.Options{Has: tftp.Blksize | tftp.Tsize | tftp.HWAddr | tftp.NetAddr, Blksize: 1428, NetAddr: netip.MustParseAddr("10.1.2.3")})),
				toTransfer(modem(1), tftp.AppendACK(nil, 0)), toTransfer(modem(1), tftp.AppendACK(nil, 1)),
			},
			event: func(s Stats) uint64 { return s.Transfers[transfer.Finished] },
		},
		{
			name: "duplicate rrq", in: []packet.Packet{
				toServer(modem(1), rrq("static", tftp.Options{})), toServer(modem(1), rrq("static", tftp.Options{})), toTransfer(modem(1), tftp.AppendACK(nil, 1)),
			},
			event: func(s Stats) uint64 { return s.Transfers[transfer.RepeatedRequest] },
		},
		{
			name: "duplicate ack", in: []packet.Packet{
				toServer(modem(1), rrq("long", tftp.Options{})), toTransfer(modem(1), tftp.AppendACK(nil, 1)), toTransfer(modem(1), tftp.AppendACK(nil, 1)),
				toTransfer(modem(1), tftp.AppendERROR(nil, 0, "enough")),
			},
			event: func(s Stats) uint64 { return s.Transfers[transfer.RepeatedACK] },
		},
		{
			name: "error", in: []packet.Packet{toServer(modem(1), rrq("static", tftp.Options{})), toTransfer(modem(1), tftp.AppendERROR(nil, 3, "full"))},
			event: func(s Stats) uint64 { return s.Transfers[transfer.PeerDiskFull] },
		},
		{
			name: "unknown name", in: []packet.Packet{toServer(modem(1), rrq("nobody", tftp.Options{}))},
			event: func(s Stats) uint64 { return s.Events[NotFound] },
		},
		{
			name: "not yet", in: []packet.Packet{toServer(modem(1), rrq("soon", tftp.Options{}))},
			event: func(s Stats) uint64 { return s.Events[NotYet] },
		},
		{
			name: "write request", in: []packet.Packet{toServer(modem(1), []byte("\x00\x02x\x00octet\x00"))},
			event: func(s Stats) uint64 { return s.Events[WriteRequest] },
		},
		{
			name: "malformed", in: []packet.Packet{toServer(modem(1), []byte("\x00\x01x\x00mail\x00"))},
			event: func(s Stats) uint64 { return s.Events[ModeUnknown] },
		},
		{
			name: "stranger", in: []packet.Packet{toTransfer(modem(1), tftp.AppendACK(nil, 2))},
			event: func(s Stats) uint64 { return s.Transfers[transfer.StrangerPacket] },
		},
		{
			name: "timeout", in: []packet.Packet{toServer(modem(1), rrq("static", tftp.Options{})), {}, toTransfer(modem(1), tftp.AppendACK(nil, 1))},
			event: func(s Stats) uint64 { return s.Transfers[transfer.TimedOut] },
		},
		{
			name: "client that ends its transfer", in: []packet.Packet{
				toServer(modem(1), rrq("static", tftp.Options{})), toTransfer(modem(1), tftp.AppendERROR(nil, tftp.CodeDiskFull, "no room")),
			},
			event: func(s Stats) uint64 { return s.Transfers[transfer.PeerDiskFull] },
		},
		{
			name:  "client that falls silent",
			in:    append([]packet.Packet{toServer(modem(1), rrq("static", tftp.Options{}))}, make([]packet.Packet, 30)...),
			event: func(s Stats) uint64 { return s.Transfers[transfer.GaveUp] },
		},
		{
			name: "netascii in windows", in: []packet.Packet{
				toServer(modem(1), []byte("\x00\x01long\x00netascii\x00windowsize\x004\x00")), toTransfer(modem(1), tftp.AppendACK(nil, 0)),
				toTransfer(modem(1), tftp.AppendACK(nil, 4)), toTransfer(modem(1), tftp.AppendACK(nil, 8)), toTransfer(modem(1), tftp.AppendACK(nil, 10)),
			},
			event: func(s Stats) uint64 { return s.Transfers[transfer.Finished] },
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(tt.cfg)
			r.ft.discard = true
			const runs = 1000
			n := testing.AllocsPerRun(runs, func() {
				r.now += 100e6
				for i := range tt.in {
					if !tt.in[i].Peer.IsValid() {
						r.now += 1500e6
						r.handle(r.now, r.now, nil)
						continue
					}
					r.handle(r.now, r.now, tt.in[i:i+1])
				}
			})
			if n != 0 {
				t.Errorf("%v allocations", n)
			}
			if got := tt.event(r.Stats()); got != runs+1 {
				t.Errorf("counted %d times in %d", got, runs+1)
			}
		})
	}
}

func TestStale(t *testing.T) {
	for _, tt := range []struct {
		name  string
		cfg   time.Duration
		age   time.Duration
		stale bool
	}{
		{"fresh", 0, 3900 * time.Millisecond, false},
		{"older than a modem's first retry", 0, 4100 * time.Millisecond, true},
		{"limit of its own", time.Second, 1100 * time.Millisecond, true},
		{"no limit", -1, time.Hour, false},
		{"kernel's clock is ahead", 0, -time.Hour, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(Config{Stale: tt.cfg})
			p := toServer(modem(1), rrq("static", tftp.Options{}))
			p.Time = r.now - int64(tt.age)
			sent := opcodes(r.give(p))
			s := r.Stats()
			if tt.stale && (sent != "" || s.Events[Stale] != 1) || !tt.stale && (sent != "DATA" || s.Events[Stale] != 0) {
				t.Errorf("sent %q, stale %d", sent, s.Events[Stale])
			}
			n := uint64(0)
			for _, v := range s.Wait.N {
				n += v
			}
			if n != 1 || s.Wait.Sum != uint64(max(tt.age, 0)) {
				t.Errorf("%d waits, sum %d", n, s.Wait.Sum)
			}
		})
	}
}

func TestBuckets(t *testing.T) {
	for i := range Buckets {
		if i > 0 && bucket(Bound(i-1)) != i {
			t.Errorf("%d ns is in bucket %d, want %d", Bound(i-1), bucket(Bound(i-1)), i)
		}
		if i < Buckets-1 && bucket(Bound(i)-1) != i {
			t.Errorf("%d ns is in bucket %d, want %d", Bound(i)-1, bucket(Bound(i)-1), i)
		}
	}
	if bucket(0) != 0 || bucket(1<<62) != Buckets-1 {
		t.Error("the ends")
	}
}

// Packets of running transfers go before requests of the same batch.
func TestRunningTransfersFirst(t *testing.T) {
	r := newRig(Config{Transfer: transfer.Config{Transfers: 1}})
	r.give(toServer(modem(1), rrq("static", tftp.Options{})))
	// The only place is free again by the time that the request is looked at: nobody is displaced.
	sent := r.give(toServer(modem(2), rrq("static", tftp.Options{})), toTransfer(modem(1), tftp.AppendACK(nil, 1)))
	if opcodes(sent) != "DATA" || sent[0].Peer != modem(2) {
		t.Errorf("sent %s", opcodes(sent))
	}
	if s := r.Stats(); s.Transfers[transfer.Finished] != 1 || s.Transfers[transfer.Evicted] != 0 || s.Active != 1 {
		t.Errorf("%d finished, %d displaced", s.Transfers[transfer.Finished], s.Transfers[transfer.Evicted])
	}
}

// A copy within the batch is rendered once.
func TestCopyInOneBatch(t *testing.T) {
	r := newRig(Config{})
	p := toServer(modem(1), rrq("dynamic", tftp.Options{}))
	if sent := opcodes(r.give(p, p, p)); sent != "DATA" {
		t.Errorf("sent %s", sent)
	}
	if s := r.Stats(); s.Transfers[transfer.Started] != 1 || s.Transfers[transfer.LateRequest] != 2 {
		t.Error(s.Transfers)
	}
}

func TestSources(t *testing.T) {
	for _, tt := range []struct {
		name string
		peer string
		mark packet.Flags
		want Event
	}{
		{"port 0", "10.0.0.1:0", 0, Spoofed},
		{"any address", "0.0.0.0:1024", 0, Spoofed},
		{"broadcast", "255.255.255.255:1024", 0, Spoofed},
		{"multicast", "224.0.0.1:1024", 0, Spoofed},
		{"IPv6 multicast", "[ff02::1]:1024", 0, Spoofed},
		{"our own port", "192.0.2.69:69", 0, Spoofed},
		{"sent to a broadcast address", "10.0.0.1:1024", packet.Multicast, Multicast},
		{"cut off", "10.0.0.1:1024", packet.Truncated, Truncated},
		{"not in the ACL", "10.0.0.1:1024", packet.Denied, NotAllowed},
		{"too often", "10.0.0.1:1024", packet.Limited, Limited},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, data := range [][]byte{rrq("static", tftp.Options{}), tftp.AppendACK(nil, 1)} {
				r := newRig(Config{})
				p := toServer(netip.MustParseAddrPort(tt.peer), data)
				p.Flags = tt.mark
				if sent := r.give(p); len(sent) != 0 || r.Stats().Events[tt.want] != 1 {
					t.Errorf("sent %s, counted %v", opcodes(sent), r.Stats().Events)
				}
			}
		})
	}
}

// The renderer gets the name, the address and the MAC address of a request.
func TestRequestFields(t *testing.T) {
	var got []Request
	r := newRig(Config{})
	r.renderer = renderFunc(func(now int64, reqs []Request) {
		if now != r.now {
			t.Errorf("now is %d", now)
		}
		for i := range reqs {
			q := reqs[i]
			q.Name = bytes.Clone(q.Name)
			if len(q.Buf) != 0 || cap(q.Buf) < 32<<10 || q.Body != nil || q.Err != nil || q.Hold != nil {
				t.Errorf("buffer %d of %d, %v %v %v", len(q.Buf), cap(q.Buf), q.Body, q.Err, q.Hold)
			}
			got = append(got, q)
			reqs[i].Body = []byte("x")
			reqs[i].Hold = t
		}
	})
	o := tftp.Options{Has: tftp.HWAddr | tftp.NetAddr, HWAddr: [6]byte{1, 2, 3, 4, 5, 6}, NetAddr: netip.MustParseAddr("10.9.8.7")}
	r.give(toServer(modem(1), rrq("a", o)), toServer(modem(2), rrq("b", tftp.Options{})))
	r.give(toServer(modem(3), rrq("c", tftp.Options{})), toServer(modem(4), rrq("d", tftp.Options{})))
	want := []Request{
		{Requester: device.Requester{Name: []byte("a"), Client: modem(1).Addr(), MAC: o.HWAddr}, Server: server, NetAddr: o.NetAddr},
		{Requester: device.Requester{Name: []byte("b"), Client: modem(2).Addr()}, Server: server},
		{Requester: device.Requester{Name: []byte("c"), Client: modem(3).Addr()}, Server: server},
		{Requester: device.Requester{Name: []byte("d"), Client: modem(4).Addr()}, Server: server},
	}
	if len(got) != len(want) {
		t.Fatalf("%d requests", len(got))
	}
	for i, w := range want {
		g := got[i]
		if string(g.Name) != string(w.Name) || g.Client != w.Client || g.Server != w.Server || g.MAC != w.MAC || g.NetAddr != w.NetAddr {
			t.Errorf("%+v, want %+v", g, w)
		}
	}
}

type renderFunc func(int64, []Request)

func (f renderFunc) RenderBatch(now int64, reqs []Request) { f(now, reqs) }

// A body that has outgrown the buffer is served all the same.
func TestBodyLargerThanRoom(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 5000)
	r := newRig(Config{BodyRoom: 1024})
	r.renderer = renderFunc(func(_ int64, reqs []Request) {
		for i := range reqs {
			reqs[i].Body = append(reqs[i].Buf, body...)
		}
	})
	sent := r.give(toServer(modem(1), rrq("a", tftp.Options{})))
	for block := 1; len(sent) == 1; block++ {
		_, data, err := tftp.ParseDATA(sent[0].Data)
		if off := (block - 1) * 512; err != nil || !bytes.Equal(data, body[off:min(off+512, len(body))]) {
			t.Fatalf("block %d: %v", block, err)
		}
		sent = r.give(toTransfer(modem(1), tftp.AppendACK(nil, uint16(block))))
	}
	if n := r.Stats().Transfers[transfer.Finished]; n != 1 {
		t.Errorf("%d finished", n)
	}
}

// No reply is larger than what provoked it allows: an ERROR is smaller than any DATA, DATA keeps to the
// block size that was agreed. The fuzzer drives the whole worker with packets of its choice.
func FuzzWorker(f *testing.F) {
	frame := func(kind byte, peer byte, data []byte) []byte {
		b := []byte{kind, peer}
		b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
		return append(b, data...)
	}
	f.Add(bytes.Join([][]byte{frame(0, 1, rrq("static", tftp.Options{})), frame(1, 1, tftp.AppendACK(nil, 1))}, nil))
	f.Add(bytes.Join([][]byte{
		frame(0, 1, rrq("long", tftp.Options{Has: tftp.Blksize | tftp.Windowsize, Blksize: 100, Windowsize: 9})),
		frame(1, 1, tftp.AppendACK(nil, 0)), frame(1, 1, tftp.AppendACK(nil, 4)), frame(3, 90, nil), frame(1, 1, tftp.AppendACK(nil, 9)), frame(1, 2, tftp.AppendACK(nil, 9)),
	}, nil))
	f.Add(bytes.Join([][]byte{
		frame(0, 1, []byte("\x00\x01long\x00netascii\x00blksize\x0010\x00")), frame(1, 1, tftp.AppendACK(nil, 0)), frame(1, 1, tftp.AppendACK(nil, 1)),
		frame(2, 1, tftp.AppendACK(nil, 1)), frame(3, 255, nil), frame(0, 1, rrq("dynamic", tftp.Options{Has: tftp.Timeout, Timeout: 1})),
	}, nil))
	f.Add(bytes.Join([][]byte{frame(2, 3, rrq("static", tftp.Options{Has: tftp.Tsize})), frame(2, 3, tftp.AppendACK(nil, 0)), frame(2, 3, tftp.AppendERROR(nil, 0, ""))}, nil))
	f.Fuzz(func(t *testing.T, script []byte) {
		const places = 3
		r := newRig(Config{Batch: 8, Transfer: transfer.Config{Transfers: places, Memory: 1 << 16, Retries: 2}})
		r.renderer.(files)["long"] = bytes.Repeat([]byte("a\nb\rc"), 100)
		granted := map[netip.AddrPort]int{} // largest block size that a client has asked for
		var batch []packet.Packet
		flush := func() {
			for _, p := range r.give(batch...) {
				switch op := tftp.Opcode(p.Data); op {
				case tftp.OpDATA:
					if n := len(p.Data) - tftp.DataHeader; n > max(granted[p.Peer], tftp.DefaultBlksize) {
						t.Fatalf("block of %d octets, %d agreed", n, granted[p.Peer])
					}
				case tftp.OpERROR, tftp.OpOACK:
					if len(p.Data) > 128 {
						t.Fatalf("%q", p.Data)
					}
				default:
					t.Fatalf("opcode %d", op)
				}
				if !p.Peer.IsValid() || p.Local.Addr() != server || p.Local.Port() != tid && p.Local.Port() != port {
					t.Fatalf("from %v to %v", p.Local, p.Peer)
				}
			}
			if n := r.table.Active(); n > places || uint64(n) != r.Stats().Active {
				t.Fatalf("%d transfers", n)
			}
			batch = batch[:0]
		}
		for len(script) >= 4 {
			kind, who := script[0], script[1]
			n := min(int(binary.BigEndian.Uint16(script[2:])), len(script)-4)
			data := script[4 : 4+n]
			script = script[4+n:]
			if kind%4 == 3 {
				flush()
				r.now += int64(who) * 50e6
				continue
			}
			p := toServer(modem(int(who)%6), data)
			switch kind % 4 {
			case 1:
				p = toTransfer(p.Peer, data)
			case 2:
				p.TID = port // single port
			}
			p.Flags = packet.Flags(kind >> 6)
			if kind&0x20 != 0 {
				p.Time = r.now - int64(kind)*1e8
			}
			var rq tftp.Request
			if tftp.ParseRequest(data, &rq) == nil {
				granted[p.Peer] = max(granted[p.Peer], rq.Blksize)
			}
			if batch = append(batch, p); len(batch) == 8 {
				flush()
			}
		}
		flush()
		// All come to an end without further packets, and all memory is given back.
		for range 1000 {
			r.now += 1e9
			r.give()
		}
		if n := r.table.Active(); n != 0 {
			t.Fatalf("%d transfers never end", n)
		}
		for i := range places {
			r.give(toServer(modem(100+i), rrq("dynamic", tftp.Options{Has: tftp.Tsize})))
		}
		if n := r.table.Active(); n != places {
			t.Fatalf("%d of %d places left", n, places)
		}
	})
}

// A waitingTransport receives nothing.
type waitingTransport struct {
	fail   error
	closed atomic.Bool
	onRecv func()
}

func (w *waitingTransport) Recv([]packet.Packet) (int, error) {
	if w.onRecv != nil {
		w.onRecv()
	}
	if w.closed.Load() {
		return 0, net.ErrClosed
	}
	time.Sleep(time.Millisecond) // a tick
	return 0, w.fail
}

func (w *waitingTransport) Send([]packet.Packet) error { return nil }

func (w *waitingTransport) Close() error {
	w.closed.Store(true)
	return nil
}

func testClock() (int64, int64) {
	now := time.Now().UnixNano()
	return now, now
}

func TestServerStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ts := []*waitingTransport{{}, {}, {}}
	var running sync.WaitGroup
	for _, w := range ts {
		running.Add(1)
		w.onRecv = sync.OnceFunc(running.Done)
	}
	s := NewServer(ServerConfig{}, []Transport{ts[0], ts[1], ts[2]}, func(int) Renderer { return files{} }, testClock)
	go func() {
		running.Wait()
		cancel()
	}()
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
	for i, w := range ts {
		if !w.closed.Load() {
			t.Errorf("transport %d is open", i)
		}
	}
}

// A worker that fails ends the others: the modems that the kernel gives to it would stay unanswered.
func TestServerEndsWithOneWorker(t *testing.T) {
	broken := errors.New("cable cut")
	s := NewServer(ServerConfig{}, []Transport{&waitingTransport{}, &waitingTransport{fail: broken}}, func(int) Renderer { return files{} }, testClock)
	if err := s.Run(t.Context()); !errors.Is(err, broken) || !strings.Contains(err.Error(), "worker 1") {
		t.Error(err)
	}
}

// Running transfers may end, requests are passed over.
func TestDrain(t *testing.T) {
	r := newRig(Config{})
	r.give(toServer(modem(1), rrq("static", tftp.Options{})))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.ft.in = []packet.Packet{toServer(modem(2), rrq("static", tftp.Options{}))}
	r.ft.out = nil
	step := 0
	r.transport = &hookTransport{fakeTransport: r.ft, before: func() {
		r.now += 1e6
		if step++; step == 3 {
			r.ft.in = []packet.Packet{toServer(modem(3), rrq("static", tftp.Options{})), toTransfer(modem(1), tftp.AppendACK(nil, 1))}
		}
	}}
	if err := r.Run(ctx, time.Second); err != nil {
		t.Fatal(err)
	}
	// The request that came with the context's end was still taken; then none, until the time was over.
	s := r.Stats()
	if s.Events[Refused] != 1 || s.Transfers[transfer.Finished] != 1 || s.Active != 1 || r.now < 1e18+1e9 {
		t.Errorf("refused %d, finished %d, active %d", s.Events[Refused], s.Transfers[transfer.Finished], s.Active)
	}
}

// Cut ends the wait for running transfers, whatever time they had.
func TestCut(t *testing.T) {
	r := newRig(Config{})
	r.give(toServer(modem(1), rrq("static", tftp.Options{})))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	step := 0
	r.ft.in = []packet.Packet{}
	r.transport = &hookTransport{fakeTransport: r.ft, before: func() {
		r.now += 1e6
		if step++; step == 3 {
			(&Server{workers: []*worker{r.worker}}).Cut()
		}
	}}
	if err := r.Run(ctx, time.Hour); err != nil {
		t.Fatal(err)
	}
	if s := r.Stats(); s.Active != 1 || step != 3 {
		t.Errorf("%d active, after %d rounds; want 1 after 3", s.Active, step)
	}
}

type hookTransport struct {
	*fakeTransport
	before func()
}

func (h *hookTransport) Recv(batch []packet.Packet) (int, error) {
	h.before()
	return h.fakeTransport.Recv(batch)
}

// TestPinning checks that each worker runs on its processor, and that no thread of others inherits that.
func TestPinning(t *testing.T) {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	if all.Count() < 2 {
		t.Skip("one processor only")
	}
	var mu sync.Mutex
	pinned := map[int]bool{} // threads of workers
	var running sync.WaitGroup
	running.Add(2)
	record := func(cpu int) func() {
		first := sync.OnceFunc(running.Done)
		return func() {
			defer first()
			var set unix.CPUSet
			if err := unix.SchedGetaffinity(0, &set); err != nil || set.Count() != 1 || !set.IsSet(cpu) {
				t.Errorf("worker may run on %v, want %d (%v)", set, cpu, err)
			}
			mu.Lock()
			pinned[unix.Gettid()] = true
			mu.Unlock()
		}
	}
	var cpus []int
	for i := 0; len(cpus) < 2; i++ {
		if all.IsSet(i) {
			cpus = append(cpus, i)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := NewServer(ServerConfig{}, []Transport{&waitingTransport{onRecv: record(cpus[0])}, &waitingTransport{onRecv: record(cpus[1])}}, func(int) Renderer { return files{} }, testClock)
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	running.Wait()
	// Threads that are created now must be free: as many as goroutines that are locked to theirs at the same time.
	var wg, locked sync.WaitGroup
	for range 2 * runtime.GOMAXPROCS(0) {
		locked.Add(1)
		wg.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			locked.Done()
			locked.Wait()
		})
	}
	wg.Wait()
	dir, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	free := 0
	for _, d := range dir {
		id := 0
		for _, c := range d.Name() {
			id = id*10 + int(c-'0')
		}
		var set unix.CPUSet
		if unix.SchedGetaffinity(id, &set) != nil {
			continue
		}
		mu.Lock()
		if !pinned[id] {
			free++
			if set != all {
				t.Errorf("thread %d may run on %d processors only", id, set.Count())
			}
		}
		mu.Unlock()
	}
	if len(pinned) != 2 || free == 0 {
		t.Errorf("%d threads pinned, %d free", len(pinned), free)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestEventsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for e := range NumEvents {
		if s := e.String(); s == "" || s == "unknown" || seen[s] {
			t.Errorf("event %d is called %q", e, s)
		} else {
			seen[s] = true
		}
	}
}
