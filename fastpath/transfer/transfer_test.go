package transfer

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
	secret "dcs/fastpath/tid"
	"dcs/render/device"
)

const tid = 40000

var key = secret.NewKey()

var server = netip.MustParseAddr("192.0.2.69")

// A rig is a table with its outgoing packets.
type rig struct {
	t    testing.TB
	tab  *Table
	out  *packet.Queue
	sent []packet.Packet
	now  int64
}

func newRig(t testing.TB, cfg Config) *rig {
	if cfg.Memory == 0 {
		cfg.Memory = 1 << 20 // the default takes longer to clear than most tests to run
	}
	r := &rig{t: t, now: 1e9}
	r.tab = New(cfg, r.now)
	r.out = packet.NewQueue(packet.NewSlab(4, 0, tftp.MaxBlksize+tftp.DataHeader), func(ps []packet.Packet) {
		for _, p := range ps {
			p.Data = bytes.Clone(p.Data)
			r.sent = append(r.sent, p)
		}
	})
	return r
}

func (r *rig) take() []packet.Packet {
	r.out.Flush()
	sent := r.sent
	r.sent = nil
	return sent
}

func client(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1024)
}

func (r *rig) request(c netip.AddrPort, name string, o tftp.Options) (ID, bool) {
	r.t.Helper()
	p := packet.Packet{Data: tftp.AppendRequest(nil, name, "octet", &o), Peer: c, Local: netip.AddrPortFrom(server, 69), TID: tid}
	r.prepare(&p)
	var rq tftp.Request
	if err := tftp.ParseRequest(p.Data, &rq); err != nil {
		r.t.Fatal(err)
	}
	return r.tab.Request(r.now, &p, &rq, r.out)
}

func (r *rig) start(c netip.AddrPort, name string, o tftp.Options, body []byte) {
	r.t.Helper()
	id, ok := r.request(c, name, o)
	if !ok {
		r.t.Fatal("no transfer begun")
	}
	r.tab.Start(r.now, id, body, false, nil, &device.Requester{Client: c.Addr()}, r.out)
}

func (r *rig) prepare(p *packet.Packet) {
	p.Hash = key.Hash(p.Peer)
	r.tab.Prepare([]packet.Packet{*p})
}

// at is a packet of the client to its transfer.
func (r *rig) at(c netip.AddrPort) *packet.Packet {
	p := &packet.Packet{Peer: c, Local: netip.AddrPortFrom(server, tid)}
	r.prepare(p)
	return p
}

func (r *rig) ack(c netip.AddrPort, block uint16) { r.tab.ACK(r.now, r.at(c), block, r.out) }

