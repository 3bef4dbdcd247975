package udp

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dcs/fastpath/packet"
)

// ICMP errors are reported as marks, one for each, and no packet is dropped for them, sent or received.
func TestErrorsTakeNoPacket(t *testing.T) {
	for _, tt := range []struct {
		name           string
		v6, single, on bool // on: at an address, not at the wildcard
	}{
		{name: "IPv4", on: true},
		{name: "IPv4, wildcard"},
		{name: "IPv4, single port", on: true, single: true},
		{name: "IPv4, wildcard, single port", single: true},
		{name: "IPv6", v6: true, on: true},
		{name: "IPv6, wildcard", v6: true},
		{name: "IPv6, wildcard, single port", v6: true, single: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			host := netip.MustParseAddr("127.0.0.1")
			if tt.v6 {
				host = loopback(t, true)
			}
			at := netip.IPv4Unspecified()
			if tt.v6 {
				at = netip.IPv6Unspecified()
			}
			if tt.on {
				at = host
			}
			tr := openOne(t, Config{Listen: []netip.AddrPort{netip.AddrPortFrom(at, 0)}, SinglePort: tt.single, TIDs: 1, RcvBuf: 1 << 20})
			from := netip.AddrPortFrom(host, tr.Addrs()[0].Port())
			if !tt.single {
				from = netip.AddrPortFrom(host, tr.Ports(tt.v6)[0])
			}
			alive := dial(t, netip.AddrPort{}, from)
			peer := alive.LocalAddr().(*net.UDPAddr).AddrPort()
			peer = netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())
			// Ports that are connected to somebody else: unreachable for us, and for the time of the test nobody else's.
			const want = 40 // more than a portion
			gone := map[netip.AddrPort]bool{}
			var to []netip.AddrPort
			for range want {
				a := dial(t, netip.AddrPort{}, netip.AddrPortFrom(host, 9)).LocalAddr().(*net.UDPAddr).AddrPort()
				a = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
				gone[a] = true
				to = append(to, a, peer)
			}
			out := packet.NewSlab(len(to), packet.Headroom, 64)
			for i := range out {
				out[i].Peer, out[i].Local = to[i], from
				out[i].Data = fmt.Appendf(out[i].Data, "%d", i)
			}
			// Of every other packet the kernel says on loopback, before the next is sent, that nobody is there.
			for i := range out {
				if err := tr.Send(out[i : i+1]); err != nil {
					t.Fatal(err)
				}
			}
			if n := tr.SendErrors(); n != 0 {
				t.Errorf("%d send errors", n)
			}
			buf := make([]byte, 64)
			for i := 1; i < len(out); i += 2 {
				_ = alive.SetReadDeadline(time.Now().Add(20 * time.Second))
				n, err := alive.Read(buf)
				if err != nil || string(buf[:n]) != fmt.Sprint(i) {
					t.Fatalf("packet %d: %q, %v", i, buf[:n], err)
				}
			}
			const packets = 8
			for range packets {
				if _, err := alive.Write([]byte("data")); err != nil {
					t.Fatal(err)
				}
			}
			batch := packet.NewSlab(16, 0, 64)
			data := 0
			for end := time.Now().Add(20 * time.Second); (len(gone) > 0 || data < packets) && time.Now().Before(end); {
				n, err := tr.Recv(batch)
				if err != nil {
					t.Fatal(err)
				}
				for i := range batch[:n] {
					p := &batch[i]
					switch {
					case p.Flags == packet.Unreachable:
						if !gone[p.Peer] || p.Local != from || p.Hash != tr.key.Hash(p.Peer) || p.TID != 0 {
							t.Errorf("%+v", p)
						}
						delete(gone, p.Peer)
					case string(p.Data) == "data" && p.Peer == peer:
						data++
					default:
						t.Errorf("%+v", p)
					}
				}
			}
			// The socket's buffer bounds what is queued.
			if len(gone) > 0 || data != packets {
				t.Errorf("%d of %d were not said to be gone; %d of %d packets", len(gone), want, data, packets)
			}
			// Nothing is left that would have poll return at once.
			if _, err := tr.Recv(batch); err != nil {
				t.Error(err)
			}
			n, err := unix.Poll(tr.polls, 0)
			for err == unix.EINTR { // by a signal of Go's scheduler
				n, err = unix.Poll(tr.polls, 0)
			}
			if n != 0 || err != nil {
				t.Errorf("%d sockets are ready for nothing, %v", n, err)
			}
			if n := testing.AllocsPerRun(20, func() {
				_ = tr.Send(out)
				for n := 1; n > 0; {
					n, _ = tr.Recv(batch)
				}
			}); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

func TestMeaning(t *testing.T) {
	for _, tt := range []struct {
		origin, kind, code byte
		want               packet.Flags
	}{
		{unix.SO_EE_ORIGIN_ICMP, 3, 3, packet.Unreachable},
		{unix.SO_EE_ORIGIN_ICMP, 3, 4, 0},
		{unix.SO_EE_ORIGIN_ICMP, 3, 1, 0},  // host unreachable
		{unix.SO_EE_ORIGIN_ICMP, 3, 13, 0}, // administratively prohibited
		{unix.SO_EE_ORIGIN_ICMP, 11, 0, 0}, // time exceeded
		{unix.SO_EE_ORIGIN_ICMP6, 1, 4, packet.Unreachable},
		{unix.SO_EE_ORIGIN_ICMP6, 2, 0, packet.TooBig},
		{unix.SO_EE_ORIGIN_ICMP6, 1, 3, 0}, // address unreachable
		{unix.SO_EE_ORIGIN_ICMP6, 3, 3, 0}, // time exceeded
		{unix.SO_EE_ORIGIN_LOCAL, 3, 3, 0},
	} {
		if got := meaning(tt.origin, tt.kind, tt.code); got != tt.want {
			t.Errorf("origin %d, type %d, code %d: %d, want %d", tt.origin, tt.kind, tt.code, got, tt.want)
		}
	}
}
