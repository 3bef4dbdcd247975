package fastpath

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

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