// TestBackoff checks when a block is sent again, and when that ends.
func TestBackoff(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  Config
		o    tftp.Options
		ack  bool            // the first packet is acknowledged at once
		want []time.Duration // of the packets that wait for an answer, after the request
		gone time.Duration   // when the transfer is given up
	}{
		{
			name: "default", ack: true, want: []time.Duration{0, 1 * time.Second, 3 * time.Second, 7 * time.Second, 15 * time.Second, 23 * time.Second},
			gone: 31 * time.Second,
		},
		{
			name: "configured", ack: true, cfg: Config{Timeout: 500 * time.Millisecond, MaxTimeout: time.Second, Retries: 3},
			want: []time.Duration{0, 500 * time.Millisecond, 1500 * time.Millisecond, 2500 * time.Millisecond}, gone: 3500 * time.Millisecond,
		},
		{
			name: "option timeout: no back-off", ack: true, cfg: Config{Retries: 2}, o: tftp.Options{Has: tftp.Timeout, Timeout: 5},
			want: []time.Duration{0, 5 * time.Second, 10 * time.Second}, gone: 15 * time.Second,
		},
		{
			name: "option timeout: bounded", ack: true, cfg: Config{Retries: 2}, o: tftp.Options{Has: tftp.Timeout, Timeout: 255},
			want: []time.Duration{0, 8 * time.Second, 16 * time.Second}, gone: 24 * time.Second,
		},
		{
			name: "the wheel turns several times", ack: true, cfg: Config{Retries: 1, MaxTimeout: 50 * time.Second}, o: tftp.Options{Has: tftp.Timeout, Timeout: 255},
			want: []time.Duration{0, 50 * time.Second}, gone: 100 * time.Second,
		},
		{name: "half-open", want: []time.Duration{0, 1 * time.Second}, gone: 3 * time.Second},
		{
			name: "half-open, configured", cfg: Config{Timeout: 500 * time.Millisecond, MaxTimeout: 600 * time.Millisecond},
			want: []time.Duration{0, 500 * time.Millisecond}, gone: 1100 * time.Millisecond,
		},
		{name: "half-open: the server bounds its wait", o: tftp.Options{Has: tftp.Timeout, Timeout: 255}, want: []time.Duration{0, 1 * time.Second}, gone: 3 * time.Second},
		{name: "half-open: it is not sent again sooner either", o: tftp.Options{Has: tftp.Timeout | tftp.Windowsize, Timeout: 1, Windowsize: 9}, want: []time.Duration{0, 1 * time.Second}, gone: 3 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tt.cfg)
			begin := r.now
			r.start(client(1), "f", tt.o, make([]byte, 600))
			if tt.ack {
				r.take()
				r.ack(client(1), map[bool]uint16{true: 0, false: 1}[tt.o.Has != 0])
			}
			var got []time.Duration
			for r.tab.Active() > 0 {
				for range r.take() {
					got = append(got, time.Duration(r.now-begin))
				}
				r.now += int64(5 * time.Millisecond)
				r.tab.Expire(r.now, r.out)
				if r.now > begin+int64(time.Hour) {
					t.Fatal("never given up")
				}
			}
			if want := map[bool]uint64{true: 0, false: 1}[tt.ack]; r.tab.Count[GaveUpFirst] != want {
				t.Errorf("%d given up with nothing acknowledged, want %d", r.tab.Count[GaveUpFirst], want)
			}
			got = append(got, time.Duration(r.now-begin))
			want := append(tt.want, tt.gone)
			if len(got) != len(want) {
				t.Fatalf("%v, want %v", got, want)
			}
			for i := range want {
				// Never early, and each at most a tick and a step of this loop later than the one before would have it.
				if d := got[i] - want[i]; d < 0 || d > time.Duration(i)*(1<<tickShift+5*time.Millisecond) {
					t.Errorf("packet %d after %v, want %v", i, got[i], want[i])
				}
			}
			if r.tab.Count[GaveUp] != 1 {
				t.Error(r.tab.Count)
			}
		})
	}
}

// A wait that had grown is short again when an ACK comes.
func TestBackoffStartsAnew(t *testing.T) {
	r := newRig(t, Config{})
	r.start(client(1), "f", tftp.Options{}, make([]byte, 2000))
	r.take()
	r.ack(client(1), 1)
	for range 80 {
		r.now += int64(100 * time.Millisecond)
		r.tab.Expire(r.now, r.out)
	}
	if n := len(r.take()); n != 4 { // at 0, 1, 3 and 7 s
		t.Fatalf("%d packets", n)
	}
	r.ack(client(1), 2)
	r.take()
	for i := range 2 {
		r.now += int64(550 * time.Millisecond)
		r.tab.Expire(r.now, r.out)
		if n := len(r.take()); n != i {
			t.Errorf("%d packets %d ms after the ACK", n, 550*(i+1))
		}
	}
}

// An outage ends for many at once: what is due leaves in portions, and all of it.
func TestExpireIsBounded(t *testing.T) {
	r := newRig(t, Config{})
	const n = 3*perExpire + 10
	for i := range n {
		r.start(client(i), "f", tftp.Options{}, []byte("body"))
	}
	r.take()
	r.now += int64(1500 * time.Millisecond)
	total := 0
	for range 4 {
		r.tab.Expire(r.now, r.out)
		k := len(r.take())
		if k > perExpire {
			t.Errorf("%d packets at once", k)
		}
		total += k
	}
	if total != n {
		t.Errorf("%d of %d sent again", total, n)
	}
}

