package udp

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dcs/bench/netlab"
	"dcs/bench/require"
	"dcs/fastpath/packet"
)

func TestSegments(t *testing.T) {
	many := make([]int, 100)
	long := make([]int, 64)
	for i := range many {
		many[i] = 516
	}
	for i := range long {
		long[i] = 1452
	}
	for _, tt := range []struct {
		name  string
		sizes []int
		want  int
	}{
		{"one", []int{516}, 1},
		{"equal", []int{516, 516, 516}, 3},
		{"the last is shorter", []int{516, 516, 4}, 3},
		{"a shorter one ends the message", []int{516, 100, 100}, 2},
		{"a longer one begins another", []int{516, 516, 600}, 2},
		{"nothing cannot be a segment", []int{516, 0}, 1},
		{"the kernel's limit of segments", many, 64},
		{"the limit of a datagram", long, 44},
		{"longer than half of it", []int{40000, 40000}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			batch := make([]packet.Packet, len(tt.sizes))
			for i, n := range tt.sizes {
				batch[i].Data = make([]byte, n)
			}
			if got := segments(batch); got != tt.want {
				t.Errorf("%d, want %d", got, tt.want)
			}
		})
	}
}

func TestWindowIsOfOneClient(t *testing.T) {
	for name, change := range map[string]func(*packet.Packet){
		"client": func(p *packet.Packet) { p.Peer = netip.MustParseAddrPort("198.18.0.2:2000") },
		"port":   func(p *packet.Packet) { p.Local = netip.MustParseAddrPort("198.19.0.1:5001") },
		"zone":   func(p *packet.Packet) { p.Zone = 7 },
		"TOS":    func(p *packet.Packet) { p.TOS = 184 },
	} {
		t.Run(name, func(t *testing.T) {
			batch := make([]packet.Packet, 5)
			for i := range batch {
				batch[i].Peer, batch[i].Local = netip.MustParseAddrPort("198.18.0.1:2000"), netip.MustParseAddrPort("198.19.0.1:5000")
			}
			if n := window(batch); n != 5 {
				t.Errorf("%d of 5", n)
			}
			change(&batch[3])
			if n := window(batch); n != 3 {
				t.Errorf("%d, want 3", n)
			}
		})
	}
}

// tos is the TOS of the blocks, which is not the sockets' default.
const tos = 184

// listen opens a client that receives the TOS of packets.
func listen(addr netip.Addr) (*net.UDPConn, error) {
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 0)))
	if err != nil {
		return nil, err
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var set error
	err = raw.Control(func(fd uintptr) {
		if addr.Is6() {
			set = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVTCLASS, 1)
		} else {
			set = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_RECVTOS, 1)
		}
	})
	return c, errors.Join(err, set)
}

// blocks fills out with a window for a client, the last block shorter.
func blocks(out []packet.Packet, from, to netip.AddrPort, size int) {
	for i := range out {
		out[i].Reset()
		out[i].Peer, out[i].Local, out[i].TOS = to, from, tos
		out[i].Data = append(out[i].Data, bytes.Repeat([]byte{byte(i)}, size)...)
	}
	last := &out[len(out)-1]
	last.Data = last.Data[:7]
}

// expect receives a window of blocks, in order.
func expect(t *testing.T, c *net.UDPConn, n, size int, from netip.AddrPort) {
	t.Helper()
	buf, control := make([]byte, 1<<16), make([]byte, 64)
	for i := range n {
		want := size
		if i == n-1 {
			want = 7
		}
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		got, more, _, peer, err := c.ReadMsgUDPAddrPort(buf, control)
		if err != nil {
			t.Fatalf("block %d: %v", i, err)
		}
		if msgs, err := unix.ParseSocketControlMessage(control[:more]); err != nil || len(msgs) != 1 || msgs[0].Data[0] != tos {
			t.Fatalf("block %d: control messages %v, %v; want TOS %d", i, msgs, err, tos)
		}
		if got != want || buf[0] != byte(i) || buf[got-1] != byte(i) || peer.Port() != from.Port() || peer.Addr().Unmap() != from.Addr() {
			t.Fatalf("block %d: %d octets of block %d from %v; want %d from %v", i, got, buf[0], peer, want, from)
		}
	}
}

// The same datagrams arrive, in the same order and from the same address, whether or not the kernel cuts them.
func TestWindowsArrive(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		for _, how := range []string{"", "raw", "single port", "any address", "any address, raw"} {
			for _, whole := range []bool{false, true} {
				t.Run(fmt.Sprintf("IPv6 %v, %s, segments %v", v6, how, whole), func(t *testing.T) {
					lo := loopback(t, v6)
					cfg := Config{
						NoSegments: !whole, SinglePort: how == "single port", Raw: how == "raw" || how == "any address, raw",
						Listen: []netip.AddrPort{netip.AddrPortFrom(lo, 0)},
					}
					if how == "any address" || how == "any address, raw" {
						cfg.Listen[0] = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
						if v6 {
							cfg.Listen[0] = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
						}
					}
					tr := openOne(t, cfg)
					from := netip.AddrPortFrom(lo, tr.Addrs()[0].Port())
					if !cfg.SinglePort {
						from = netip.AddrPortFrom(lo, tr.Ports(v6)[0])
					}
					var clients []*net.UDPConn
					out := packet.NewSlab(64, packet.Headroom, 2048)
					at := 0
					for _, n := range []int{16, 1, 20, 2, 25} { // windows of several clients in one batch
						c, err := listen(lo)
						if err != nil {
							t.Fatal(err)
						}
						defer c.Close()
						clients = append(clients, c)
						blocks(out[at:at+n], from, c.LocalAddr().(*net.UDPAddr).AddrPort(), 516)
						at += n
					}
					if err := tr.Send(out[:at]); err != nil {
						t.Fatal(err)
					}
					for i, n := range []int{16, 1, 20, 2, 25} {
						expect(t, clients[i], n, 516, from)
					}
					if n := tr.SendErrors(); n != 0 {
						t.Errorf("%d send errors", n)
					}
				})
			}
		}
	}
}

