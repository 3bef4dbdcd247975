package bpf

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// What interfaces have in common is one for all their programs, and what is one interface's is no other's.
func TestPrograms(t *testing.T) {
	cfg := testConfig()
	cfg.Interfaces = 3
	s := loadSteerForTest(t, cfg)
	if len(s.Programs()) != 3 {
		t.Fatalf("%d programs", len(s.Programs()))
	}
	f := frame{source: modem4, target: server4, payload: rrq}
	judge := func(want ...Verdict) {
		t.Helper()
		for i, p := range s.Programs() {
			before, err := p.Stats()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.objs.Steer.Run(&ebpf.RunOptions{Data: f.octets()}); err != nil {
				t.Fatal(err)
			}
			after, err := p.Stats()
			if err != nil {
				t.Fatal(err)
			}
			if after[want[i]].Packets != before[want[i]].Packets+1 {
				t.Errorf("program %d: %v, want one more %v", i, after, want[i])
			}
		}
	}
	judge(PassSocket, PassSocket, PassSocket)
	if err := s.Programs()[1].SetStandby(true); err != nil {
		t.Fatal(err)
	}
	judge(PassSocket, PassOther, PassSocket)
	if err := s.SetACL([]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}); err != nil {
		t.Fatal(err)
	}
	judge(DropACL, PassOther, DropACL)
	if all, err := s.Stats(); err != nil || all[DropACL].Packets != 2 || all[PassSocket].Packets != 5 || all[PassOther].Packets != 2 {
		t.Errorf("%v, %v", all, err)
	}
}

func TestSetListen(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	other := netip.MustParseAddrPort("10.1.0.9:6969")
	judge := func(want Verdict, to netip.AddrPort, payload []byte) {
		t.Helper()
		from := modem4
		if to.Addr().Is6() {
			from = modem6
		}
		if got := s.judged(t, frame{source: from, target: to, payload: payload}.octets()); got != want {
			t.Errorf("to %v: %v, want %v", to, got, want)
		}
	}
	judge(PassSocket, server4, rrq)
	judge(PassSocket, tid4, ack)
	judge(PassOther, other, rrq)

	if err := s.setListen([]netip.AddrPort{other}, []Port{{40000, true}, {1024, false}, {65535, false}}); err != nil {
		t.Fatal(err)
	}
	judge(PassOther, netip.AddrPortFrom(other.Addr(), 40000), ack) // of the other family
	judge(PassSocket, netip.AddrPortFrom(other.Addr(), 1024), ack)
	judge(PassOther, netip.AddrPortFrom(other.Addr(), 1025), ack) // another program may have it
	judge(PassOther, server4, rrq)
	judge(PassOther, tid4, ack)
	judge(PassSocket, other, rrq)
	judge(PassSocket, netip.AddrPortFrom(other.Addr(), 65535), ack)
	judge(PassOther, netip.AddrPortFrom(other.Addr(), 1023), ack)

	if err := s.setListen([]netip.AddrPort{other, server6}, nil); err != nil {
		t.Fatal(err)
	}
	judge(PassSocket, other, ack)
	judge(PassSocket, server6, rrq)
	judge(PassOther, tid6, ack)
	judge(PassOther, netip.AddrPortFrom(other.Addr(), 0), ack)

	for _, c := range []struct {
		listen    []netip.AddrPort
		transfers []Port
	}{
		{[]netip.AddrPort{other}, []Port{{}}},
		{[]netip.AddrPort{netip.AddrPortFrom(other.Addr(), 0)}, nil},
		{[]netip.AddrPort{{}}, nil},
	} {
		if err := s.setListen(c.listen, c.transfers); err == nil {
			t.Errorf("listen at %v, transfers from %v: no error", c.listen, c.transfers)
		}
	}
	judge(PassSocket, other, ack)
}

func TestTooManyPlaces(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	many := make([]netip.AddrPort, s.objs.Places.MaxEntries())
	for i := range many {
		many[i] = netip.AddrPortFrom(server4.Addr(), uint16(i+1))
	}
	if err := s.setListen(many, nil); err == nil || !strings.Contains(err.Error(), "4097 addresses and ports to listen on, at most 4096") {
		t.Errorf("%d listeners: %v", len(many), err)
	}
	if got := s.judged(t, frame{source: modem6, target: tid6, payload: ack}.octets()); got != PassSocket {
		t.Errorf("where it listened before: %v", got)
	}
	if err := s.setListen(many[1:], nil); err != nil {
		t.Error(err)
	}
}

func TestSteersToSocketThenProcessorThenKernel(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	f := frame{source: modem4, target: server4, payload: rrq}.octets()
	f6 := frame{source: modem6, target: tid6, payload: ack}.octets()
	other := frame{source: modem4, target: netip.AddrPortFrom(server4.Addr(), 53), payload: rrq}.octets()
	expect := func(want Verdict) {
		t.Helper()
		for _, b := range [][]byte{f, f6} {
			if got := s.judged(t, b); got != want {
				t.Errorf("%v, want %v", got, want)
			}
		}
		if got := s.judged(t, other); got != PassOther {
			t.Errorf("another's: %v", got)
		}
	}
	expect(PassSocket)
	if err := s.SetWorkers([]int{0}); err != nil {
		t.Fatal(err)
	}
	expect(SteerCPU)
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.programs[0].SetXSK(1, fd); err != nil {
		t.Fatal(err)
	}
	expect(SteerCPU) // a test runs as queue 0
	if err := s.programs[0].SetXSK(0, fd); err != nil {
		t.Fatal(err)
	}
	expect(SteerXSK)
	if err := s.programs[0].ClearXSK(0); err != nil {
		t.Fatal(err)
	}
	expect(SteerCPU)
	if err := s.programs[0].ClearXSK(0); err != nil {
		t.Errorf("clear an empty queue: %v", err)
	}
	if err := s.programs[0].SetXSK(0, fd); err != nil {
		t.Fatal(err)
	}
	if err := unix.Close(fd); err != nil {
		t.Fatal(err)
	}
	expect(SteerCPU)
	if err := s.SetWorkers(nil); err != nil {
		t.Fatal(err)
	}
	expect(PassSocket)

	for _, queue := range []int{-1, 512} {
		if err := s.programs[0].SetXSK(queue, 0); err == nil {
			t.Errorf("queue %d: no error", queue)
		}
	}
	for _, cpus := range [][]int{{-1}, {1 << 20}, make([]int, 513)} {
		if err := s.SetWorkers(cpus); err == nil {
			t.Errorf("workers %v: no error", cpus)
		}
	}
}
