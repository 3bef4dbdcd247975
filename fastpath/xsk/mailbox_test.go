package xsk

import (
	"bytes"
	"net/netip"
	"strconv"
	"testing"

	"dcs/fastpath/packet"
)

func TestMailbox(t *testing.T) {
	m := newMailbox(64)
	batch := packet.NewSlab(40, 0, rxRoom)
	in := packet.NewSlab(1, 0, rxRoom)
	p := &in[0]
	p.Peer, p.Local = netip.MustParseAddrPort("198.18.0.1:1025"), netip.MustParseAddrPort("198.19.0.1:50000")
	p.Link.Len, p.Zone, p.TOS = 14, 7, 0xb8
	put, got := 0, 0
	for range 10 {
		for {
			p.Data = append(p.Room()[:0], 0, 4, byte(put>>8), byte(put))
			if !m.put(p) {
				break
			}
			put++
		}
		if put-got != 64 {
			t.Fatalf("full with %d packets", put-got)
		}
		// A batch that has packets already, and is filled up.
		if n := m.drain(batch, 10); n != 40 {
			t.Fatalf("batch of %d", n)
		}
		for i := 10; i < 40; i++ {
			q := &batch[i]
			if !bytes.Equal(q.Data, []byte{0, 4, byte(got >> 8), byte(got)}) || q.Peer != p.Peer || q.Local != p.Local || q.Link != p.Link || q.Zone != 7 || q.TOS != 0xb8 || q.TID != 0 || q.Flags != 0 {
				t.Fatalf("packet %d: %+v", got, q)
			}
			got++
		}
	}
	for n := 40; n == 40; {
		n = m.drain(batch, 0)
		got += n
	}
	if got != put {
		t.Errorf("%d packets out of %d", got, put)
	}
	p.Data = p.Room()[:slotRoom+1]
	if !m.put(p) || m.drain(batch, 0) != 1 || batch[0].Flags != packet.Truncated || len(batch[0].Data) != slotRoom {
		t.Errorf("long packet: %d octets, flags %v", len(batch[0].Data), batch[0].Flags)
	}
	if n := testing.AllocsPerRun(100, func() { m.put(p); m.drain(batch, 0) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// No inbox starves another one, and together they fill a batch that the ports leave to them.
func TestInboxesInTurn(t *testing.T) {
	tr := Transport{ports: []*port{nil}}
	in, batch := packet.NewSlab(1, 0, rxRoom), packet.NewSlab(8, 0, rxRoom)
	for i := range 3 {
		m := newMailbox(64)
		in[0].Data = append(in[0].Room()[:0], byte(i))
		for m.put(&in[0]) {
		}
		tr.inboxes = append(tr.inboxes, m)
	}
	for ; tr.rounds < 6; tr.rounds++ {
		if n := tr.collect(batch, 3); n != len(batch) {
			t.Errorf("batch of %d", n)
		}
		for i := range batch[3:] {
			if got := uint(batch[3+i].Data[0]); got != tr.rounds%3 {
				t.Errorf("round %d: a packet from inbox %d", tr.rounds, got)
			}
		}
	}
	if n := testing.AllocsPerRun(100, func() { tr.inboxes[1].put(&in[0]); tr.collect(batch, 0) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// The mailboxes of all pairs of workers take 1 MiB for each worker, as far as a mailbox of 8 packets allows.
func TestInboxes(t *testing.T) {
	for _, tt := range []struct{ workers, slots, mebibytes int }{{1, 1024, 0}, {2, 1024, 2}, {4, 256, 4}, {16, 64, 16}, {64, 16, 64}, {512, 8, 1500}} {
		if got := inboxSlots(tt.workers); got != tt.slots {
			t.Errorf("%d workers: %d slots, want %d", tt.workers, got, tt.slots)
		}
		if got := InboxOctets(tt.workers) >> 20; got > tt.mebibytes {
			t.Errorf("%d workers: %d MiB, want at most %d", tt.workers, got, tt.mebibytes)
		}
	}
}

// BenchmarkMail looks for packets in the inboxes of one of many workers.
func BenchmarkMail(b *testing.B) {
	for _, workers := range []int{2, 16, 64, 512} {
		var t Transport
		for range workers - 1 {
			t.inboxes = append(t.inboxes, newMailbox(8))
		}
		b.Run(strconv.Itoa(workers), func(b *testing.B) {
			for b.Loop() {
				if t.mail() {
					b.Fatal("a packet")
				}
			}
		})
	}
}

func TestMaxBlksize(t *testing.T) {
	for _, tt := range []struct {
		mtu, size int
		v6        bool
		link      int
		want      uint16
	}{
		{1500, 2048, false, 14, 1468},
		{1500, 2048, false, 18, 1468},
		{1500, 2048, false, 22, 1464},
		{1500, 2048, true, 14, 1448},
		{1500, 2048, true, 22, 1444},
		{600, 2048, true, 22, 544},
		{9000, 4096, false, 14, 4096 - txRoom - 4},
	} {
		var dev device
		dev.mtu.Store(int32(tt.mtu))
		if got := dev.maxBlksize(tt.size, tt.v6, tt.link); got != tt.want {
			t.Errorf("%+v: %d", tt, got)
		}
	}
}