// TestRollOver checks that block 0 follows block 65,535, and that the file goes on.
func TestRollOver(t *testing.T) {
	for _, window := range []int{1, 7} {
		t.Run(fmt.Sprint("windowsize ", window), func(t *testing.T) {
			body := make([]byte, 8*200_000+3)
			for i := range body {
				body[i] = byte(i >> 3)
			}
			r := newRig(t, Config{})
			r.start(client(1), "f", tftp.Options{Has: tftp.Blksize | tftp.Windowsize, Blksize: 8, Windowsize: window}, body)
			r.take()
			r.ack(client(1), 0)
			var got []byte
			block := 0
			for r.tab.Active() > 0 {
				r.now += 1000
				sent := r.take()
				if len(sent) == 0 || len(sent) > window {
					t.Fatalf("%d packets behind block %d", len(sent), block)
				}
				for _, p := range sent {
					block++
					n, data, err := tftp.ParseDATA(p.Data)
					if err != nil || n != uint16(block) {
						t.Fatalf("block %d is numbered %d (%v)", block, n, err)
					}
					got = append(got, data...)
				}
				r.ack(client(1), uint16(block))
			}
			if block != 200_001 || !bytes.Equal(got, body) {
				t.Errorf("%d blocks, %d octets", block, len(got))
			}
		})
	}
}

// TestIndex compares the table with a map while clients come and go.
func TestIndex(t *testing.T) {
	const places = 100
	r := newRig(t, Config{Transfers: places})
	rng := rand.New(rand.NewPCG(1, 2))
	running := map[int]bool{}
	for range 50_000 {
		i := rng.IntN(2 * places)
		switch {
		case running[i]:
			r.ack(client(i), 2)
			delete(running, i)
		default:
			id, ok := r.request(client(i), "f", tftp.Options{})
			if ok != (len(running) < places) {
				t.Fatalf("request with %d of %d places taken: %v", len(running), places, ok)
			}
			if ok {
				r.tab.Start(r.now, id, make([]byte, 600), rng.IntN(2) == 0, nil, &device.Requester{}, r.out)
				r.ack(client(i), 1)
				running[i] = true
			}
		}
		if r.tab.Active() != len(running) {
			t.Fatalf("%d active, %d run", r.tab.Active(), len(running))
		}
		if rng.IntN(100) == 0 {
			for i := range 2 * places {
				if known := r.knows(client(i)); known != running[i] {
					t.Fatalf("client %d: known %v, runs %v", i, known, running[i])
				}
			}
		}
		r.take()
	}
}

func (r *rig) knows(c netip.AddrPort) bool {
	p := r.at(c)
	return r.tab.find(p.Hash, p) != none
}

// Clients that share address and port but not the zone, or the address that they asked, are apart.
func TestEndsAreApart(t *testing.T) {
	r := newRig(t, Config{})
	peer := netip.MustParseAddrPort("[fe80::1]:1024")
	var ps []*packet.Packet
	for zone := range uint32(3) {
		for _, s := range []string{"fe80::69", "fe80::6969"} {
			p := &packet.Packet{Data: []byte("\x00\x01f\x00octet\x00"), Peer: peer, Zone: zone, Local: netip.AddrPortFrom(netip.MustParseAddr(s), 69), TID: tid}
			r.prepare(p)
			rq := tftp.Request{Name: []byte("f")}
			id, ok := r.tab.Request(r.now, p, &rq, r.out)
			if !ok {
				t.Fatal("taken for a copy")
			}
			r.tab.Start(r.now, id, []byte("body"), false, nil, &device.Requester{}, r.out)
			q := *p
			q.Local = netip.AddrPortFrom(p.Local.Addr(), tid)
			ps = append(ps, &q)
		}
	}
	for i, p := range r.take() {
		if p.Peer != ps[i].Peer || p.Zone != ps[i].Zone || p.Local != ps[i].Local {
			t.Errorf("answer %d: %+v", i, p)
		}
	}
	for _, p := range ps {
		r.tab.ACK(r.now, p, 1, r.out)
	}
	if r.tab.Active() != 0 || r.tab.Count[Finished] != 6 {
		t.Error(r.tab.Count)
	}
}

