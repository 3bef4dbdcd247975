package udp

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dcs/fastpath/packet"
)

// A host with several addresses answers from the requested one.
func TestAnswersFromAddressAsked(t *testing.T) {
	for _, raw := range [...]bool{false, true} {
		t.Run(fmt.Sprintf("raw=%v", raw), func(t *testing.T) { answersFromAddressAsked(t, raw) })
	}
}

func answersFromAddressAsked(t *testing.T, raw bool) {
	tr := openOne(t, Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:0")}, Raw: raw})
	batch, out := packet.NewSlab(8, 0, 64), packet.NewSlab(1, packet.Headroom, 64)
	for _, addr := range []string{"127.0.0.1", "127.0.0.2", "127.44.55.66"} {
		asked := netip.AddrPortFrom(netip.MustParseAddr(addr), tr.Addrs()[0].Port())
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 9)})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.WriteToUDPAddrPort([]byte("x"), asked); err != nil {
			t.Fatal(err)
		}
		p := recvN(t, tr, batch, 1)[0]
		if p.Local != asked {
			t.Fatalf("asked %v, received at %v", asked, p.Local)
		}
		out[0].Peer, out[0].Local = p.Peer, netip.AddrPortFrom(p.Local.Addr(), p.TID)
		out[0].Reset()
		out[0].Data = append(out[0].Data, 'y')
		if err := tr.Send(out); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		_, from, err := c.ReadFromUDPAddrPort(make([]byte, 8))
		if err != nil || from.Addr().Unmap() != asked.Addr() {
			t.Errorf("asked %v, answered from %v (%v)", asked, from, err)
		}
	}
	if n := tr.SendErrors(); n != 0 {
		t.Errorf("%d send errors", n)
	}
}

func TestSendErrors(t *testing.T) {
	tr := openOne(t, Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}})
	out := packet.NewSlab(3, 0, 1<<17)
	to := tr.Addrs()[0]
	local := netip.AddrPortFrom(to.Addr(), tr.Ports(false)[0])
	for i := range out {
		out[i].Peer, out[i].Local = to, local
	}
	out[0].Local = netip.AddrPortFrom(to.Addr(), 1)          // not ours
	out[1].Data = out[1].Room()[:1<<17]                      // more than a datagram holds
	out[2].Data = append(out[2].Data, "the others go on"...) // nothing wrong with this
	if err := tr.Send(out); err != nil {
		t.Fatal(err)
	}
	if n := tr.SendErrors(); n != 2 {
		t.Errorf("%d send errors, want 2", n)
	}
	p := recvN(t, tr, packet.NewSlab(4, 0, 64), 1)[0]
	if p.Peer != local {
		t.Errorf("%+v", p)
	}
}

// isolated runs f in a network namespace of its own, with a loopback of that MTU.
func isolated(t *testing.T, mtu uint32, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with the namespace
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			if os.Getenv("DCS_REQUIRE_ROOT") != "" {
				t.Error("network namespace:", err)
			} else {
				t.Log("left out: a network namespace needs root:", err)
			}
			return
		}
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer unix.Close(fd)
		ifr, err := unix.NewIfreq("lo")
		if err != nil {
			t.Error(err)
			return
		}
		ifr.SetUint32(mtu)
		if err := unix.IoctlIfreq(fd, unix.SIOCSIFMTU, ifr); err != nil {
			t.Error(err)
		}
		ifr.SetUint16(unix.IFF_UP)
		if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr); err != nil {
			t.Error(err)
		}
		f()
	}()
	<-done
}

// Large blocks are fragmented where necessary, also where a raw socket cannot; small ones are sent with DF, and no more
// slowly.
func TestFragmentation(t *testing.T) {
	for _, raw := range []bool{false, true} {
		for _, mtu := range []uint32{1500, 1000} {
			isolated(t, mtu, func() {
				ts, err := Open(Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, Raw: raw}, 1)
				if err != nil {
					t.Error(err)
					return
				}
				defer ts[0].Close()
				if w := ts[0].Warnings(); len(w) > 0 {
					t.Error(w)
				}
				c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				out := packet.NewSlab(3, packet.Headroom, 9000)
				for i, n := range []int{516, 1432, 9000} {
					out[i].Peer = c.LocalAddr().(*net.UDPAddr).AddrPort()
					out[i].Peer = netip.AddrPortFrom(out[i].Peer.Addr().Unmap(), out[i].Peer.Port())
					out[i].Local = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), ts[0].Ports(false)[i])
					out[i].Data = out[i].Room()[:n]
				}
				if err := ts[0].Send(out); err != nil {
					t.Error(err)
				}
				got := map[int]uint16{}
				buf := make([]byte, 1<<16)
				for range out {
					_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
					n, from, err := c.ReadFromUDPAddrPort(buf)
					if err != nil {
						t.Error(err)
						break
					}
					got[n] = from.Port()
				}
				p := ts[0].Ports(false)
				if want := map[int]uint16{516: p[0], 1432: p[1], 9000: p[2]}; !maps.Equal(got, want) || ts[0].SendErrors() != 0 {
					t.Errorf("raw %v, MTU %d: received %v, want %v; %d send errors", raw, mtu, got, want, ts[0].SendErrors())
				}
			})
		}
	}
}
