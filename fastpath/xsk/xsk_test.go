package xsk_test

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dcs/bench/netlab"
	"dcs/fastpath/internal/conform"
	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
	"dcs/fastpath/xsk"
)

var (
	server4 = netip.AddrPortFrom(netlab.ServerAddr4, port)
	at4     = []netip.AddrPort{server4}
)

// dial returns a connected socket of the load.
func (w *wire) dial(t *testing.T, to netip.AddrPort) *net.UDPConn {
	t.Helper()
	var c *net.UDPConn
	err := w.Load.Do(func() (err error) {
		c, err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// receive waits for a packet.
func receive(t *testing.T, tr *xsk.Transport, batch []packet.Packet) *packet.Packet {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		n, err := tr.Recv(batch)
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			return &batch[0]
		}
	}
	t.Fatal("no packet")
	return nil
}

// bounce sends a packet to the server, and sends it back from port TID. It reports whether it came back.
func bounce(t *testing.T, tr *xsk.Transport, rx, tx []packet.Packet, c *net.UDPConn, text string) bool {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	var p *packet.Packet
	for end := time.Now().Add(5 * time.Second); p == nil; {
		n, err := tr.Recv(rx)
		if err != nil {
			t.Fatal(err)
		}
		for i := range rx[:n] {
			if string(rx[i].Data) == text {
				p = &rx[i]
			}
		}
		if time.Now().After(end) {
			return false
		}
	}
	q := &tx[0]
	q.Reset()
	q.Peer, q.Local, q.Link = p.Peer, p.Local, p.Link
	q.Data = append(q.Data, text...)
	if err := tr.Send(tx[:1]); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	for {
		n, err := c.Read(buf)
		if err != nil {
			return false
		}
		if string(buf[:n]) == text {
			return true
		}
	}
}

func TestPackets(t *testing.T) {
	w := newWire(t, netlab.Config{})
	tr := w.open(t, at4, 1, nil)[0]
	rx, tx := tr.Slabs(8, 512)
	if want := 2048 - packet.Headroom - 4; tr.MaxBlksize() != want {
		t.Errorf("blksize %d, want %d", tr.MaxBlksize(), want)
	}
	c := w.dial(t, server4)
	if _, err := c.Write([]byte("\x00\x01x")); err != nil {
		t.Fatal(err)
	}
	p := receive(t, tr, rx)
	if string(p.Data) != "\x00\x01x" || p.Peer != c.LocalAddr().(*net.UDPAddr).AddrPort() || p.Local != server4 || p.TID == 0 || p.MaxBlksize != 1468 || p.Flags != 0 || p.Link.Len != 14 {
		t.Errorf("%+v", p)
	}
	// At the port of running transfers.
	tid := netip.AddrPortFrom(server4.Addr(), p.TID)
	d := w.dial(t, tid)
	if _, err := d.Write([]byte("\x00\x04\x00\x01")); err != nil {
		t.Fatal(err)
	}
	if p := receive(t, tr, rx); p.TID != 0 || p.Local != tid || p.Flags&^packet.WrongTID != 0 { // another client, which may have another
		t.Errorf("%+v", p)
	}
	// At a port that is nobody's.
	if _, err := w.dial(t, netip.AddrPortFrom(server4.Addr(), 7)).Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); tr.Stats().Strange == 0; {
		if n, err := tr.Recv(rx); n != 0 || err != nil || time.Now().After(end) {
			t.Fatal(n, err)
		}
	}
	// What does not fit into a frame leaves by the kernel, which fragments it: too long for the interface, outgrown its room.
	big := &tx[0]
	for _, n := range []int{1473, 5000} {
		big.Reset()
		big.Peer, big.Local, big.Link = c.LocalAddr().(*net.UDPAddr).AddrPort(), server4, p.Link
		big.Data = append(big.Data, make([]byte, n)...)
		if err := tr.Send(tx[:1]); err != nil {
			t.Error(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		if got, err := c.Read(make([]byte, 6000)); got != n || err != nil {
			t.Errorf("%d octets: %d, %v", n, got, err)
		}
	}
	if st := tr.Stats(); st.Received != 3 || st.Sent != 0 || tr.SendErrors() != 0 {
		t.Errorf("%+v", st)
	}
}

// With more packets than frames, frames are reused.
func TestFramesComeBack(t *testing.T) {
	w := newWire(t, netlab.Config{})
	tr := w.open(t, at4, 1, func(c *xsk.Config) { c.Frames = 128 })[0]
	rx, tx := tr.Slabs(32, 512)
	c := w.dial(t, server4)
	for i := range 1000 {
		if !bounce(t, tr, rx, tx, c, "packet "+string(rune('0'+i%10))) {
			t.Fatalf("packet %d did not come back: %+v", i, tr.Stats())
		}
	}
	if st := tr.Stats(); st.Sent != 1000 || st.Lost != 0 {
		t.Errorf("%+v", st)
	}
}

// When the program is detached, a transfer continues by the kernel's sockets, also in a VRF.
func TestDetached(t *testing.T) {
	for _, vrf := range []bool{false, true} {
		t.Run(fmt.Sprint("vrf=", vrf), func(t *testing.T) { detached(t, vrf) })
	}
}

func detached(t *testing.T, vrf bool) {
	w := newWire(t, netlab.Config{})
	n := &network{wire: w, server: netlab.ServerAddr4, client: netlab.LoadAddr4, workers: 1}
	body := conform.Pattern(2000)
	at, stats := n.Serve(t, conform.Setup{Renderer: conform.Files{"long": body}})
	if vrf { // the device stands for that of a VRF as well, for who looks at the routes
		index := w.index(t)
		w.group.SetNetworks(index, map[xsk.Tags]xsk.Network{{}: {Zone: uint32(index), VRF: uint32(index)}})
		for _, s := range w.sockets {
			if err := s.SetVRFs(map[uint32]uint32{uint32(index): uint32(index)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	c := n.Client(t)
	from := at
	send := func(b []byte) {
		t.Helper()
		if err := c.Send(from, b); err != nil {
			t.Fatal(err)
		}
	}
	want := func(block uint16) {
		t.Helper()
		b, a := c.Recv(20 * time.Second)
		if string(b) != string(tftp.AppendDATA(nil, block, body[(int(block)-1)*512:min(int(block)*512, len(body))])) {
			t.Fatalf("%.40q from %v, want block %d", b, a, block)
		}
		from = a
	}
	send([]byte("\x00\x01long\x00octet\x00"))
	want(1)
	send(tftp.AppendACK(nil, 1))
	want(2)
	got := n.transports[0].Stats()
	for end := time.Now().Add(20 * time.Second); got.Sent < 2 && time.Now().Before(end); got = n.transports[0].Stats() {
		time.Sleep(time.Millisecond) // counted after it was sent
	}
	if got.Received != 2 || got.Sent != 2 {
		t.Errorf("before: %+v", got)
	}
	if err := w.link.Close(); err != nil {
		t.Fatal(err)
	}
	send(tftp.AppendACK(nil, 2))
	want(3)
	send(tftp.AppendACK(nil, 3))
	want(4)
	if got := n.transports[0].Stats(); got.Received != 2 || got.Sent != 2 {
		t.Errorf("after: %+v", got)
	}
	from = at
	send([]byte("\x00\x01long\x00octet\x00blksize\x00500\x00"))
	if b, _ := c.Recv(20 * time.Second); !strings.HasPrefix(string(b), "\x00\x06blksize\x00500") {
		t.Errorf("%.40q", b)
	}
	if st := stats(); st.SendErrors != 0 {
		t.Errorf("%d send errors", st.SendErrors)
	}
}

func TestNoAllocs(t *testing.T) {
	w := newWire(t, netlab.Config{})
	tr := w.open(t, at4, 1, nil)[0]
	rx, tx := tr.Slabs(8, 512)
	c := w.dial(t, server4)
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var fd int
	if err := raw.Control(func(f uintptr) { fd = int(f) }); err != nil {
		t.Fatal(err)
	}
	rrq := []byte("\x00\x01x\x00octet\x00")
	for _, tt := range []struct {
		name   string
		bypass bool
	}{{"past the kernel", true}, {"by the kernel's sockets", false}} {
		if !tt.bypass {
			if err := w.link.Close(); err != nil {
				t.Fatal(err)
			}
		}
		n := testing.AllocsPerRun(200, func() {
			if _, err := unix.Write(fd, rrq); err != nil {
				t.Fatal(err)
			}
			n := 0
			for tries := 0; n == 0; tries++ {
				var err error
				if n, err = tr.Recv(rx); err != nil || tries > 1000 {
					t.Fatal(n, err)
				}
			}
			if rx[0].Link.Len != 0 != tt.bypass {
				t.Fatal("came by the other path")
			}
			for i := range rx[:n] {
				tx[i].Reset()
				tx[i].Peer, tx[i].Local, tx[i].Link = rx[i].Peer, rx[i].Local, rx[i].Link
				tx[i].Data = append(tx[i].Data, rx[i].Data...)
			}
			if err := tr.Send(tx[:n]); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", tt.name, n)
		}
	}
}