// What a body stands in is kept as long as it may be sent again, and no longer.
// The way back is kept for what is sent without being asked for, and followed when the client's packets come another way.
func TestLink(t *testing.T) {
	link := func(n byte) packet.Link { return packet.Link{Len: 14, Header: [22]byte{n}} }
	r := newRig(t, Config{})
	c := client(1)
	want := func(what string, l packet.Link) {
		t.Helper()
		sent := r.take()
		if len(sent) != 1 || sent[0].Link != l {
			t.Errorf("%s: %d packets, %+v", what, len(sent), sent)
		}
	}
	ask := func(l packet.Link, o tftp.Options, most uint16) {
		t.Helper()
		p := packet.Packet{Data: tftp.AppendRequest(nil, "file", "octet", &o), Peer: c, Local: netip.AddrPortFrom(server, 69), TID: tid, Link: l, MaxBlksize: most}
		r.prepare(&p)
		var rq tftp.Request
		if err := tftp.ParseRequest(p.Data, &rq); err != nil {
			t.Fatal(err)
		}
		if id, ok := r.tab.Request(r.now, &p, &rq, r.out); ok {
			r.tab.Start(r.now, id, make([]byte, 5000), false, nil, &device.Requester{}, r.out)
		}
	}
	o := tftp.Options{Has: tftp.Blksize, Blksize: 1468}
	ask(link(1), o, 1464)
	if sent := r.take(); len(sent) != 1 || sent[0].Link != link(1) || string(sent[0].Data) != "\x00\x06blksize\x001464\x00" {
		t.Errorf("%+v", sent)
	}
	ask(link(2), o, 1464)
	want("repeated request", link(2))
	r.now += int64(2 * time.Second)
	r.tab.Expire(r.now, r.out)
	want("timeout", link(2))
	in := r.at(c)
	r.tab.ACK(r.now, in, 0, r.out)
	want("ACK by the kernel", packet.Link{})
	in.Link = link(3)
	r.tab.ACK(r.now, in, 1, r.out)
	want("ACK", link(3))
	in.Peer, in.Link = client(2), link(4)
	r.prepare(in)
	r.tab.ACK(r.now, in, 1, r.out)
	want("stranger", link(4))
}

func TestHold(t *testing.T) {
	r := newRig(t, Config{Transfers: 1})
	hold := &struct{ name string }{"a mapping"}
	id, _ := r.request(client(1), "f", tftp.Options{})
	r.tab.Start(r.now, id, []byte("body"), false, hold, &device.Requester{}, r.out)
	if r.tab.entries[0].hold != hold {
		t.Error("not held")
	}
	r.ack(client(1), 1)
	if e := &r.tab.entries[0]; e.hold != nil || e.body != nil {
		t.Error("still held")
	}
}

// A body that was copied does not change when the caller's memory does.
func TestOwnedBody(t *testing.T) {
	r := newRig(t, Config{})
	scratch := []byte("the first body")
	id, _ := r.request(client(1), "f", tftp.Options{})
	r.tab.Start(r.now, id, scratch, true, nil, &device.Requester{}, r.out)
	r.take()
	copy(scratch, "another file's")
	r.now += int64(2 * time.Second)
	r.tab.Expire(r.now, r.out)
	if p := r.take(); len(p) != 1 || string(p[0].Data[4:]) != "the first body" {
		t.Errorf("%+v", p)
	}
}

func TestArena(t *testing.T) {
	a := newArena(20 * pageSize)
	type block struct {
		b   []byte
		ref uint32
		tag byte
	}
	rng := rand.New(rand.NewPCG(3, 4))
	var held []block
	for round := range 200_000 {
		if rng.IntN(5) < 3 && round%20_000 < 15_000 {
			n := rng.IntN(1 << rng.IntN(17))
			b, ref := a.take(n)
			if b == nil {
				continue
			}
			if len(b) != n {
				t.Fatalf("asked for %d octets, got %d", n, len(b))
			}
			for i := range b {
				b[i] = byte(round)
			}
			held = append(held, block{b, ref, byte(round)})
		} else if len(held) > 0 {
			i := rng.IntN(len(held))
			h := held[i]
			for _, c := range h.b {
				if c != h.tag {
					t.Fatal("a block was written to by another")
				}
			}
			a.give(h.ref)
			held[i] = held[len(held)-1]
			held = held[:len(held)-1]
		}
	}
	for _, h := range held {
		a.give(h.ref)
	}
	// All pages are free again, for any size.
	for i := range 20 {
		if b, _ := a.take(maxBody); b == nil {
			t.Fatalf("page %d is lost", i)
		}
	}
	if b, _ := a.take(0); b != nil {
		t.Error("more memory than there is")
	}
	if b, _ := newArena(0).take(maxBody + 1); b != nil {
		t.Error("a body larger than a page")
	}
}

