package bpf

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dcs/bench/netlab"
)

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
