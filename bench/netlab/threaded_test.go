package netlab_test

import (
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dcs/bench/netlab"
	"dcs/bench/require"
)

// The CPU of the receiver pays for what it receives, in a thread that may run nowhere else.
func TestThreaded(t *testing.T) {
	const serverCPU, loadCPU, packets = 1, 0, 20_000
	lab := netlab.ForTest(t, netlab.Config{Threaded: true, ServerCPU: serverCPU, LoadCPU: loadCPU})
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
	}
	to := netip.AddrPortFrom(netlab.ServerAddr4, 7)
	listen(t, lab.Server, to)
	from := listen(t, lab.Load, netip.AddrPortFrom(netlab.LoadAddr4, 0))
	before, err := lab.Server.Polled(netlab.Device)
	if err != nil {
		t.Fatal(err)
	}
	for range packets {
		if _, err := from.WriteToUDPAddrPort([]byte("x"), to); err != nil {
			t.Fatal(err)
		}
	}
	// A packet's way through the kernel takes some 500 ns.
	after, err := lab.Server.Polled(netlab.Device)
	if took := after - before; err != nil || took < packets*50*time.Nanosecond {
		t.Errorf("the server's NAPI thread ran for %v while %d packets arrived, %v", took, packets, err)
	}
}

// A sender faster than the receiver waits, as with a network card; a veth by itself drops what its ring of 256 packets has no room for.
func TestThreadedWaits(t *testing.T) {
	require.Kernel(t, 6, 16, "waiting for a veth's ring")
	lab := netlab.ForTest(t, netlab.Config{Threaded: true}) // the NAPI threads of both ends share CPU 0, perhaps with the sender
	to := netip.AddrPortFrom(netlab.ServerAddr4, 7)
	listen(t, lab.Server, to)
	from := listen(t, lab.Load, netip.AddrPortFrom(netlab.LoadAddr4, 0))
	if err := from.SetWriteDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for range 20_000 {
		if _, err := from.WriteToUDPAddrPort([]byte("x"), to); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := lab.Load.ReadFile("/sys/class/net/" + netlab.Device + "/statistics/tx_dropped"); err != nil || n != "0\n" {
		t.Errorf("%q packets dropped, %v", n, err)
	}
}

func TestNotThreaded(t *testing.T) {
	lab := netlab.ForTest(t, netlab.Config{})
	if pids, err := lab.Server.Pollers(netlab.Device); err != nil || len(pids) > 0 {
		t.Errorf("NAPI threads %v, %v; want none", pids, err)
	}
	if ran, err := lab.Server.Polled(netlab.Device); err != nil || ran != 0 {
		t.Errorf("NAPI threads ran for %v, %v; there are none", ran, err)
	}
}
