package netlab_test

import (
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"dcs/bench/netlab"
)

// listen opens a UDP socket in a host.
func listen(t *testing.T, h *netlab.Host, addr netip.AddrPort) *net.UDPConn {
	t.Helper()
	var conn *net.UDPConn
	err := h.Do(func() error {
		var err error
		conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func echo(c *net.UDPConn) {
	buf := make([]byte, 9000)
	for {
		n, from, err := c.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if _, err := c.WriteToUDPAddrPort(buf[:n], from); err != nil {
			return
		}
	}
}

func ping(t *testing.T, lab *netlab.Lab, server, load netip.Addr, size int) {
	t.Helper()
	to := netip.AddrPortFrom(server, 7)
	go echo(listen(t, lab.Server, to))
	c := listen(t, lab.Load, netip.AddrPortFrom(load, 0))
	sent := []byte(strings.Repeat("x", size))
	got := make([]byte, 9000)
	if err := c.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.WriteToUDPAddrPort(sent, to); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(got); err != nil || string(got[:n]) != string(sent) {
		t.Fatalf("from %s: %d bytes, %v", server, n, err)
	}
}

func TestHostsReachOneAnother(t *testing.T) {
	for name, cfg := range map[string]netlab.Config{
		"plain":  {},
		"polled": {Threaded: true, ServerCPU: 0, LoadCPU: 0},
		"shim":   {Faults: &netlab.Faults{}},
		"jumbo":  {MTU: 9000},
	} {
		t.Run(name, func(t *testing.T) {
			size := max(cfg.MTU, 1500) - 48 // behind the IPv6 and UDP headers
			lab := netlab.ForTest(t, cfg)
			ping(t, lab, netlab.ServerAddr4, netlab.LoadAddr4, size)
			ping(t, lab, netlab.ServerAddr6, netlab.LoadAddr6, size)
		})
	}
}

func TestSeveralLabsAtOnce(t *testing.T) {
	netlab.ForTest(t, netlab.Config{}) // decides whether to skip
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			lab, err := netlab.New(netlab.Config{})
			if err != nil {
				t.Error(err)
				return
			}
			if err := lab.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestProcessLivesInItsHostAndEndsWithTheLab(t *testing.T) {
	netlab.ForTest(t, netlab.Config{})
	lab, err := netlab.New(netlab.Config{})
	if err != nil {
		t.Fatal(err)
	}
	out := new(strings.Builder)
	cmd := exec.Command("cat", "/proc/net/dev", "/proc/self/status")
	cmd.Stdout = out
	if err := lab.Server.Run(cmd, 0); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), netlab.Device) {
		t.Errorf("the process does not see the host's device:\n%s", out)
	}
	if !strings.Contains(out.String(), "Cpus_allowed_list:\t0\n") {
		t.Errorf("the process is not pinned to CPU 0:\n%s", out)
	}
	// The shell's child holds the pipe's other end for as long as it lives.
	sleep := exec.Command("sh", "-c", "sleep 60 & wait")
	held, err := sleep.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := lab.Server.Start(sleep); err != nil {
		t.Fatal(err)
	}
	if err := lab.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, held); n != 0 || err != nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
	if err := sleep.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("after Close: %v, want signal: killed", err)
	}
	if _, err := os.Stat("/sys/class/net/" + netlab.Device); err == nil {
		t.Error("the device stands in the caller's own namespace")
	}
}

// TestFaultRates sends numbered packets one way and compares what arrives with what was asked for.
func TestFaultRates(t *testing.T) {
	const packets = 20000
	rates := netlab.Rates{Drop: 0.05, Duplicate: 0.03, Reorder: 0.02, Corrupt: 0.04}
	lab := netlab.ForTest(t, netlab.Config{Faults: &netlab.Faults{Seed: 7, ToServer: rates}})
	to := netip.AddrPortFrom(netlab.ServerAddr4, 7)
	server := listen(t, lab.Server, to)
	if err := server.SetReadBuffer(8 << 20); err != nil {
		t.Fatal(err)
	}
	load := listen(t, lab.Load, netip.AddrPortFrom(netlab.LoadAddr4, 0))
	seen := map[string]int{}
	late, last := 0, ""
	buf := make([]byte, 64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if err := server.SetReadDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
				return
			}
			n, err := server.Read(buf)
			if err != nil {
				return
			}
			s := string(buf[:n])
			seen[s]++
			if s < last {
				late++
			} else {
				last = s
			}
		}
	}()
	for i := range packets {
		if _, err := fmt.Fprintf(writerTo{load, to}, "%06d", i); err != nil {
			t.Fatal(err)
		}
		if i%200 == 199 {
			time.Sleep(2 * time.Millisecond) // the receiver's buffer is not what is tested
		}
	}
	<-done
	st := lab.FaultStats().ToServer
	if st.Packets != packets {
		t.Fatalf("the wire saw %d packets, want %d", st.Packets, packets)
	}
	near := func(what string, got uint64, p float64) {
		t.Helper()
		want := p * packets
		if sigma := math.Sqrt(want * (1 - p)); math.Abs(float64(got)-want) > 5*sigma {
			t.Errorf("%s: %d of %d, want about %.0f", what, got, packets, want)
		}
	}
	passed := 1 - rates.Drop
	near("dropped", st.Dropped, rates.Drop)
	near("reordered", st.Reordered, passed*rates.Reorder)
	near("duplicated", st.Duplicated, passed*(1-rates.Reorder)*rates.Duplicate)
	near("corrupted", st.Corrupted, passed*rates.Corrupt)
	twice := 0
	for _, n := range seen {
		if n == 2 {
			twice++
		}
	}
	// A flipped bit never reaches the application: the kernel checks both checksums, or the packet is not for us.
	near("arrived", uint64(len(seen)), passed*(1-rates.Corrupt))
	near("arrived twice", uint64(twice), passed*(1-rates.Reorder)*(1-rates.Corrupt)*rates.Duplicate)
	near("arrived late", uint64(late), passed*rates.Reorder*(1-rates.Corrupt))
}

type writerTo struct {
	conn *net.UDPConn
	to   netip.AddrPort
}

func (w writerTo) Write(b []byte) (int, error) { return w.conn.WriteToUDPAddrPort(b, w.to) }

// The host behind the load is reached by what its link takes.
func TestFar(t *testing.T) {
	lab := netlab.ForTest(t, netlab.Config{})
	far, err := lab.Far(1280)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		server, client netip.Addr
		size           int
	}{{netlab.ServerAddr4, netlab.FarAddr4, 1252}, {netlab.ServerAddr6, netlab.FarAddr6, 1232}} {
		ping(t, &netlab.Lab{Server: lab.Server, Load: far}, tt.server, tt.client, tt.size)
	}
}