func TestNetASCII(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{"plain", "plain"},
		{"a\nb", "a\r\nb"},
		{"a\rb", "a\r\x00b"},
		{"\r\n", "\r\x00\r\n"},
		{"\n\n\r", "\r\n\r\n\r\x00"},
	} {
		for n := 1; n < 9; n++ {
			var pos textPos
			var got []byte
			for {
				block := pos.next(nil, n, []byte(tt.in))
				got = append(got, block...)
				if len(block) < n {
					break
				}
			}
			if string(got) != tt.want {
				t.Errorf("%q in blocks of %d: %q, want %q", tt.in, n, got, tt.want)
			}
		}
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

// Who ends a transfer before its time is told with how far it came.
func TestFailure(t *testing.T) {
	var got []string
	r := newRig(t, Config{Timeout: time.Second, Retries: 1, OnFailure: func(f *device.Outcome) {
		got = append(got, fmt.Sprintf("%v %v %q %v %d octets, %s", f.Reason, f.Client, f.Name, f.Truncated, f.Size, f.Value))
	}})
	long := string(bytes.Repeat([]byte("n"), nameRoom+1))
	body := make([]byte, 1300)
	r.start(client(1), "silent", tftp.Options{}, body)
	r.ack(client(1), 1)
	r.start(client(2), long[1:], tftp.Options{Has: tftp.Tsize}, body)
	r.tab.Error(r.at(client(2)), tftp.CodeDiskFull, []byte("no room"))
	r.start(client(3), long, tftp.Options{}, nil)
	r.tab.Error(r.at(client(3)), 77, nil)
	r.start(client(4), "done", tftp.Options{}, []byte("x"))
	r.ack(client(4), 1)
	r.tab.Error(r.at(client(5)), 0, []byte("a stranger"))
	r.start(client(6), "again", tftp.Options{}, body)
	r.start(client(6), "another", tftp.Options{}, body)
	r.ack(client(6), 1)
	r.ack(client(6), 2)
	r.ack(client(6), 3)
	for range 10 {
		r.now += int64(time.Second)
		r.tab.Expire(r.now, r.out)
	}
	want := []string{
		fmt.Sprintf(`peer_error_disk_full 10.0.0.2 %q false 1300 octets, 0 of 3 blocks acknowledged: no room`, long[1:]),
		fmt.Sprintf(`peer_error_other 10.0.0.3 %q true 0 octets, 0 of 1 blocks acknowledged`, long[1:]),
		`gave_up 10.0.0.1 "silent" false 1300 octets, 1 of 3 blocks acknowledged`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if r.tab.Active() != 0 {
		t.Errorf("%d transfers run on", r.tab.Active())
	}
}

// A client that wanted the size alone, or that leaves an empty file unacknowledged, has not failed; who refuses the file has, and
// so has one that ends what it has begun to take.
func TestProbed(t *testing.T) {
	body := make([]byte, 1300)
	for _, tt := range []struct {
		name   string
		has    tftp.Set
		body   []byte
		acks   []uint16
		code   int // of the ERROR; -1: silence
		probed bool
	}{
		{"probe", tftp.Tsize, body, nil, 0, true},
		{"probe, refused as an option", tftp.Tsize | tftp.Blksize, body, nil, 8, true},
		{"empty probe", tftp.Tsize, nil, nil, 8, true},
		{"empty, and silent", tftp.Tsize, nil, nil, -1, true},
		{"empty without options, and silent", 0, nil, nil, -1, true},
		{"empty without options, and an ERROR", 0, nil, nil, 0, true},
		{"too large", tftp.Tsize, body, nil, 3, false},
		{"an empty file that is refused", tftp.Tsize, nil, nil, 2, false},
		{"silent", tftp.Tsize, body, nil, -1, false},
		{"no size asked for", tftp.Blksize, body, nil, 8, false},
		{"no options", 0, body, nil, 0, false},
		{"begun", tftp.Tsize, body, []uint16{0}, 0, false},
		{"half done", tftp.Tsize, body, []uint16{0, 1}, 8, false},
		{"silent behind the OACK of an empty file", tftp.Tsize, nil, []uint16{0}, -1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			failed := 0
			r := newRig(t, Config{Timeout: time.Second, Retries: 1, OnFailure: func(*device.Outcome) { failed++ }})
			r.start(client(1), "file", tftp.Options{Has: tt.has, Blksize: 512}, tt.body)
			for _, block := range tt.acks {
				r.ack(client(1), block)
			}
			if tt.code >= 0 {
				r.tab.Error(r.at(client(1)), tftp.Code(tt.code), nil)
			}
			for range 10 {
				r.now += int64(time.Second)
				r.tab.Expire(r.now, r.out)
			}
			want := [2]int{1, 0}
			if tt.probed {
				want = [2]int{0, 1}
			}
			if got := [2]int{failed, int(r.tab.Count[Probed])}; got != want {
				t.Errorf("%d failed, %d probed, want %v", got[0], got[1], want)
			}
			if r.tab.Active() != 0 {
				t.Errorf("%d transfers run on", r.tab.Active())
			}
		})
	}
}

// A file that is cut short in place ends the transfers that send it, each by an ERROR, and nothing else.
func TestFileCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "firmware")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const size = 100_000
	if _, err := f.Write(bytes.Repeat([]byte("a\n"), size/2)); err != nil {
		t.Fatal(err)
	}
	body, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Munmap(body) }()
	var why []Event
	r := newRig(t, Config{OnFailure: func(f *device.Outcome) { why = append(why, Event(f.Err.(Failure))) }})
	begin := func(c int, mode string, window int) {
		t.Helper()
		o := tftp.Options{}
		if window > 0 {
			o = tftp.Options{Has: tftp.Windowsize | tftp.Blksize, Windowsize: window, Blksize: 1400}
		}
		p := packet.Packet{Data: tftp.AppendRequest(nil, "firmware", mode, &o), Peer: client(c), Local: netip.AddrPortFrom(server, 69), TID: tid}
		r.prepare(&p)
		var rq tftp.Request
		if err := tftp.ParseRequest(p.Data, &rq); err != nil {
			t.Fatal(err)
		}
		id, ok := r.tab.Request(r.now, &p, &rq, r.out)
		if !ok {
			t.Fatal("no transfer begun")
		}
		r.tab.Start(r.now, id, body, false, f, &device.Requester{}, r.out)
	}
	begin(1, "octet", 0)
	begin(2, "octet", 8)
	begin(3, "netascii", 0)
	begin(4, "octet", 0)
	r.start(client(5), "other", tftp.Options{}, make([]byte, 600))
	r.take()
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	ended := func(c int) {
		t.Helper()
		sent := r.take()
		if len(sent) != 1 || sent[0].Peer != client(c) || string(sent[0].Data) != "\x00\x05\x00\x00The file has changed\x00" {
			t.Errorf("client %d: %d packets, %q", c, len(sent), sent[0].Data)
		}
	}
	r.ack(client(1), 1)
	ended(1)
	r.ack(client(2), 0)
	ended(2)
	r.ack(client(3), 1)
	ended(3)
	begin(6, "octet", 0)
	ended(6)
	r.now += 1100e6 // the others' blocks are sent again
	r.tab.Expire(r.now, r.out)
	sent := r.take()
	if len(sent) != 2 || tftp.Opcode(sent[0].Data)+tftp.Opcode(sent[1].Data) != tftp.OpERROR+tftp.OpDATA {
		t.Errorf("after a time-out: %+v", sent)
	}
	r.ack(client(5), 1)
	r.ack(client(5), 2)
	if !slices.Equal(why, slices.Repeat([]Event{FileCut}, 5)) || r.tab.Count[FileCut] != 5 || r.tab.Count[Finished] != 1 || r.tab.Active() != 0 {
		t.Errorf("%v, %v, %d active", why, r.tab.Count, r.tab.Active())
	}
}
