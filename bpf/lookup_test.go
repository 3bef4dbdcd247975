package bpf

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"

	"dcs/bench/require"

	"github.com/dchest/siphash"
)

// clientHash is client_hash by another's implementation of SipHash.
func clientHash(key [2]uint64, client netip.AddrPort) uint64 {
	var b [24]byte
	a := client.Addr().As16()
	copy(b[:], a[:])
	binary.LittleEndian.PutUint16(b[16:], client.Port())
	return siphash.Hash(key[0], key[1], b[:])
}

func TestClientHash(t *testing.T) {
	u := unitsForTest(t)
	rng := rand.New(rand.NewPCG(5, 6))
	for i := range 200 {
		var b [16]byte
		binary.NativeEndian.PutUint64(b[:], rng.Uint64())
		binary.NativeEndian.PutUint64(b[8:], rng.Uint64())
		client := netip.AddrPortFrom(netip.AddrFrom16(b), uint16(rng.Uint32()))
		if i%2 == 0 {
			client = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[:])), client.Port())
		}
		key := [2]uint64{rng.Uint64(), rng.Uint64()}
		c := unitsHashCall{Client: unitsAddress(addressOf(client.Addr())), Key0: key[0], Key1: key[1], Port: uint64(client.Port())}
		call(t, u.CallHash, &c)
		if want := clientHash(key, client); c.Hash != want {
			t.Fatalf("%v: %x, want %x", client, c.Hash, want)
		}
	}
}

// What a client sends to its own port is heard, by the socket of the worker that has the port; to any other, by nobody.
func TestLookup(t *testing.T) {
	require.Root(t)
	for _, lo := range []string{"127.0.0.1", "::1"} {
		const workers, each = 3, 5
		at := netip.MustParseAddr(lo)
		key := [2]uint64{1, 2}
		cfg := LookupConfig{Key: key}
		list := &cfg.V4
		if cfg.At4 = at; at.Is6() {
			cfg.At4, cfg.At6, list = netip.Addr{}, at, &cfg.V6
		}
		socks := [workers][each]*net.UDPConn{}
		for w := range workers {
			lw := LookupWorker{}
			for i := range each {
				c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				socks[w][i] = c
				lw.Ports = append(lw.Ports, c.LocalAddr().(*net.UDPAddr).AddrPort().Port())
			}
			lw.Receive, lw.Discard = descriptor(t, socks[w][0]), descriptor(t, socks[w][1])
			*list = append(*list, lw)
		}
		l, err := NewLookup(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		wrong := uint64(0)
		for range 4 {
			c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			client := c.LocalAddr().(*net.UDPAddr).AddrPort()
			own := int(uint64(uint32(clientHash(key, client))) * each >> 32)
			for w := range workers {
				for i, port := range (*list)[w].Ports {
					if _, err := c.WriteToUDPAddrPort([]byte{byte(w), byte(i)}, netip.AddrPortFrom(at, port)); err != nil {
						t.Fatal(err)
					}
				}
				wrong += each - 1
				buf := make([]byte, 8)
				_ = socks[w][0].SetReadDeadline(time.Now().Add(20 * time.Second))
				n, from, err := socks[w][0].ReadFromUDPAddrPort(buf)
				if err != nil || n != 2 || buf[0] != byte(w) || buf[1] != byte(own) || from.Port() != client.Port() {
					t.Errorf("%s: worker %d hears %v from %v (%v), want what %v sent to its port %d", lo, w, buf[:n], from, err, client, own)
				}
				for i := range each {
					if i == 1 {
						continue // has all else
					}
					_ = socks[w][i].SetReadDeadline(time.Now().Add(time.Millisecond))
					if n, _, err := socks[w][i].ReadFromUDPAddrPort(buf); err == nil {
						t.Errorf("%s: socket %d of worker %d hears %v", lo, i, w, buf[:n])
					}
				}
			}
		}
		if n, err := l.Strays(); err != nil || n != wrong {
			t.Errorf("%s: counted %d strays (%v), want %d", lo, n, err, wrong)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		// Without the program each socket has its own packets again.
		c, err := net.DialUDP("udp", nil, socks[2][4].LocalAddr().(*net.UDPAddr))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		_ = socks[2][4].SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, _, err := socks[2][4].ReadFromUDPAddrPort(make([]byte, 8)); err != nil {
			t.Errorf("%s: after Close: %v", lo, err)
		}
	}
}

func descriptor(t *testing.T, c *net.UDPConn) (fd int) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err == nil {
		err = raw.Control(func(f uintptr) { fd = int(f) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return fd
}
