package main

import (
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"dcs/bench/netlab"
	"dcs/bench/rig"
	"dcs/bench/storm"
)

// Every way to answer serves every request, with the right checksums: the load checks those.
func TestLimits(t *testing.T) {
	netlab.ForTest(t, netlab.Config{}) // decides whether to skip
	bin, err := rig.Build(t.Context(), t.TempDir(), "./bench/limit")
	if err != nil {
		t.Fatal(err)
	}
	const size, n = 400, 256
	block := newBlock(size).octets[4:]
	long := strings.Repeat("x", size-5) // a request for it is as long as the answer
	for _, tt := range []struct {
		transport, name string
		body            []byte
	}{{"socket", "a", block}, {"xdp", "a", block}, {"xdp", long, block}, {"tx", long, nil}} {
		t.Run(tt.transport+" "+tt.name[:1], func(t *testing.T) {
			lab := netlab.ForTest(t, rig.TH1.Config())
			cmd := exec.Command(bin, "-transport", tt.transport, "-interface", netlab.Device, "-listen", "198.19.0.1:1069")
			log := &rig.Log{}
			cmd.Stdout, cmd.Stderr = log, log
			if err := lab.Server.Start(cmd); err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = cmd.Process.Kill()
				_ = cmd.Wait() // says that it was killed
			}()
			cfg := storm.Default()
			cfg.Target = netip.MustParseAddrPort("198.19.0.1:1069")
			cfg.Interface, cfg.SourceMAC, cfg.GatewayMAC = netlab.Device, netlab.GatewayMAC, netlab.ServerMAC
			if tt.transport != "socket" {
				cfg.Via = storm.ViaXDP
			}
			cfg.Window, cfg.Count, cfg.Name, cfg.Expect = 128, n, tt.name, tt.body
			cfg.Backoff, cfg.Retries, cfg.Restarts = []time.Duration{200 * time.Millisecond}, 150, 0 // the program may not be ready yet
			var res *storm.Result
			err := lab.Load.Do(func() (err error) {
				res, err = storm.Run(t.Context(), cfg)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if res.Served != n || res.Bytes != n*size || res.PacketsDamaged > 0 {
				var text strings.Builder
				_ = res.Text(&text)
				t.Errorf("%s%s", &text, log)
			}
		})
	}
}

func TestFold(t *testing.T) {
	for sum, want := range map[uint32]uint16{0: 0xffff, 0xffff: 0xffff, 0x1fffe: 0xffff, 1: 0xfffe, 0x20001: 0xfffc} {
		if got := fold(sum); got != want {
			t.Errorf("%#x: %#x, want %#x", sum, got, want)
		}
	}
}
