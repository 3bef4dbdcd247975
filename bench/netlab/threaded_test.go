package netlab_test

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dcs/bench/netlab"
)

// ran returns how long a thread has run.
func ran(t *testing.T, pid int) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	if err != nil {
		t.Fatal(err)
	}
	var ns time.Duration
	if _, err := fmt.Sscan(string(b), &ns); err != nil {
		t.Fatal(err)
	}
	return ns
}

// The CPU of the receiver pays for what it receives, in a thread that may run nowhere else.
func TestThreaded(t *testing.T) {
	const serverCPU, loadCPU, packets = 1, 0, 20_000
	lab := netlab.ForTest(t, netlab.Config{Threaded: true, ServerCPU: serverCPU, LoadCPU: loadCPU})
	var pollers []int
	for _, c := range []struct {
		host *netlab.Host
		cpu  int
	}{{lab.Server, serverCPU}, {lab.Load, loadCPU}} {
		pids, err := c.host.Pollers(netlab.Device)
		if err != nil || len(pids) != 1 {
			t.Fatalf("NAPI threads %v, %v; want one", pids, err)
		}
		var set unix.CPUSet
		if err := unix.SchedGetaffinity(pids[0], &set); err != nil {
			t.Fatal(err)
		}
		if set.Count() != 1 || !set.IsSet(c.cpu) {
			t.Errorf("NAPI thread %d may run on %d CPUs, want CPU %d alone", pids[0], set.Count(), c.cpu)
		}
		pollers = append(pollers, pids[0])
	}
	to := netip.AddrPortFrom(netlab.ServerAddr4, 7)
	listen(t, lab.Server, to)
	from := listen(t, lab.Load, netip.AddrPortFrom(netlab.LoadAddr4, 0))
	before := ran(t, pollers[0])
	for range packets {
		if _, err := from.WriteToUDPAddrPort([]byte("x"), to); err != nil {
			t.Fatal(err)
		}
	}
	// A packet's way through the kernel takes some 500 ns.
	if took := ran(t, pollers[0]) - before; took < packets*50*time.Nanosecond {
		t.Errorf("the server's NAPI thread ran for %v while %d packets arrived", took, packets)
	}
}

func TestNotThreaded(t *testing.T) {
	lab := netlab.ForTest(t, netlab.Config{})
	if pids, err := lab.Server.Pollers(netlab.Device); err != nil || slices.ContainsFunc(pids, func(pid int) bool { return pid != 0 }) {
		t.Errorf("NAPI threads %v, %v; want none", pids, err)
	}
}
