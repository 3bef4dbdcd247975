package udp

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dcs/bench/netlab"
	"dcs/bench/require"
	"dcs/fastpath/packet"
	"dcs/fastpath/tid"
)

func openOne(t *testing.T, cfg Config) *Transport {
	t.Helper()
	ts, err := Open(cfg, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ts[0].Close() })
	return ts[0]
}

func loopback(t *testing.T, v6 bool) netip.Addr {
	t.Helper()
	if !v6 {
		return netip.MustParseAddr("127.0.0.1")
	}
	a := netip.MustParseAddr("::1")
	s, err := open(netip.AddrPortFrom(a, 0), requests)
	if err != nil {
		t.Skip("no IPv6 loopback:", err)
	}
	s.close()
	return a
}

func dial(t *testing.T, local, remote netip.AddrPort) *net.UDPConn {
	t.Helper()
	var l *net.UDPAddr
	if local.IsValid() {
		l = net.UDPAddrFromAddrPort(local)
	}
	c, err := net.DialUDP("udp", l, net.UDPAddrFromAddrPort(remote))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// recvN receives n packets or fails.
func recvN(t *testing.T, tr *Transport, batch []packet.Packet, n int) []packet.Packet {
	t.Helper()
	got := make([]packet.Packet, 0, n)
	for deadline := time.Now().Add(20 * time.Second); len(got) < n; {
		if time.Now().After(deadline) {
			t.Fatalf("%d packets of %d", len(got), n)
		}
		k, err := tr.Recv(batch)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range batch[:k] {
			p.Data = bytes.Clone(p.Data)
			got = append(got, p)
		}
	}
	return got
}

func TestRoundTrip(t *testing.T) {
	for _, tt := range []struct {
		name       string
		v6, single bool
		wildcard   bool
		raw        bool // where the process may
	}{
		{name: "IPv4"},
		{name: "IPv4, any address", wildcard: true},
		{name: "IPv4, single port", single: true},
		{name: "IPv6", v6: true},
		{name: "IPv6, any address", v6: true, wildcard: true},
		{name: "IPv4, raw", raw: true},
		{name: "IPv4, any address, raw", wildcard: true, raw: true},
		{name: "IPv4, single port, raw", single: true, raw: true},
		{name: "IPv6, raw", v6: true, raw: true},
		{name: "IPv6, any address, raw", v6: true, wildcard: true, raw: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lo := loopback(t, tt.v6)
			at := lo
			if tt.wildcard {
				at = netip.IPv4Unspecified()
				if tt.v6 {
					at = netip.IPv6Unspecified()
				}
			}
			tr := openOne(t, Config{Listen: []netip.AddrPort{netip.AddrPortFrom(at, 0)}, SinglePort: tt.single, Raw: tt.raw})
			port := tr.Addrs()[0].Port()
			c := dial(t, netip.AddrPort{}, netip.AddrPortFrom(lo, port))
			before := time.Now().UnixNano()
			if _, err := c.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			batch := packet.NewSlab(8, 0, 64)
			p := recvN(t, tr, batch, 1)[0]
			client := c.LocalAddr().(*net.UDPAddr).AddrPort()
			if string(p.Data) != "hello" || p.Peer != client || p.Local != netip.AddrPortFrom(lo, port) || p.Flags != 0 || p.Zone != 0 {
				t.Errorf("received %+v", p)
			}
			if after := time.Now().UnixNano(); p.Time < before-int64(time.Second) || p.Time > after {
				t.Errorf("receive time %d, not from %d to %d", p.Time, before, after)
			}
			if (p.TID == port) != tt.single || p.TID == 0 {
				t.Errorf("TID %d, request port %d", p.TID, port)
			}

			// The answer leaves from the TID, and what comes back there is marked so.
			out := packet.NewSlab(1, packet.Headroom, 64)
			out[0].Local = netip.AddrPortFrom(p.Local.Addr(), p.TID)
			out[0].Data = append(out[0].Data, "world"...)
			u, err := net.ListenUDP("udp", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer u.Close()
			out[0].Peer = netip.AddrPortFrom(lo, u.LocalAddr().(*net.UDPAddr).AddrPort().Port())
			if err := tr.Send(out); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 64)
			_ = u.SetReadDeadline(time.Now().Add(20 * time.Second))
			n, from, err := u.ReadFromUDPAddrPort(buf)
			if err != nil {
				t.Fatal(err)
			}
			from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
			if string(buf[:n]) != "world" || from != out[0].Local {
				t.Errorf("%q from %v, want world from %v", buf[:n], from, out[0].Local)
			}
			if _, err := u.WriteToUDPAddrPort([]byte("ack"), from); err != nil {
				t.Fatal(err)
			}
			p = recvN(t, tr, batch, 1)[0]
			// It is another client, which has that port or another.
			wrong := !tt.single && tid.Pick(tr.Ports(tt.v6), tr.key.Hash(p.Peer)) != from.Port()
			if want := map[bool]uint16{true: port}[tt.single]; p.TID != want || p.Local != from || string(p.Data) != "ack" || (p.Flags == packet.WrongTID) != wrong {
				t.Errorf("received at the TID: %+v", p)
			}
		})
	}
}

