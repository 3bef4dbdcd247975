package storm_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"dcs/bench/netlab"
	"dcs/bench/storm"
)

// Every modem is served over AF_XDP and over AF_PACKET, on a wire with several queues too, and the interface is left as it was.
func TestVia(t *testing.T) {
	for name, tt := range map[string]struct {
		via    storm.Via
		queues int
		want   string
	}{
		"xdp":      {storm.ViaXDP, 1, "AF_XDP"},
		"queues":   {storm.ViaXDP, 3, "AF_XDP"},
		"packet":   {storm.ViaPacket, 1, "AF_PACKET"},
		"auto":     {storm.ViaAuto, 1, "AF_XDP"},
		"too many": {storm.ViaAuto, 17, "AF_PACKET (AF_XDP: 17 receive queues: at most 16)"},
	} {
		t.Run(name, func(t *testing.T) {
			lab := netlab.ForTest(t, netlab.Config{Queues: tt.queues})
			limit(t, lab, "-listen", target4.String())
			cfg := storm.Default()
			cfg.Target, cfg.Count, cfg.Modems, cfg.Via = target4, 2000, 1000, tt.via
			cfg.Expect = block(400)
			res := run(t, lab, cfg)
			if res.Served != 2000 || res.Via != tt.want || res.PacketsSent < 4000 {
				logResult(t, res)
				t.Errorf("via %q, want %q; served %d of 2000", res.Via, tt.want, res.Served)
			}
			if id := netlab.XDPOn(t, lab.Load); id != 0 {
				t.Errorf("program %d is left on the interface", id)
			}
		})
	}
}

// unanswered is an address that nobody has.
var unanswered = netip.MustParseAddrPort("198.19.0.77:69")

// passing attaches an XDP program that passes everything to the load's device.
func passing(t *testing.T, lab *netlab.Lab) {
	t.Helper()
	err := lab.Load.Do(func() error {
		ifi, err := net.InterfaceByName(netlab.Device)
		if err != nil {
			return err
		}
		const xdpPass = 2
		p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.XDP, Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, xdpPass), asm.Return()}})
		if err != nil {
			return err
		}
		defer p.Close()
		l, err := link.AttachXDP(link.XDPOptions{Program: p, Interface: ifi.Index})
		if err == nil {
			t.Cleanup(func() { l.Close() })
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Nothing is sent by AF_XDP from an interface that has an XDP program, which stays there.
func TestForeignProgram(t *testing.T) {
	lab := netlab.ForTest(t, netlab.Config{})
	limit(t, lab, "-listen", target4.String())
	passing(t, lab)
	before := netlab.XDPOn(t, lab.Load)
	cfg := storm.Default()
	cfg.Target, cfg.Count, cfg.Modems = target4, 100, 100
	if res := run(t, lab, cfg); res.Served != 100 || !strings.HasPrefix(res.Via, "AF_PACKET (AF_XDP: attach: another XDP program") {
		t.Errorf("served %d via %s", res.Served, res.Via)
	}
	cfg.Via, cfg.Interface = storm.ViaXDP, netlab.Device
	err := lab.Load.Do(func() error {
		_, err := storm.Run(context.Background(), cfg)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "another XDP program") {
		t.Errorf("--via xdp: %v", err)
	}
	if after := netlab.XDPOn(t, lab.Load); before == 0 || after != before {
		t.Errorf("program %d became %d", before, after)
	}
}

// A second load on an interface would get no answers: the program of the first one takes them. It says so, and starts when it has an
// AF_PACKET socket and modems of its own.
func TestSecond(t *testing.T) {
	lab := netlab.ForTest(t, netlab.Config{})
	limit(t, lab, "-listen", target4.String())
	first := storm.Default()
	first.Target, first.Count, first.Modems, first.Via = target4, 100, 100, storm.ViaXDP
	first.Backoff, first.MaxTime = []time.Duration{time.Second}, time.Minute
	first.Interface, first.SourceMAC, first.GatewayMAC = netlab.Device, netlab.GatewayMAC, netlab.ServerMAC
	first.Rate = 50
	second := first
	second.Via = storm.ViaAuto
	other := second
	other.Via, other.Net, other.Rate = storm.ViaPacket, netip.MustParsePrefix("198.18.0.128/25"), 1000
	tried := false
	first.Progress = func(storm.Progress) {
		if tried {
			return
		}
		tried = true
		err := lab.Load.Do(func() error {
			_, err := storm.Run(t.Context(), second)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "another dcs storm runs over AF_XDP on the interface") {
			t.Errorf("a second load: %v", err)
		}
		if res := run(t, lab, other); res.Served != 100 {
			logResult(t, res)
			t.Errorf("a second load with other modems: served %d of 100", res.Served)
		}
	}
	if res := run(t, lab, first); res.Served != 100 || !tried {
		logResult(t, res)
		t.Errorf("the first load served %d of 100; a second one was tried: %v", res.Served, tried)
	}
}

// A load that is interrupted, or that fails after it has attached its program, detaches it.
func TestInterrupted(t *testing.T) {
	lab := netlab.ForTest(t, netlab.Config{})
	cfg := storm.Default()
	cfg.Target, cfg.Count, cfg.Modems, cfg.Via = target4, 1000, 1000, storm.ViaXDP
	cfg.Interface, cfg.SourceMAC, cfg.GatewayMAC = netlab.Device, netlab.GatewayMAC, netlab.ServerMAC
	ctx, cancel := context.WithCancel(t.Context())
	cfg.Progress = func(storm.Progress) { // while nobody answers
		if netlab.XDPOn(t, lab.Load) == 0 {
			t.Error("no program while the load runs")
		}
		cancel()
	}
	err := lab.Load.Do(func() error {
		res, err := storm.Run(ctx, cfg)
		if err == nil && res.Unfinished == 0 {
			t.Error("the load ended by itself")
		}
		return err
	})
	if id := netlab.XDPOn(t, lab.Load); err != nil || id != 0 {
		t.Errorf("%v; program %d is left", err, id)
	}
	cfg.GatewayMAC, cfg.Progress = nil, nil
	cfg.Target = unanswered
	err = lab.Load.Do(func() error {
		_, err := storm.Run(t.Context(), cfg)
		return err
	})
	if id := netlab.XDPOn(t, lab.Load); err == nil || id != 0 {
		t.Errorf("%v; program %d is left", err, id)
	}
}
