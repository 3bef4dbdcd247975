package bpf

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"dcs/bench/netlab"
)

var (
	lab4 = netip.AddrPortFrom(netlab.ServerAddr4, 69)
	lab6 = netip.AddrPortFrom(netlab.ServerAddr6, 69)
	any4 = netip.AddrPortFrom(netip.IPv4Unspecified(), 69)
	any6 = netip.AddrPortFrom(netip.IPv6Unspecified(), 69)
)

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
			if id := netlab.XDPOn(t, lab.Server); id != 0 {
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
		id := netlab.XDPOn(t, lab.Server)
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
		if now := netlab.XDPOn(t, lab.Server); now != id {
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
