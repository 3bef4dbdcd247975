package transfer

import (
	"net/netip"
	"testing"
	"time"

	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
	"dcs/render/device"
)

// After the loss of a block that is longer than every link carries, it and later ones are sent by the kernel; others
// use the path of their client's packets.
func TestDetour(t *testing.T) {
	past := packet.Link{Len: 14, Header: [22]byte{1}}
	six := netip.MustParseAddrPort("[fd00:198:18::2]:1024")
	for _, tt := range []struct {
		name   string
		peer   netip.AddrPort
		size   int // of the file
		o      tftp.Options
		acked  uint16 // blocks that arrive before one is lost
		detour bool
	}{
		{"IPv4, no options", client(1), 600, tftp.Options{}, 0, false},
		{"IPv4, 1280 octets", client(1), 9000, tftp.Options{Has: tftp.Blksize, Blksize: 1280 - 20 - 8 - 4}, 0, false},
		{"IPv4, 1281 octets", client(1), 9000, tftp.Options{Has: tftp.Blksize, Blksize: 1281 - 20 - 8 - 4}, 0, true},
		{"IPv6, 1280 octets", six, 9000, tftp.Options{Has: tftp.Blksize, Blksize: 1280 - 40 - 8 - 4}, 0, false},
		{"IPv6, 1281 octets", six, 9000, tftp.Options{Has: tftp.Blksize, Blksize: 1281 - 40 - 8 - 4}, 0, true},
		{"the second block", six, 9000, tftp.Options{Has: tftp.Blksize, Blksize: 1428}, 1, true},
		{"a window", six, 9000, tftp.Options{Has: tftp.Blksize | tftp.Windowsize, Blksize: 1428, Windowsize: 4}, 1, true},
		{"a short block", six, 1000, tftp.Options{Has: tftp.Blksize, Blksize: 1428}, 0, false},
		{"the last block, short", six, 1428 + 1000, tftp.Options{Has: tftp.Blksize, Blksize: 1428}, 1, false},
		{"the last block, empty", six, 1428, tftp.Options{Has: tftp.Blksize, Blksize: 1428}, 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, Config{Transfers: 64})
			p := packet.Packet{Data: tftp.AppendRequest(nil, "file", "octet", &tt.o), Peer: tt.peer, Local: netip.AddrPortFrom(server, 69), TID: tid, Link: past}
			if tt.peer.Addr().Is6() {
				p.Local = netip.MustParseAddrPort("[fd00:198:19::1]:69")
			}
			r.prepare(&p)
			var rq tftp.Request
			if err := tftp.ParseRequest(p.Data, &rq); err != nil {
				t.Fatal(err)
			}
			id, _ := r.tab.Request(r.now, &p, &rq, r.out)
			r.tab.Start(r.now, id, make([]byte, tt.size), false, nil, &device.Requester{}, r.out)
			first := len(r.take())
			ack := func(block uint16) {
				in := &packet.Packet{Peer: tt.peer, Local: netip.AddrPortFrom(p.Local.Addr(), tid), Link: past}
				r.prepare(in)
				r.tab.ACK(r.now, in, block, r.out)
			}
			if tt.o.Has != 0 {
				// The OACK is lost once: it is short.
				r.now += int64(time.Second) + 1<<25
				r.tab.Expire(r.now, r.out)
				if sent := r.take(); first != 1 || len(sent) != 1 || sent[0].Link != past {
					t.Fatalf("OACK: %d, then %+v", first, sent)
				}
				ack(0)
			}
			if tt.acked > 0 {
				ack(tt.acked)
			}
			for _, p := range r.take() {
				if p.Link != past {
					t.Errorf("at first: %+v", p.Link)
				}
			}
			r.now += int64(time.Second) + 1<<25
			r.tab.Expire(r.now, r.out)
			want := past
			if tt.detour {
				want = packet.Link{}
			}
			if sent := r.take(); len(sent) != 1 || sent[0].Link != want {
				t.Fatalf("after a time-out: %d packets, %+v", len(sent), sent)
			}
			ack(tt.acked + 1)
			for _, p := range r.take() {
				if p.Link != want {
					t.Errorf("the block behind it: %+v", p.Link)
				}
			}
		})
	}
}

