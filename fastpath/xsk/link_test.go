package xsk_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"dcs/bench/netlab"
	"dcs/fastpath/xsk"
)

// The MTU of an interface is followed, in the blocks that are granted, and for blocks that were granted before and are
// too long now: these are sent by the kernel, in fragments.
func TestFollowsMTU(t *testing.T) {
	w := newWire(t, netlab.Config{})
	tr := w.open(t, at4, 1, nil)[0]
	rx, tx := tr.Slabs(8, 1468)
	c := w.dial(t, server4)
	var index int
	err := w.Server.Do(func() error {
		l, err := netlink.LinkByName(netlab.Device)
		if err != nil {
			return err
		}
		index = l.Attrs().Index
		return netlink.LinkSetMTU(l, 1400)
	})
	if err != nil {
		t.Fatal(err)
	}
	w.group.Follow(index, 1400, false)
	if _, err := c.Write([]byte("\x00\x01x")); err != nil {
		t.Fatal(err)
	}
	p := receive(t, tr, rx)
	if p.MaxBlksize != 1368 {
		t.Errorf("largest block %d, want 1368", p.MaxBlksize)
	}
	link, sent := p.Link, uint64(0)
	for _, tt := range []struct {
		octets int // of payload
		past   bool
	}{{1372, true}, {1373, false}, {1472, false}} {
		q := &tx[0]
		q.Reset()
		q.Peer, q.Local, q.Link = c.LocalAddr().(*net.UDPAddr).AddrPort(), server4, link
		q.Data = append(q.Data, make([]byte, tt.octets)...)
		if err := tr.Send(tx[:1]); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		if n, err := c.Read(make([]byte, 2000)); err != nil || n != tt.octets {
			t.Errorf("%d octets: %d, %v", tt.octets, n, err)
		}
		if tt.past {
			sent++
		}
		if st := tr.Stats(); st.Sent != sent || tr.SendErrors() != 0 {
			t.Errorf("%d octets: %+v", tt.octets, st)
		}
	}
}

func setLink(t *testing.T, h *netlab.Host, up bool) {
	t.Helper()
	err := h.Do(func() error {
		l, err := netlink.LinkByName(netlab.Device)
		if err != nil {
			return err
		}
		if up {
			return netlink.LinkSetUp(l)
		}
		return netlink.LinkSetDown(l)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDownAndUp(t *testing.T) {
	w := newWire(t, netlab.Config{})
	tr := w.open(t, at4, 1, nil)[0]
	rx, tx := tr.Slabs(8, 512)
	c := w.dial(t, server4)
	if !bounce(t, tr, rx, tx, c, "before") {
		t.Fatal("no path before")
	}
	link := rx[0].Link
	setLink(t, w.Server, false)
	for range 3000 {
		for i := range tx {
			tx[i].Reset()
			tx[i].Peer, tx[i].Local, tx[i].Link = netip.AddrPortFrom(netlab.LoadAddr4, 9), server4, link
		}
		if err := tr.Send(tx); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := tr.Recv(rx); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	setLink(t, w.Server, true)
	for end := time.Now().Add(30 * time.Second); !bounce(t, tr, rx, tx, c, "after"); {
		if time.Now().After(end) {
			t.Fatalf("no path after: %+v", tr.Stats())
		}
	}
}

// One of two interfaces goes down and up while the worker never waits for packets: sending by it resumes.
func TestDownAndUpBesideAnother(t *testing.T) {
	w := newWire(t, netlab.Config{})
	if err := w.Wire("lab1", 1, []netip.Addr{netip.MustParseAddr("198.19.1.1")}, nil); err != nil {
		t.Fatal(err)
	}
	tr := w.open(t, at4, 1, func(c *xsk.Config) {
		c.Interfaces = append(c.Interfaces, xsk.Interface{Name: "lab1", Attach: func(int, int) error { return nil }})
	})[0]
	rx, tx := tr.Slabs(8, 512)
	if !bounce(t, tr, rx, tx, w.dial(t, server4), "before") {
		t.Fatal("no path before")
	}
	link := rx[0].Link
	send := func() uint64 {
		for i := range tx {
			tx[i].Reset()
			tx[i].Peer, tx[i].Local, tx[i].Link = netip.AddrPortFrom(netlab.LoadAddr4, 9), server4, link
		}
		if err := tr.Send(tx); err != nil {
			t.Fatal(err)
		}
		return tr.Stats().Sent
	}
	setLink(t, w.Server, false)
	full := send()
	for now := send(); now != full; now = send() {
		full = now
	}
	setLink(t, w.Server, true)
	for end := time.Now().Add(20 * time.Second); send() == full; {
		if time.Now().After(end) {
			t.Fatalf("nothing is sent past the kernel after: %+v", tr.Stats())
		}
	}
}
