package xsk_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"dcs/bench/afpacket"
	"dcs/bench/netlab"
	"dcs/fastpath/packet"
	"dcs/fastpath/xsk"
)

// answer makes q an answer to a client with that link-layer header.
func answer(q *packet.Packet, peer netip.AddrPort, header []byte, data []byte) {
	local := netlab.ServerAddr4
	if peer.Addr().Is6() {
		local = netlab.ServerAddr6
	}
	q.Reset()
	q.Peer, q.Local = peer, netip.AddrPortFrom(local, 50000)
	q.Link = packet.Link{Len: uint8(len(header))}
	copy(q.Link.Header[:], header)
	q.Data = append(q.Data, data...)
}

// tapped returns what a tap has copied.
func tapped(tap *xsk.Tap) (all []xsk.Tapped) {
	tap.Read(func(f *xsk.Tapped) {
		g := *f
		g.Data = slices.Clone(f.Data)
		all = append(all, g)
	})
	return all
}

// A Tap copies what arrives at the other end, if its filter passes it.
func TestTap(t *testing.T) {
	w := newWire(t, netlab.Config{})
	tr := w.open(t, at4, 1, nil)[0]
	_, tx := tr.Slabs(8, 512)
	var wireTap *afpacket.Socket
	if err := w.Load.Do(func() (err error) {
		wireTap, err = afpacket.Open(netlab.Device, afpacket.Config{Slots: 64})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer wireTap.Close()

	other := []byte{2, 0, 0, 7, 7, 7}
	header := func(to []byte, rest ...byte) []byte { return slices.Concat(to, netlab.ServerMAC, rest) }
	peer := netip.MustParseAddrPort
	answers := []struct {
		peer   netip.AddrPort
		header []byte
	}{
		{peer("198.19.0.2:1000"), header(netlab.LoadMAC, 8, 0)},
		{peer("198.19.0.3:1000"), header(netlab.LoadMAC, 8, 0)},
		{peer("198.19.0.2:1001"), header(netlab.LoadMAC, 0x81, 0, 0x20, 5, 8, 0)},
		{peer("198.19.7.2:1000"), header(other, 0x88, 0xa8, 0, 6, 0x81, 0, 0, 5, 8, 0)},
		{peer("[fd00:198:19::2]:1000"), header(netlab.LoadMAC, 0x86, 0xdd)},
		{peer("[fd00:198:20::2]:1000"), header(other, 0x81, 0, 0, 5, 0x86, 0xdd)},
	}
	for _, tt := range []struct {
		name string
		cfg  xsk.TapConfig
		want []int // of the answers
	}{
		{"everything", xsk.TapConfig{Snap: 2048}, []int{0, 1, 2, 3, 4, 5}},
		{"an address", xsk.TapConfig{Snap: 2048, Peer: netip.MustParsePrefix("198.19.0.2/32")}, []int{0, 2}},
		{"a network", xsk.TapConfig{Snap: 2048, Peer: netip.MustParsePrefix("198.19.0.0/16")}, []int{0, 1, 2, 3}},
		{"a network of IPv6", xsk.TapConfig{Snap: 2048, Peer: netip.MustParsePrefix("fd00:198:19::/48")}, []int{4}},
		{"all of IPv6", xsk.TapConfig{Snap: 2048, Peer: netip.MustParsePrefix("::/0")}, []int{4, 5}},
		{"a hardware address", xsk.TapConfig{Snap: 2048, MAC: [6]byte(other)}, []int{3, 5}},
		{"both", xsk.TapConfig{Snap: 2048, MAC: [6]byte(other), Peer: netip.MustParsePrefix("198.19.7.0/24")}, []int{3}},
		{"the beginning", xsk.TapConfig{Snap: 60}, []int{0, 1, 2, 3, 4, 5}},
	} {
		now := int64(1000)
		tt.cfg.Now = func() int64 { now++; return now }
		tap, err := w.group.Tap(tt.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.group.Tap(tt.cfg); err == nil {
			t.Error("two taps")
		}
		for i, a := range answers {
			answer(&tx[i], a.peer, a.header, bytes.Repeat([]byte{byte(i)}, 40+i))
		}
		if err := tr.Send(tx[:len(answers)]); err != nil {
			t.Fatal(err)
		}
		var arrived [][]byte
		for end := time.Now().Add(30 * time.Second); len(arrived) < len(answers); {
			f, _, ok := wireTap.Next()
			switch {
			case ok && bytes.Equal(f[6:12], netlab.ServerMAC) && f[len(f)-1] < byte(len(answers)) && bytes.Count(f[max(len(f)-40, 0):], f[len(f)-1:]) == 40:
				arrived = append(arrived, slices.Clone(f))
			case !ok && time.Now().After(end):
				t.Fatalf("%s: only %d frames arrived", tt.name, len(arrived))
			case !ok:
				wireTap.Wait(10 * time.Millisecond)
			}
		}
		got := tapped(tap)
		if len(got) != len(tt.want) {
			t.Errorf("%s: %d frames, want %d", tt.name, len(got), len(tt.want))
			continue
		}
		for i, n := range tt.want {
			// The kernel takes the outer tag off a frame for a packet socket.
			whole := arrived[n]
			if len(answers[n].header) > 14 {
				whole = slices.Concat(answers[n].header[:16], whole[12:])
			}
			if g := got[i]; g.Length != len(whole) || !bytes.Equal(g.Data, whole[:min(tt.cfg.Snap, len(whole))]) || g.Time != 1001 || g.Interface == 0 {
				t.Errorf("%s: %d octets of %d, time %d, interface %d\n%x, want\n%x", tt.name, len(g.Data), g.Length, g.Time, g.Interface, g.Data, whole)
			}
		}
		if c := tap.Counts(); len(c) != 1 || c[0].Passed != uint64(len(tt.want)) || c[0].Lost != 0 {
			t.Errorf("%s: %+v", tt.name, c)
		}
		tap.Close()
	}
	for _, cfg := range []xsk.TapConfig{{Snap: 100}, {Now: func() int64 { return 0 }}} {
		if _, err := w.group.Tap(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}

// A worker does not wait for the reader: frames without room are counted, and nothing else is missing or out of order.
func TestTapIsBounded(t *testing.T) {
	w := newWire(t, netlab.Config{})
	tr := w.open(t, at4, 1, nil)[0]
	_, tx := tr.Slabs(8, 512)
	peer, header := netip.AddrPortFrom(netlab.LoadAddr4, 1000), slices.Concat(netlab.LoadMAC, netlab.ServerMAC, []byte{8, 0})
	sent := uint32(0)
	send := func(n int) {
		for range n {
			answer(&tx[0], peer, header, binary.BigEndian.AppendUint32(nil, sent))
			sent++
			if err := tr.Send(tx[:1]); err != nil {
				t.Error(err)
			}
		}
	}
	number := func(f *xsk.Tapped) uint32 { return binary.BigEndian.Uint32(f.Data[42:]) }
	tap, err := w.group.Tap(xsk.TapConfig{Snap: 60, Frames: 20, Now: func() int64 { return 1 }})
	if err != nil {
		t.Fatal(err)
	}
	send(40)
	got := tapped(tap)
	if c := tap.Counts()[0]; len(got) != 16 || c.Passed != 40 || c.Lost != 24 {
		t.Errorf("%d read, %+v", len(got), c)
	}
	for i := range got {
		if n := number(&got[i]); n != uint32(i) {
			t.Errorf("frame %d is %d", i, n)
		}
	}
	// Both at once.
	var writer sync.WaitGroup
	stop := make(chan struct{})
	writer.Go(func() {
		defer close(stop)
		send(5000)
	})
	next, read := uint32(40), uint64(16)
	look := func() {
		tap.Read(func(f *xsk.Tapped) {
			if n := number(f); n < next {
				t.Errorf("frame %d after %d", n, next-1)
			} else {
				next = n + 1
			}
			read++
		})
	}
	for running := true; running; {
		select {
		case <-stop:
			running = false
		default:
		}
		look()
	}
	writer.Wait()
	look()
	if c := tap.Counts()[0]; c.Passed != 5040 || c.Lost+read != c.Passed {
		t.Errorf("%d read, %+v", read, c)
	}
	tap.Close()
	send(1)
	if c := tap.Counts()[0]; c.Passed != 5040 {
		t.Errorf("after the end: %+v", c)
	}
}

// Sending with a Tap allocates nothing.
func TestTapNoAllocs(t *testing.T) {
	w := newWire(t, netlab.Config{})
	tr := w.open(t, at4, 1, nil)[0]
	_, tx := tr.Slabs(8, 512)
	tap, err := w.group.Tap(xsk.TapConfig{Snap: 60, Frames: 64, Peer: netip.MustParsePrefix("198.19.0.0/16"), Now: func() int64 { return 1 }})
	if err != nil {
		t.Fatal(err)
	}
	defer tap.Close()
	peer, header := netip.AddrPortFrom(netlab.LoadAddr4, 1000), slices.Concat(netlab.LoadMAC, netlab.ServerMAC, []byte{8, 0})
	data := []byte("\x00\x03\x00\x01x")
	if n := testing.AllocsPerRun(200, func() {
		answer(&tx[0], peer, header, data)
		if err := tr.Send(tx[:1]); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if c := tap.Counts()[0]; c.Passed != 201 || c.Lost != 201-64 {
		t.Errorf("%+v", c)
	}
}