// The largest block may change between two requests, within the room that there is.
func TestGrant(t *testing.T) {
	r := newRig(t, Config{Transfers: 64, MaxBlksize: 1468})
	six := netip.MustParseAddrPort("[fd00:198:18::2]:1024")
	for i, tt := range []struct{ v4, v6, got4, got6 int }{
		{1368, 1348, 1368, 1348},
		{1468, 1448, 1468, 1448},
		{9000, 9000, 1468, 1468},
		{0, 0, tftp.MinBlksize, tftp.MinBlksize},
	} {
		r.tab.Grant(tt.v4, tt.v6)
		for peer, want := range map[netip.AddrPort]int{client(1): tt.got4, six: tt.got6} {
			o := tftp.Options{Has: tftp.Blksize, Blksize: 65464}
			r.start(netip.AddrPortFrom(peer.Addr(), uint16(2000+i)), "f", o, make([]byte, 100))
			sent := r.take()
			var got tftp.Options
			if err := tftp.ParseOACK(sent[0].Data, &got); err != nil || got.Blksize != want {
				t.Errorf("%+v, %v: %v, %q", tt, peer.Addr(), err, sent[0].Data)
			}
		}
	}
}

// On a router's message what is outstanding is sent again by the kernel, once, however often the message comes; no
// other transfer and no half-open one is affected.
func TestTooBig(t *testing.T) {
	past := packet.Link{Len: 14, Header: [22]byte{1}}
	r := newRig(t, Config{Transfers: 64})
	c := client(1)
	o := tftp.Options{Has: tftp.Blksize | tftp.Windowsize, Blksize: 1468, Windowsize: 3}
	r.start(c, "f", o, make([]byte, 20000))
	at := func(c netip.AddrPort, link packet.Link) *packet.Packet {
		p := r.at(c)
		p.Link = link
		return p
	}
	sends := func(what string, n int, link packet.Link) {
		t.Helper()
		sent := r.take()
		for _, p := range sent {
			if p.Link != link || p.Peer != c {
				t.Errorf("%s: %+v", what, p)
			}
		}
		if len(sent) != n {
			t.Errorf("%s: %d packets, want %d", what, len(sent), n)
		}
	}
	sends("OACK", 1, packet.Link{})
	r.tab.TooBig(r.now, at(c, packet.Link{}), r.out)
	sends("before an ACK", 0, past)
	r.tab.ACK(r.now, at(c, past), 0, r.out)
	sends("window", 3, past)
	r.tab.TooBig(r.now, at(client(2), packet.Link{}), r.out)
	sends("another's", 0, past)
	r.tab.TooBig(r.now, at(c, packet.Link{}), r.out)
	sends("too big", 3, packet.Link{})
	r.tab.TooBig(r.now, at(c, packet.Link{}), r.out)
	sends("again", 0, past)
	r.tab.ACK(r.now, at(c, past), 3, r.out)
	sends("what follows", 3, packet.Link{})
	if got := r.tab.Count[PathResent]; got != 1 {
		t.Errorf("counted %d", got)
	}
}

// A client that is gone ends its transfer and no other, in any state, and that does not count as a failure.
func TestUnreachable(t *testing.T) {
	r := newRig(t, Config{Transfers: 64, OnFailure: func(f *device.Outcome) { t.Errorf("%+v", f) }})
	body := make([]byte, 5000)
	r.start(client(1), "f", tftp.Options{}, body)
	r.start(client(2), "f", tftp.Options{Has: tftp.Tsize}, body)
	r.start(client(3), "f", tftp.Options{}, body)
	r.ack(client(3), 1)
	r.start(client(4), "f", tftp.Options{}, body)
	r.take()
	r.tab.Unreachable(r.at(client(5)))
	if r.tab.Active() != 4 || r.tab.Count[Unreachable] != 0 {
		t.Errorf("%d active, %d counted", r.tab.Active(), r.tab.Count[Unreachable])
	}
	for i := 1; i <= 3; i++ {
		r.tab.Unreachable(r.at(client(i)))
		r.tab.Unreachable(r.at(client(i)))
	}
	if r.tab.Active() != 1 || r.tab.Count[Unreachable] != 3 || !r.knows(client(4)) {
		t.Errorf("%d active, %d counted", r.tab.Active(), r.tab.Count[Unreachable])
	}
	r.take()
	r.now += int64(10 * time.Second)
	r.tab.Expire(r.now, r.out)
	for _, p := range r.take() {
		if p.Peer != client(4) {
			t.Errorf("sent to one that is gone: %+v", p)
		}
	}
}
