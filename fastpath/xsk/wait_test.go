package xsk_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"dcs/bench/netlab"
	"dcs/fastpath"
	"dcs/fastpath/xsk"
)

// late is how long a packet may take on a busy machine; the tick is far longer.
const late = 20 * time.Second

// packets is how many a test sends, each after the answer to the one before.
const packets = 2000

func withoutTick(c *xsk.Config) { c.Tick = time.Hour }

// echo makes a transport answer packets with the port that their transfer would have, until the test ends.
func echo(t *testing.T, tr *xsk.Transport) {
	rx, tx := tr.Slabs(8, 512)
	done := make(chan error, 1)
	go func() {
		for {
			n, err := tr.Recv(rx)
			for i := range rx[:n] {
				q := &tx[i]
				q.Reset()
				q.Peer, q.Local, q.Link = rx[i].Peer, rx[i].Local, rx[i].Link
				q.Data = binary.BigEndian.AppendUint16(q.Data, rx[i].TID)
			}
			if err == nil {
				err = tr.Send(tx[:n])
			}
			if err != nil {
				done <- err
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = tr.Close()
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

// idle returns pauses between packets that find a worker in every state: looking, falling asleep, sleeping.
func idle(i int) time.Duration { return time.Duration(i%40) * 5 * time.Microsecond }

// A packet wakes a worker, whatever it is doing: without a tick, one that is overlooked once is never answered.
func TestWakes(t *testing.T) {
	for _, busy := range []bool{false, true} {
		t.Run(fmt.Sprint("busy polling ", busy), func(t *testing.T) {
			t.Parallel()
			w := newWire(t, netlab.Config{})
			tr := w.open(t, at4, 1, func(c *xsk.Config) { c.Tick, c.BusyPoll = time.Hour, busy })[0]
			echo(t, tr)
			c, in := w.dial(t, server4), make([]byte, 100)
			for i := range packets {
				time.Sleep(idle(i))
				_ = c.SetDeadline(time.Now().Add(late))
				if _, err := c.Write([]byte("\x00\x01x")); err != nil {
					t.Fatal(err)
				}
				if _, err := c.Read(in); err != nil {
					t.Fatalf("packet %d: %v", i, err)
				}
			}
		})
	}
}

// So does a packet that another worker hands over.
func TestHandOverWakes(t *testing.T) {
	t.Parallel()
	w := newWire(t, netlab.Config{Queues: 2})
	ts := w.open(t, at4, 2, withoutTick)
	for _, tr := range ts {
		echo(t, tr)
	}
	s := newStation(t, w, netlab.LoadAddr4, nil, 2)
	s.restart(func() fastpath.Stats {
		var all fastpath.Stats
		all.Events[fastpath.Received] = 1 << 62 // Send need not wait for the server
		return all
	})
	c := s.client()
	if err := c.Send(server4, []byte("\x00\x01x")); err != nil {
		t.Fatal(err)
	}
	tid, _ := c.Recv(late)
	if tid == nil {
		t.Fatal("no answer")
	}
	// The station sends to the second queue what is not for the request port.
	to := netip.AddrPortFrom(server4.Addr(), binary.BigEndian.Uint16(tid))
	for i := range packets {
		time.Sleep(idle(i))
		if err := c.Send(to, []byte("\x00\x04\x00\x01")); err != nil {
			t.Fatal(err)
		}
		if b, _ := c.Recv(late); b == nil {
			t.Fatalf("packet %d is not answered: %+v", i, ts[1].Stats())
		}
	}
	if n := ts[1].Stats().HandedOver; n < packets {
		t.Errorf("%d packets were handed over", n)
	}
}

// A frame that the interface drops, here one that is longer than the other end takes, does not keep those behind it in
// the ring until something else happens.
func TestDroppedFrames(t *testing.T) {
	w := newWire(t, netlab.Config{})
	tr := w.open(t, at4, 1, withoutTick)[0]
	rx, tx := tr.Slabs(8, 1400)
	c := w.dial(t, server4)
	if !bounce(t, tr, rx, tx, c, "before") {
		t.Fatal("no path")
	}
	err := w.Load.Do(func() error {
		l, err := netlink.LinkByName(netlab.Device)
		if err != nil {
			return err
		}
		return netlink.LinkSetMTU(l, 1000)
	})
	if err != nil {
		t.Fatal(err)
	}
	octets := func(i int) int { return 1200 - 1100*(i%2) }
	for i := range tx {
		q := &tx[i]
		q.Reset()
		q.Peer, q.Local, q.Link = c.LocalAddr().(*net.UDPAddr).AddrPort(), server4, rx[0].Link
		q.Data = append(q.Data, make([]byte, octets(i))...)
	}
	sent := len(tx)
	if err := tr.Send(tx); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(late))
	for i := 1; i < sent; i += 2 {
		if n, err := c.Read(make([]byte, 2000)); err != nil || n != octets(1) {
			t.Fatalf("frame %d: %d octets, %v", i, n, err)
		}
	}
}