// A window whose blocks are longer than the path admits is sent block by block, in fragments.
func TestWindowsThatAreTooLong(t *testing.T) {
	require.Root(t)
	lab, err := netlab.New(netlab.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer lab.Close()
	for _, a := range [][2]netip.Addr{{netlab.ServerAddr4, netlab.LoadAddr4}, {netlab.ServerAddr6, netlab.LoadAddr6}} {
		var tr *Transport
		var c *net.UDPConn
		if err := lab.Server.Do(func() error {
			ts, err := Open(Config{Listen: []netip.AddrPort{netip.AddrPortFrom(a[0], 0)}, Raw: true}, 1)
			if err == nil {
				tr = ts[0]
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		if err := lab.Load.Do(func() (err error) {
			c, err = listen(a[1])
			return err
		}); err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		from := netip.AddrPortFrom(a[0], tr.Ports(a[0].Is6())[0])
		out := packet.NewSlab(10, packet.Headroom, 4096)
		blocks(out, from, c.LocalAddr().(*net.UDPAddr).AddrPort(), 2000)
		if err := tr.Send(out); err != nil {
			t.Fatal(err)
		}
		expect(t, c, len(out), 2000, from)
		if n := tr.SendErrors(); n != 0 || !tr.whole(&out[0]) {
			t.Errorf("%d send errors, windows whole %v", n, tr.whole(&out[0]))
		}
	}
}

// Where the kernel refuses, as it does for IPsec, a client's windows are sent block by block for a while, and no other's.
func TestRefusedWindows(t *testing.T) {
	tr := openOne(t, Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}})
	from := netip.AddrPortFrom(tr.Addrs()[0].Addr(), tr.Ports(false)[0])
	fd := tr.family(false).at[from.Port()].fd
	var clients [2]*net.UDPConn
	out := packet.NewSlab(16, packet.Headroom, 600)
	for i, addr := range []string{"127.0.0.1", "127.0.0.2"} {
		c, err := listen(netip.MustParseAddr(addr))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		clients[i] = c
	}
	send := func(c *net.UDPConn) {
		t.Helper()
		blocks(out, from, c.LocalAddr().(*net.UDPAddr).AddrPort(), 516)
		if !tr.segments {
			t.Fatal("no UDP_SEGMENT in this kernel; Linux has it since 4.18")
		}
		if err := tr.Send(out); err != nil {
			t.Fatal(err)
		}
		expect(t, c, len(out), 516, from)
	}
	// A socket that sends no checksums cannot have its messages cut: EINVAL.
	for _, refuses := range []int{1, 0} {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_NO_CHECK, refuses); err != nil {
			t.Fatal(err)
		}
		send(clients[0])
		if tr.whole(&out[0]) {
			t.Error("the window after a refused one is whole")
		}
	}
	send(clients[1])
	if !tr.whole(&out[0]) {
		t.Error("another client's windows are not whole")
	}
	if n := tr.SendErrors(); n != 0 {
		t.Errorf("%d send errors", n)
	}
	for range refusals {
		if err := tr.Send(nil); err != nil {
			t.Fatal(err)
		}
	}
	blocks(out, from, clients[0].LocalAddr().(*net.UDPAddr).AddrPort(), 516)
	if !tr.whole(&out[0]) {
		t.Error("windows are not tried again")
	}
}

// Where the kernel refuses the windows of all clients, none is tried for a while.
func TestRefusesAll(t *testing.T) {
	tr := openOne(t, Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}})
	from := netip.AddrPortFrom(tr.Addrs()[0].Addr(), tr.Ports(false)[0])
	out := packet.NewSlab(16, packet.Headroom, 600)
	last := byte(0) // of the address of a client; each sends one window
	whole := func() bool {
		blocks(out, from, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, last + 1}), 9), 516)
		return tr.whole(&out[0])
	}
	send := func(refuse, windows int) {
		t.Helper()
		// A socket that sends no checksums cannot have its messages cut: EINVAL.
		if err := unix.SetsockoptInt(tr.family(false).at[from.Port()].fd, unix.SOL_SOCKET, unix.SO_NO_CHECK, refuse); err != nil {
			t.Fatal(err)
		}
		for range windows {
			last++
			c, err := listen(netip.AddrFrom4([4]byte{127, 0, 0, last}))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			blocks(out, from, c.LocalAddr().(*net.UDPAddr).AddrPort(), 516)
			if !tr.whole(&out[0]) {
				t.Fatalf("client %d: windows are not tried", last)
			}
			if err := tr.Send(out); err != nil {
				t.Fatal(err)
			}
			expect(t, c, len(out), 516, from)
		}
	}
	send(1, inARow-1)
	send(0, 1) // sent whole, which ends the row
	send(1, inARow-1)
	if !whole() {
		t.Error("no window is tried though one was sent whole")
	}
	send(1, 1)
	for n := range refusals {
		if whole() {
			t.Fatalf("a window is tried after %d calls", n)
		}
		if err := tr.Send(nil); err != nil {
			t.Fatal(err)
		}
	}
	if !whole() {
		t.Error("windows are not tried again")
	}
}
