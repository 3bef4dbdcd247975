package bpf

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dcs/bench/netlab"
)

func labConfig() Config {
	return Config{Listen: []netip.AddrPort{any4, any6}, Transfers: testPorts(), Poll: 10 * time.Millisecond}
}

// attached attaches the program to the lab's server.
func attached(t testing.TB, lab *netlab.Lab, cfg Config, m Mode) (*Steer, Choice) {
	t.Helper()
	s := loadSteerForTest(t, cfg)
	var c Choice
	err := lab.Server.Do(func() (err error) {
		c, err = s.programs[0].Attach(netlab.Device, m)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

// modem is the i-th modem behind the lab's gateway.
func modem(i int, v6 bool) netip.AddrPort {
	net := netlab.ModemNet4
	if v6 {
		net = netlab.ModemNet6
	}
	b := net.Addr().AsSlice()
	b[len(b)-2], b[len(b)-1] = byte(i>>8), byte(i)
	a, _ := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(a, 2070)
}

// A wire sends frames from the lab's other end.
type wire struct {
	t  testing.TB
	fd int
}

func newWire(t testing.TB, lab *netlab.Lab) *wire {
	t.Helper()
	w := &wire{t: t}
	err := lab.Load.Do(func() error {
		ifi, err := net.InterfaceByName(netlab.Device)
		if err != nil {
			return err
		}
		if w.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		return unix.Bind(w.fd, &unix.SockaddrLinklayer{Ifindex: ifi.Index})
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(w.fd) })
	return w
}

func (w *wire) send(f frame) {
	w.t.Helper()
	if f.to == nil {
		f.to = netlab.ServerMAC
	}
	f.from = netlab.GatewayMAC
	if _, err := unix.Write(w.fd, f.octets()); err != nil {
		w.t.Fatal(err)
	}
}

// reuse listens with SO_REUSEPORT.
var reuse = net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
	var set error
	err := c.Control(func(fd uintptr) {
		set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	})
	return errors.Join(err, set)
}}

// listen opens n sockets that share an address.
func listen(t testing.TB, h *netlab.Host, at netip.AddrPort, n int) []*net.UDPConn {
	t.Helper()
	var conns []*net.UDPConn
	for range n {
		var p net.PacketConn
		err := h.Do(func() (err error) {
			p, err = reuse.ListenPacket(t.Context(), "udp", at.String())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		conns = append(conns, p.(*net.UDPConn))
	}
	return conns
}

// fds returns the descriptors, which stay the connections'.
func fds(t testing.TB, conns []*net.UDPConn) []int {
	t.Helper()
	var all []int
	for _, c := range conns {
		raw, err := c.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		if err := raw.Control(func(fd uintptr) { all = append(all, int(fd)) }); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// receive returns where the next n packets came from.
func receive(t testing.TB, c *net.UDPConn, n int, within time.Duration) []netip.AddrPort {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	var from []netip.AddrPort
	buf := make([]byte, 2048)
	for len(from) < n {
		_, a, err := c.ReadFromUDPAddrPort(buf)
		if err != nil {
			break
		}
		from = append(from, netip.AddrPortFrom(a.Addr().Unmap(), a.Port()))
	}
	return from
}

// until waits for a condition.
func until(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("not within 30 s: %s", what)
}