func TestBothFamilies(t *testing.T) {
	lo6 := loopback(t, true)
	tr := openOne(t, Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0"), netip.AddrPortFrom(lo6, 0)}})
	out := packet.NewSlab(64, 0, 64)
	batch := packet.NewSlab(64, 0, 64)
	var conns []*net.UDPConn
	for _, a := range tr.Addrs() {
		c := dial(t, netip.AddrPort{}, a)
		conns = append(conns, c)
		for range 32 {
			if _, err := c.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := recvN(t, tr, batch, 64)
	for i, p := range got {
		// One batch with both families in turn.
		q := &out[(i%32)*2+i/32]
		q.Peer, q.Local = p.Peer, p.Local
		q.Data = append(q.Data, byte(i))
	}
	if err := tr.Send(out); err != nil {
		t.Fatal(err)
	}
	for _, c := range conns {
		for range 32 {
			_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
			if _, err := c.Read(make([]byte, 8)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := tr.SendErrors(); n != 0 {
		t.Errorf("%d send errors", n)
	}
}

func TestTruncated(t *testing.T) {
	tr := openOne(t, Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}})
	c := dial(t, netip.AddrPort{}, tr.Addrs()[0])
	for _, n := range []int{64, 65, 65507, 0} {
		if _, err := c.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
	}
	got := recvN(t, tr, packet.NewSlab(4, 0, 64), 4)
	for i, want := range []struct {
		n     int
		flags packet.Flags
	}{{64, 0}, {64, packet.Truncated}, {64, packet.Truncated}, {0, 0}} {
		if len(got[i].Data) != want.n || got[i].Flags != want.flags {
			t.Errorf("packet %d: %d octets, flags %d", i, len(got[i].Data), got[i].Flags)
		}
	}
}

func TestBroadcastIsMarked(t *testing.T) {
	tr := openOne(t, Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:0")}})
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1) }); err != nil {
		t.Fatal(err)
	}
	to := netip.AddrPortFrom(netip.MustParseAddr("127.255.255.255"), tr.Addrs()[0].Port())
	if _, err := c.WriteToUDPAddrPort([]byte("x"), to); err != nil {
		t.Skip("no broadcast on the loopback:", err)
	}
	p := recvN(t, tr, packet.NewSlab(4, 0, 64), 1)[0]
	if p.Flags != packet.Multicast || p.Local.Addr() != to.Addr() {
		t.Errorf("%+v", p)
	}
}

func TestCloseUnblocks(t *testing.T) {
	tr := openOne(t, Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, Tick: time.Minute})
	done, thread := make(chan error, 1), make(chan int, 1)
	go func() {
		runtime.LockOSThread()
		thread <- unix.Gettid()
		_, err := tr.Recv(packet.NewSlab(4, 0, 64))
		done <- err
	}()
	netlab.AwaitPoll(t, <-thread)
	if err := tr.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("Recv still waits")
	}
	if err := tr.Close(); err != nil {
		t.Error("second Close:", err)
	}
	if err := tr.Send(packet.NewSlab(1, 0, 64)); !errors.Is(err, net.ErrClosed) {
		t.Error("Send after Close:", err)
	}
}

func TestRecvWaitsATick(t *testing.T) {
	tr := openOne(t, Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, Tick: 30 * time.Millisecond})
	begin := time.Now()
	n, err := tr.Recv(packet.NewSlab(4, 0, 64))
	if d := time.Since(begin); n != 0 || err != nil || d < 25*time.Millisecond || d > 3*time.Second {
		t.Errorf("%d %v after %v", n, err, d)
	}
}

// Drops by the kernel are reported with the next packet.
func TestDrops(t *testing.T) {
	tr := openOne(t, Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}})
	s := tr.listeners[0]
	if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4096); err != nil {
		t.Fatal(err)
	}
	c := dial(t, netip.AddrPort{}, tr.Addrs()[0])
	const sent = 200
	for range sent {
		if _, err := c.Write(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
	}
	batch := packet.NewSlab(64, 0, 256)
	got := 0
	for {
		n, err := tr.Recv(batch)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		got += n
	}
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	recvN(t, tr, batch, 1)
	if d := tr.Drops(); got == sent || d != uint64(sent-got) {
		t.Errorf("%d of %d received, %d drops", got, sent, d)
	}
}

func TestNoAllocs(t *testing.T) {
	for _, raw := range [...]bool{false, true} {
		t.Run(fmt.Sprintf("raw=%v", raw), func(t *testing.T) {
			tr := openOne(t, Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, Tick: time.Millisecond, Raw: raw})
			if raw && tr.families[0].raw == nil {
				require.Missing(t, "ROOT", "%v", tr.Warnings())
			}
			batch, out := packet.NewSlab(8, 0, 64), packet.NewSlab(8, packet.Headroom, 64)
			local := netip.AddrPortFrom(tr.Addrs()[0].Addr(), tr.Ports(false)[0])
			for i := range out {
				out[i].Peer, out[i].Local = tr.Addrs()[0], local
				out[i].Data = append(out[i].Data, "x"...)
			}
			round := func() {
				if err := tr.Send(out); err != nil {
					t.Fatal(err)
				}
				for n := 0; n < len(out); {
					k, err := tr.Recv(batch)
					if err != nil {
						t.Fatal(err)
					}
					n += k
				}
			}
			round()
			if n := testing.AllocsPerRun(100, round); n != 0 {
				t.Errorf("%v allocations", n)
			}
			if n := testing.AllocsPerRun(5, func() { _, _ = tr.Recv(batch) }); n != 0 {
				t.Errorf("idle: %v allocations", n)
			}
		})
	}
}
