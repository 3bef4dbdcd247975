package storm

import (
	"net"
	"net/netip"
	"runtime"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	attachment "github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"dcs/bench/netlab"
)

// BenchmarkSend sends requests to a host that drops them where they arrive; cpu-ns is the time of the sending thread, which receives them too.
func BenchmarkSend(b *testing.B) {
	for _, via := range []Via{ViaXDP, ViaPacket} {
		b.Run(viaNames[via], func(b *testing.B) {
			lab := netlab.ForTest(b, netlab.Config{})
			drop(b, lab)
			cfg := Default()
			cfg.Target = netip.AddrPortFrom(netlab.ServerAddr4, 69)
			cfg.Interface, cfg.SourceMAC, cfg.GatewayMAC, cfg.Via = netlab.Device, netlab.GatewayMAC, netlab.ServerMAC, via
			cfg.Count = 1
			if err := cfg.complete(); err != nil {
				b.Fatal(err)
			}
			err := lab.Load.Do(func() error {
				l, _, err := openLink(&cfg)
				if err != nil {
					return err
				}
				defer l.close()
				request := []byte("\x00\x01modem12345.bin\x00octet\x00")
				before := threadTime()
				b.ResetTimer()
				for i := range b.N {
					l.send(i&0xffff, 2000, 69, append(l.slot(), request...))
					if i%64 == 63 {
						l.flush()
					}
				}
				l.flush()
				b.StopTimer()
				b.ReportMetric(float64(threadTime()-before)/float64(b.N), "cpu-ns/op")
				if st := l.stats(); st.unsent > 0 {
					b.Logf("%d of %d not sent", st.unsent, b.N)
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}

// threadTime returns the CPU time of this thread, ns.
func threadTime() int64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts)
	return ts.Nano()
}

// drop makes the server's device drop all packets.
func drop(tb testing.TB, lab *netlab.Lab) {
	tb.Helper()
	const xdpDrop = 1
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.XDP, Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, xdpDrop), asm.Return()}})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { p.Close() })
	err = lab.Server.Do(func() error {
		ifi, err := net.InterfaceByName(netlab.Device)
		if err != nil {
			return err
		}
		l, err := attachment.AttachXDP(attachment.XDPOptions{Program: p, Interface: ifi.Index})
		if err == nil {
			tb.Cleanup(func() { l.Close() })
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
}
