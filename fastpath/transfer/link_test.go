package transfer

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
	"dcs/render/device"
)

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
