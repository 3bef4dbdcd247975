package bpf

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"dcs/bench/netlab"
	"dcs/bench/require"
)

var (
	lab4 = netip.AddrPortFrom(netlab.ServerAddr4, 69)
	lab6 = netip.AddrPortFrom(netlab.ServerAddr6, 69)
	any4 = netip.AddrPortFrom(netip.IPv4Unspecified(), 69)
	any6 = netip.AddrPortFrom(netip.IPv6Unspecified(), 69)
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

// xdpOn returns the id of the XDP program on the lab's server, 0 if there is none.
func xdpOn(t testing.TB, lab *netlab.Lab) uint32 {
	t.Helper()
	var id uint32
	err := lab.Server.Do(func() error {
		l, err := netlink.LinkByName(netlab.Device)
		if err == nil && l.Attrs().Xdp != nil && l.Attrs().Xdp.Attached {
			id = l.Attrs().Xdp.ProgId
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestAttach(t *testing.T) {
	for _, c := range []struct{ ask, want Mode }{{Auto, Native}, {Native, Native}, {Generic, Generic}} {
		t.Run(c.ask.String(), func(t *testing.T) {
			lab := netlab.ForTest(t, netlab.Config{})
			s, choice := attached(t, lab, labConfig(), c.ask)
			if choice.Mode != c.want || choice.Driver != "veth" || !strings.Contains(choice.Why, c.want.String()) {
				t.Errorf("%+v", choice)
			}
			w := newWire(t, lab)
			conn4, conn6 := listen(t, lab.Server, lab4, 1)[0], listen(t, lab.Server, lab6, 1)[0]
			other := listen(t, lab.Server, netip.AddrPortFrom(netlab.ServerAddr4, 7), 1)[0]
			before := s.stats(t)
			const n = 10
			for i := range n {
				w.send(frame{source: modem(i, false), target: lab4, payload: rrq})
				w.send(frame{source: modem(i, true), target: lab6, payload: rrq})
				w.send(frame{source: modem(i, false), target: netip.AddrPortFrom(netlab.ServerAddr4, 7), payload: rrq})
				w.send(frame{source: modem(i, false), target: lab4, payload: rrq, udpLength: 1})
				w.send(frame{source: modem(i, false), target: lab4, payload: rrq, to: netlab.LoadMAC})
			}
			for _, conn := range []*net.UDPConn{conn4, conn6, other} {
				if from := receive(t, conn, n, 30*time.Second); len(from) != n {
					t.Errorf("%v got %d packets, want %d", conn.LocalAddr(), len(from), n)
				}
			}
			got := s.stats(t)
			for v, want := range map[Verdict]uint64{PassSocket: 2 * n, DropLength: n} {
				if d := got[v].Packets - before[v].Packets; d != want {
					t.Errorf("%v: counted %d, want %d", v, d, want)
				}
			}
			// The kernel's own packets, as of IPv6 neighbours, may come on top.
			if d := got[PassOther].Packets - before[PassOther].Packets; d < 2*n {
				t.Errorf("%v: counted %d, want %d", PassOther, d, 2*n)
			}

			if err := s.programs[0].Detach(); err != nil {
				t.Fatal(err)
			}
			if id := xdpOn(t, lab); id != 0 {
				t.Errorf("program %d is still there", id)
			}
			w.send(frame{source: modem(1, false), target: lab4, payload: rrq})
			if from := receive(t, conn4, 1, 30*time.Second); len(from) != 1 {
				t.Error("nothing comes after Detach")
			}
			if after := s.stats(t); after[PassSocket] != got[PassSocket] {
				t.Error("counted after Detach")
			}
			select {
			case err := <-s.programs[0].Lost():
				t.Errorf("Detach reported as a loss: %v", err)
			default:
			}
			err := lab.Server.Do(func() error { _, err := s.programs[0].Attach(netlab.Device, c.ask); return err })
			if err != nil {
				t.Errorf("attach again: %v", err)
			}
		})
	}
}

func TestAttachToWhatThereIsNot(t *testing.T) {
	lab := netlab.ForTest(t, netlab.Config{})
	s := loadSteerForTest(t, labConfig())
	_ = lab.Server.Do(func() error {
		if c := Probe("nowhere0"); c.Mode != Off || c.Err == nil || !strings.Contains(c.Why, "nowhere0") {
			t.Errorf("probe: %+v", c)
		}
		if c, err := s.programs[0].Attach("nowhere0", Auto); err == nil || c.Mode != Off {
			t.Errorf("attach: %+v, %v", c, err)
		}
		if _, err := s.programs[0].Attach(netlab.Device, Off); err == nil {
			t.Error("attach in mode off: no error")
		}
		// Before Linux 6.3 only an attempt tells what a driver can.
		c := Probe("lo")
		if c.Err != nil || c.Mode != Generic && (c.Mode != Native || !strings.Contains(c.Why, "does not tell")) {
			t.Errorf("probe lo: %+v", c)
		}
		if c, err := s.programs[0].Attach("lo", Auto); err != nil || c.Mode != Generic {
			t.Errorf("attach to lo: %+v, %v", c, err)
		}
		if _, err := s.programs[0].Attach(netlab.Device, Auto); err == nil {
			t.Error("attached twice")
		}
		return nil
	})
}

// A veth has no native XDP where its peer has more queues to send on than it has to receive from.
func TestDriverWithoutNative(t *testing.T) {
	lab := netlab.ForTest(t, netlab.Config{})
	s := loadSteerForTest(t, labConfig())
	err := lab.Server.Do(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.NumTxQueues, attrs.NumRxQueues = "narrow0", 1, 1
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "wide0", PeerNumTxQueues: 2, PeerNumRxQueues: 2}); err != nil {
			return err
		}
		for _, name := range []string{"narrow0", "wide0"} {
			l, err := netlink.LinkByName(name)
			if err != nil {
				return err
			}
			if err := netlink.LinkSetUp(l); err != nil {
				return err
			}
		}
		var busy *BusyError
		if c, err := s.programs[0].Attach("narrow0", Native); err == nil || errors.As(err, &busy) || c.Mode != Off {
			t.Errorf("native: %+v, %v", c, err)
		}
		c, err := s.programs[0].Attach("narrow0", Auto)
		if err != nil || c.Mode != Generic || !strings.Contains(c.Why, "no native XDP") {
			t.Errorf("auto: %+v, %v", c, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func passAll(t testing.TB) *ebpf.Program {
	t.Helper()
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "another", Type: ebpf.XDP, AttachType: ebpf.AttachXDP, License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, xdpPass), asm.Return()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func TestAnotherProgramHoldsTheInterface(t *testing.T) {
	refused := func(t *testing.T, lab *netlab.Lab, name string) {
		t.Helper()
		id := xdpOn(t, lab)
		s := loadSteerForTest(t, labConfig())
		for _, m := range []Mode{Auto, Native, Generic} {
			_ = lab.Server.Do(func() error {
				c, err := s.programs[0].Attach(netlab.Device, m)
				var busy *BusyError
				if !errors.As(err, &busy) || c.Mode != Off {
					t.Errorf("%v: %+v, %v", m, c, err)
					return nil
				}
				if want := (BusyError{netlab.Device, id, name}); *busy != want {
					t.Errorf("%v: %+v, want %+v", m, *busy, want)
				}
				for _, part := range []string{fmt.Sprint(id), name, netlab.Device} {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("%q does not name %s", err, part)
					}
				}
				if p := Probe(netlab.Device); p.Mode != Off || !errors.As(p.Err, &busy) {
					t.Errorf("probe: %+v", p)
				}
				return nil
			})
		}
		if now := xdpOn(t, lab); now != id {
			t.Errorf("program %d took the place of %d", now, id)
		}
	}
	for _, m := range []Mode{Native, Generic} {
		t.Run("ours, "+m.String(), func(t *testing.T) {
			lab := netlab.ForTest(t, netlab.Config{})
			attached(t, lab, labConfig(), m)
			refused(t, lab, "steer")
		})
		t.Run("attached by netlink, "+m.String(), func(t *testing.T) {
			lab := netlab.ForTest(t, netlab.Config{})
			p := passAll(t)
			flags := unix.XDP_FLAGS_DRV_MODE
			if m == Generic {
				flags = unix.XDP_FLAGS_SKB_MODE
			}
			err := lab.Server.Do(func() error {
				l, err := netlink.LinkByName(netlab.Device)
				if err != nil {
					return err
				}
				return netlink.LinkSetXdpFdWithFlags(l, p.FD(), flags)
			})
			if err != nil {
				t.Fatal(err)
			}
			refused(t, lab, "another")
		})
	}
}

// The kernel refuses too, should another be attached between the look and the attempt.
func TestKernelRefusesASecondProgram(t *testing.T) {
	for _, held := range []Mode{Native, Generic} {
		for _, m := range []Mode{Native, Generic} {
			lab := netlab.ForTest(t, netlab.Config{})
			attached(t, lab, labConfig(), held)
			s := loadSteerForTest(t, labConfig())
			_ = lab.Server.Do(func() error {
				ifi, err := net.InterfaceByName(netlab.Device)
				if err != nil {
					return err
				}
				_, err = s.programs[0].hookTo(ifi.Index, m)
				if !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.EEXIST) {
					t.Errorf("%v on %v: %v", m, held, err)
				}
				return nil
			})
		}
	}
}

func TestLost(t *testing.T) {
	for name, take := range map[string]func(*testing.T, *netlab.Lab, *Steer) (string, error){
		"detached": func(_ *testing.T, _ *netlab.Lab, s *Steer) (string, error) {
			return "detached by another process", s.programs[0].hook.link.Detach()
		},
		"exchanged": func(t *testing.T, _ *netlab.Lab, s *Steer) (string, error) {
			return "has replaced ours", s.programs[0].hook.link.Update(passAll(t))
		},
		"interface deleted": func(_ *testing.T, lab *netlab.Lab, _ *Steer) (string, error) {
			return "interface removed", lab.Server.Do(func() error {
				l, err := netlink.LinkByName(netlab.Device)
				if err != nil {
					return err
				}
				return netlink.LinkDel(l)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			lab := netlab.ForTest(t, netlab.Config{})
			s, _ := attached(t, lab, labConfig(), Auto)
			select {
			case err := <-s.programs[0].Lost():
				t.Fatalf("nothing has happened: %v", err)
			case <-time.After(50 * time.Millisecond):
			}
			want, err := take(t, lab, s)
			if err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-s.programs[0].Lost():
				if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), netlab.Device) {
					t.Errorf("%v, want %q", err, want)
				}
			case <-time.After(30 * time.Second):
				t.Fatal("no error reported")
			}
			if err := s.programs[0].Detach(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Others cannot take a bpf_link's place by netlink, and the interface may go down and up.
func TestStaysAttached(t *testing.T) {
	lab := netlab.ForTest(t, netlab.Config{})
	s, _ := attached(t, lab, labConfig(), Auto)
	id := xdpOn(t, lab)
	w, conn := newWire(t, lab), listen(t, lab.Server, lab4, 1)[0]
	err := lab.Server.Do(func() error {
		l, err := netlink.LinkByName(netlab.Device)
		if err != nil {
			return err
		}
		if err := netlink.LinkSetXdpFd(l, -1); err == nil {
			t.Error("detached by netlink")
		}
		return errors.Join(netlink.LinkSetDown(l), netlink.LinkSetUp(l))
	})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the carrier is back", func() (up bool) {
		if err := lab.Server.Do(func() error {
			l, err := netlink.LinkByName(netlab.Device)
			up = err == nil && l.Attrs().OperState == netlink.OperUp
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return up
	})
	if now := xdpOn(t, lab); now != id {
		t.Errorf("program %d, before %d", now, id)
	}
	before := s.stats(t)
	w.send(frame{source: netip.AddrPortFrom(netlab.LoadAddr4, 9), target: lab4, payload: rrq})
	if got := receive(t, conn, 1, 30*time.Second); len(got) != 1 {
		t.Error("nothing comes any more")
	}
	if got := s.stats(t)[PassSocket].Packets - before[PassSocket].Packets; got != 1 {
		t.Errorf("counted %d", got)
	}
	select {
	case err := <-s.programs[0].Lost():
		t.Error(err)
	default:
	}
}

const crashEnv = "DCS_TEST_ATTACH_AND_WAIT"

// TestAttachAndWait is the process that TestCrashDetaches kills.
func TestAttachAndWait(t *testing.T) {
	if os.Getenv(crashEnv) == "" {
		t.Skip("not a test: the process that TestCrashDetaches kills")
	}
	s, err := Load(labConfig())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.programs[0].Attach(netlab.Device, Auto); err != nil {
		t.Fatal(err)
	}
	fmt.Println("attached")
	time.Sleep(time.Minute) // until it is killed
}

func TestCrashDetaches(t *testing.T) {
	lab := netlab.ForTest(t, netlab.Config{})
	cmd := exec.Command(os.Args[0], "-test.run=^TestAttachAndWait$")
	cmd.Env = append(os.Environ(), crashEnv+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := lab.Server.Start(cmd); err != nil {
		t.Fatal(err)
	}
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "attached\n" {
		t.Errorf("the process said %q", line)
	}
	if xdpOn(t, lab) == 0 {
		t.Error("not attached")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	until(t, "the program is gone", func() bool { return xdpOn(t, lab) == 0 })
}

// Wildcards stand for the addresses that the host has, also for those that come and go.
func TestFollowsAddresses(t *testing.T) {
	lab := netlab.ForTest(t, netlab.Config{})
	s, _ := attached(t, lab, labConfig(), Auto)
	// What is ours goes to this socket, which tells it from what is passed. Counters do not: the kernel's own packets come
	// on the same wire.
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := s.programs[0].SetXSK(0, fd); err != nil {
		t.Fatal(err)
	}
	ours := func(to netip.Addr, mac net.HardwareAddr) bool {
		t.Helper()
		f := frame{source: modem(1, to.Is6()), target: netip.AddrPortFrom(to, 69), payload: rrq, to: mac}
		action, err := s.programs[0].objs.Steer.Run(&ebpf.RunOptions{Data: f.octets()})
		if err != nil {
			t.Fatal(err)
		}
		return action == xdpRedirect
	}
	for _, a := range []netip.Addr{netlab.ServerAddr4, netlab.ServerAddr6} {
		if !ours(a, netlab.ServerMAC) {
			t.Errorf("%v is passed", a)
		}
	}
	added := netip.MustParseAddr("198.51.100.77")
	for _, a := range []string{"198.19.0.2", "198.19.0.255", "127.0.0.1", "::1", "0.0.0.0", "::", added.String()} {
		if ours(netip.MustParseAddr(a), netlab.ServerMAC) {
			t.Errorf("%v is taken", a)
		}
	}
	change := func(f func(netlink.Link, *netlink.Addr) error) {
		t.Helper()
		err := lab.Server.Do(func() error {
			l, err := netlink.LinkByName(netlab.Device)
			if err != nil {
				return err
			}
			return f(l, &netlink.Addr{IPNet: &net.IPNet{IP: added.AsSlice(), Mask: net.CIDRMask(24, 32)}})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	change(func(l netlink.Link, a *netlink.Addr) error { return netlink.AddrAdd(l, a) })
	until(t, "an address that was added is taken", func() bool { return ours(added, netlab.ServerMAC) })
	change(func(l netlink.Link, a *netlink.Addr) error { return netlink.AddrDel(l, a) })
	until(t, "an address that is gone is passed", func() bool { return !ours(added, netlab.ServerMAC) })
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 9}
	change(func(l netlink.Link, _ *netlink.Addr) error { return netlink.LinkSetHardwareAddr(l, mac) })
	until(t, "the new hardware address is taken", func() bool { return ours(netlab.ServerAddr4, mac) })
	if ours(netlab.ServerAddr4, netlab.ServerMAC) {
		t.Error("the old hardware address is taken")
	}
}

// sources sends a request from each of n modems, twice, and checks that both came to the socket of the modem's worker.
func sources(t *testing.T, w *wire, conns []*net.UDPConn, v6 bool, n int) {
	t.Helper()
	target := lab4
	if v6 {
		target = lab6
	}
	for range 2 {
		for i := range n {
			w.send(frame{source: modem(i, v6), target: target, payload: rrq})
		}
	}
	want := make([]int, len(conns))
	for i := range n {
		want[Worker(modem(i, v6).Addr(), len(conns))] += 2
	}
	for i, c := range conns {
		if want[i] == 0 {
			t.Fatalf("worker %d has no modem: too few for a test", i)
		}
		from := receive(t, c, want[i], 30*time.Second)
		if len(from) != want[i] {
			t.Errorf("worker %d got %d packets, want %d", i, len(from), want[i])
		}
		for _, a := range from {
			if k := Worker(a.Addr(), len(conns)); k != i {
				t.Errorf("worker %d got a packet of %v, which is worker %d's", i, a, k)
			}
		}
		if more := receive(t, c, 1, time.Millisecond); len(more) > 0 {
			t.Errorf("worker %d got a packet too many, of %v", i, more[0])
		}
	}
}

func TestReuseport(t *testing.T) {
	lab := netlab.ForTest(t, netlab.Config{})
	w := newWire(t, lab)
	for _, at := range []netip.AddrPort{lab4, lab6, any4, any6} {
		for _, n := range []int{1, 2, 5} {
			t.Run(fmt.Sprintf("%v, %d workers", at, n), func(t *testing.T) {
				conns := listen(t, lab.Server, at, n)
				r, err := NewReuseport(fds(t, conns))
				if err != nil {
					t.Fatal(err)
				}
				sources(t, w, conns, at.Addr().Is6(), 100)
				if err := r.Close(); err != nil {
					t.Error(err)
				}
				for _, c := range conns {
					c.Close()
				}
			})
		}
	}
}

// What no worker takes any more goes to the others, by the kernel's choice.
func TestReuseportGivesUp(t *testing.T) {
	lab := netlab.ForTest(t, netlab.Config{})
	w := newWire(t, lab)
	conns := listen(t, lab.Server, lab4, 2)
	r, err := NewReuseport(fds(t, conns))
	if err != nil {
		t.Fatal(err)
	}
	conns[1].Close()
	for i := range 50 {
		w.send(frame{source: modem(i, false), target: lab4, payload: rrq})
	}
	if got := receive(t, conns[0], 50, 30*time.Second); len(got) != 50 {
		t.Errorf("with one socket closed the other got %d packets of 50", len(got))
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	for i := range 50 {
		w.send(frame{source: modem(i, false), target: lab4, payload: rrq})
	}
	if got := receive(t, conns[0], 50, 30*time.Second); len(got) != 50 {
		t.Errorf("after Close the socket got %d packets of 50", len(got))
	}

	if _, err := NewReuseport(nil); err == nil {
		t.Error("no sockets: no error")
	}
	if _, err := NewReuseport([]int{0}); err == nil {
		t.Error("not a socket: no error")
	}
}

// onlyOn has a socket take only packets that arrive on a processor.
func onlyOn(t *testing.T, fd, cpu int) {
	t.Helper()
	const adCPU = 1<<32 - 0x1000 + 36 // SKF_AD_OFF + SKF_AD_CPU, linux/filter.h
	prog := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: adCPU},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 0, Jf: 1, K: uint32(cpu)},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}); err != nil {
		t.Fatal(err)
	}
}

// Each worker's packets arrive on its processor and at its socket.
func TestSteersToProcessors(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("needs two processors")
	}
	for _, c := range []struct {
		mode Mode
		want Verdict
	}{{Native, SteerCPU}, {Generic, PassSocket}} {
		t.Run(c.mode.String(), func(t *testing.T) {
			lab := netlab.ForTest(t, netlab.Config{})
			s, _ := attached(t, lab, labConfig(), c.mode)
			cpus := []int{1, 0} // not in order: a worker's number is not its processor's
			if err := s.SetWorkers(cpus); err != nil {
				t.Fatal(err)
			}
			w := newWire(t, lab)
			for _, at := range []netip.AddrPort{lab4, lab6} {
				conns := listen(t, lab.Server, at, len(cpus))
				r, err := NewReuseport(fds(t, conns))
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				if c.want == SteerCPU {
					for i, fd := range fds(t, conns) {
						onlyOn(t, fd, cpus[i])
					}
				}
				before := s.stats(t)
				sources(t, w, conns, at.Addr().Is6(), 100)
				if got := s.stats(t)[c.want].Packets - before[c.want].Packets; got != 200 {
					t.Errorf("%v: counted %d, want 200", c.want, got)
				}
			}
		})
	}
}

// xskRing is as much of an AF_XDP socket as it takes to see that frames arrive. The queue is one of a veth: it copies.
type xskRing struct {
	fd       int
	umem     []byte
	rx       []byte
	producer *uint32
	descs    []unix.XDPDesc
}

const xskFrames, xskFrameSize = 64, 2048

func newXSKRing(t *testing.T, lab *netlab.Lab, queue int) *xskRing {
	t.Helper()
	x := new(xskRing)
	set := func(opt int, v unsafe.Pointer, size uintptr) {
		t.Helper()
		if _, _, e := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(x.fd), unix.SOL_XDP, uintptr(opt), uintptr(v), size, 0); e != 0 {
			t.Fatal(os.NewSyscallError("setsockopt", e))
		}
	}
	mmap := func(offset int64, size int) []byte {
		t.Helper()
		b, err := unix.Mmap(x.fd, offset, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Munmap(b) })
		return b
	}
	err := lab.Server.Do(func() (err error) {
		x.fd, err = unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(x.fd) })
	x.umem, err = unix.Mmap(-1, 0, xskFrames*xskFrameSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(x.umem) })
	reg := unix.XDPUmemReg{Addr: uint64(uintptr(unsafe.Pointer(&x.umem[0]))), Len: uint64(len(x.umem)), Size: xskFrameSize}
	set(unix.XDP_UMEM_REG, unsafe.Pointer(&reg), unsafe.Sizeof(reg))
	size := uint32(xskFrames)
	for _, ring := range []int{unix.XDP_UMEM_FILL_RING, unix.XDP_UMEM_COMPLETION_RING, unix.XDP_RX_RING} {
		set(ring, unsafe.Pointer(&size), 4)
	}
	var off unix.XDPMmapOffsets
	n := uint32(unsafe.Sizeof(off))
	if _, _, e := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(x.fd), unix.SOL_XDP, unix.XDP_MMAP_OFFSETS, uintptr(unsafe.Pointer(&off)), uintptr(unsafe.Pointer(&n)), 0); e != 0 {
		t.Fatal(e)
	}
	fill := mmap(unix.XDP_UMEM_PGOFF_FILL_RING, int(off.Fr.Desc)+8*xskFrames)
	addrs := unsafe.Slice((*uint64)(unsafe.Pointer(&fill[off.Fr.Desc])), xskFrames)
	for i := range addrs {
		addrs[i] = uint64(i * xskFrameSize)
	}
	*(*uint32)(unsafe.Pointer(&fill[off.Fr.Producer])) = xskFrames // the system call of bind orders it before any read
	x.rx = mmap(unix.XDP_PGOFF_RX_RING, int(off.Rx.Desc)+16*xskFrames)
	x.producer = (*uint32)(unsafe.Pointer(&x.rx[off.Rx.Producer]))
	x.descs = unsafe.Slice((*unix.XDPDesc)(unsafe.Pointer(&x.rx[off.Rx.Desc])), xskFrames)
	err = lab.Server.Do(func() error {
		ifi, err := net.InterfaceByName(netlab.Device)
		if err != nil {
			return err
		}
		return unix.Bind(x.fd, &unix.SockaddrXDP{Flags: unix.XDP_COPY, Ifindex: uint32(ifi.Index), QueueID: uint32(queue)})
	})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestSteersToAFXDP(t *testing.T) {
	for _, m := range []Mode{Native, Generic} {
		t.Run(m.String(), func(t *testing.T) {
			lab := netlab.ForTest(t, netlab.Config{})
			s, _ := attached(t, lab, labConfig(), m)
			x := newXSKRing(t, lab, 0)
			if err := s.programs[0].SetXSK(0, x.fd); err != nil {
				t.Fatal(err)
			}
			w := newWire(t, lab)
			sent := []frame{
				{source: modem(1, false), target: lab4, payload: rrq},
				{source: modem(2, true), target: lab6, payload: rrq},
				{source: modem(3, false), target: netip.AddrPortFrom(lab4.Addr(), 40000), payload: ack, pad: 18},
				{source: modem(4, false), target: lab4, payload: rrq, tags: []uint16{0x8100}},
				{source: modem(5, true), target: lab6, payload: rrq, tags: []uint16{0x88a8, 0x8100}},
			}
			for _, f := range sent {
				w.send(f)
				w.send(frame{source: f.source, target: netip.AddrPortFrom(f.target.Addr(), 7), payload: rrq})
			}
			until(t, "all frames have arrived", func() bool {
				_, _ = unix.Poll([]unix.PollFd{{Fd: int32(x.fd), Events: unix.POLLIN}}, 0)
				return *x.producer >= uint32(len(sent))
			})
			for i, f := range sent {
				f.to, f.from = netlab.ServerMAC, netlab.GatewayMAC
				d := x.descs[i]
				if got := x.umem[d.Addr : d.Addr+uint64(d.Len)]; !slices.Equal(got, f.octets()) {
					t.Errorf("frame %d\n got %x\nwant %x", i, got, f.octets())
				}
			}
			if got := s.stats(t)[SteerXSK].Packets; got != uint64(len(sent)) {
				t.Errorf("counted %d, want %d", got, len(sent))
			}
		})
	}
}

// withCaps runs f on a thread that has no other capabilities.
func withCaps(t testing.TB, f func(), caps ...uint) {
	t.Helper()
	errc := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		for _, c := range caps {
			data[c/32].Effective |= 1 << (c % 32)
			data[c/32].Permitted |= 1 << (c % 32)
		}
		if err := unix.Capset(&hdr, &data[0]); err != nil {
			errc <- err
			return
		}
		f()
		errc <- nil
	}()
	if err := <-errc; err != nil {
		t.Fatal(err)
	}
}

func TestCapabilities(t *testing.T) {
	require.Root(t)
	for _, c := range []struct {
		have               []uint
		missing, reuseport []string
	}{
		{nil, []string{"CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN"}, []string{"CAP_BPF", "CAP_NET_ADMIN"}},
		{[]uint{unix.CAP_BPF}, []string{"CAP_PERFMON", "CAP_NET_ADMIN"}, []string{"CAP_NET_ADMIN"}},
		{[]uint{unix.CAP_BPF, unix.CAP_NET_ADMIN}, []string{"CAP_PERFMON"}, nil},
		{[]uint{unix.CAP_SYS_ADMIN}, []string{"CAP_NET_ADMIN"}, []string{"CAP_NET_ADMIN"}},
		{[]uint{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_NET_ADMIN}, nil, nil},
		{[]uint{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN}, nil, nil},
	} {
		withCaps(t, func() {
			check := func(what string, err error, missing []string) {
				t.Helper()
				var lacks *CapabilityError
				if missing == nil {
					if err != nil {
						t.Errorf("%s with %v: %v", what, c.have, err)
					}
					return
				}
				if !errors.As(err, &lacks) || !slices.Equal(lacks.Missing, missing) {
					t.Errorf("%s with %v: %v", what, c.have, err)
					return
				}
				for _, name := range missing {
					if !strings.Contains(err.Error(), name) {
						t.Errorf("%q does not name %s", err, name)
					}
				}
			}
			s, err := Load(testConfig())
			check("load", err, c.missing)
			if err == nil {
				check("close", s.Close(), nil)
			}
			check("probe", Probe("lo").Err, c.missing)
			conn, err := reuse.ListenPacket(t.Context(), "udp", "127.0.0.1:0")
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			r, err := NewReuseport(fds(t, []*net.UDPConn{conn.(*net.UDPConn)}))
			check("reuseport", err, c.reuseport)
			if err == nil {
				check("close", r.Close(), nil)
			}
		}, c.have...)
	}
}

// These three are all that it takes, and none once it is attached.
func TestPrivilegesDropped(t *testing.T) {
	lab := netlab.ForTest(t, netlab.Config{})
	var s *Steer
	var ns *os.File
	err := lab.Server.Do(func() (err error) {
		ns, err = os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	withCaps(t, func() {
		// To enter the lab takes a capability of its own.
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		data := [2]unix.CapUserData{}
		for _, c := range []uint{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_NET_ADMIN} {
			data[c/32].Effective |= 1 << (c % 32)
			data[c/32].Permitted |= 1 << (c % 32)
		}
		if err := unix.Capset(&hdr, &data[0]); err != nil {
			t.Error(err)
			return
		}
		var err error
		if s, err = Load(labConfig()); err != nil {
			t.Error(err)
			return
		}
		if c, err := s.programs[0].Attach(netlab.Device, Auto); err != nil || c.Mode != Native {
			t.Errorf("%+v, %v", c, err)
		}
	}, unix.CAP_SYS_ADMIN, unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_NET_ADMIN)
	if t.Failed() {
		return
	}
	defer s.Close()
	withCaps(t, func() {
		for i := range 3 {
			if err := s.SetACL([]netip.Prefix{netip.PrefixFrom(netlab.LoadAddr4, 8+i)}); err != nil {
				t.Error(err)
			}
		}
		if err := s.SetACL(nil); err != nil {
			t.Error(err)
		}
		if err := s.SetRate(10, 10); err != nil {
			t.Error(err)
		}
		if err := s.setListen([]netip.AddrPort{any4}, nil); err != nil {
			t.Error(err)
		}
		if err := s.SetWorkers([]int{0}); err != nil {
			t.Error(err)
		}
		if _, err := s.Stats(); err != nil {
			t.Error(err)
		}
		if err := s.programs[0].check(s.programs[0].hook); err != nil {
			t.Error(err)
		}
		if err := s.programs[0].refresh(s.programs[0].hook.net, s.programs[0].hook.index); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for d, err := range s.Drops(ctx) {
			t.Errorf("%v, %v", d, err)
		}
		if err := s.programs[0].Detach(); err != nil {
			t.Error(err)
		}
	})
	if id := xdpOn(t, lab); id != 0 {
		t.Errorf("program %d is still there", id)
	}
}
