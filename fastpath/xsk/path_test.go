package xsk_test

import (
	"fmt"
	"net/netip"
	"testing"

	"dcs/bench/netlab"
	"dcs/fastpath"
	"dcs/fastpath/internal/conform"
	"dcs/fastpath/tftp"
	"dcs/fastpath/transfer"
	"dcs/fastpath/udp"
)

// A client behind a link with an MTU of 1,280 octets is served over either family with any block size: with one timeout
// where a router has to report that blocks are too long, and none where it may fragment.
func TestNarrowPath(t *testing.T) {
	for _, tt := range []struct {
		name string
		raw  bool // of sockets
		xdp  bool
		most []int // sizes of blocks beside the common ones
	}{
		{name: "AF_XDP", xdp: true},
		{name: "sockets", most: []int{8192}},
		{name: "raw sockets", raw: true, most: []int{8192}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t, netlab.Config{})
			far, err := w.Far(1280)
			if err != nil {
				t.Fatal(err)
			}
			body := conform.Pattern(30000)
			for _, ends := range [][2]netip.Addr{{netlab.ServerAddr4, netlab.FarAddr4}, {netlab.ServerAddr6, netlab.FarAddr6}} {
				t.Run(ends[1].String(), func(t *testing.T) {
					n := &network{wire: w, server: ends[0], client: ends[1], workers: 1}
					serve := n.Serve
					if !tt.xdp {
						serve = n.socketServe(tt.raw)
					}
					server, stats := serve(t, conform.Setup{Renderer: conform.Files{"file": body}})
					narrowPath(t, tt.most, func(o tftp.Options) uint64 {
						before := stats().Transfers[transfer.TimedOut]
						conform.Fetch(t, newClient(t, far, ends[1]), server, "file", o, body)
						after := stats()
						if after.SendErrors > 0 {
							t.Fatalf("%d send errors", after.SendErrors)
						}
						return after.Transfers[transfer.TimedOut] - before
					})
					if tt.xdp && n.transports[0].Stats().Sent == 0 {
						t.Error("nothing was sent past the kernel")
					}
				})
			}
		})
	}
}

// narrowPath fetches with all block sizes. fetch returns the number of timeouts.
func narrowPath(t *testing.T, more []int, fetch func(tftp.Options) uint64) {
	t.Helper()
	for _, window := range []int{1, 8} {
		for _, size := range append([]int{0, 512, 1024, 1200, 1228, 1232, 1233, 1248, 1249, 1428, 1448, 1468}, more...) {
			o := tftp.Options{Has: tftp.Blksize | tftp.Windowsize, Blksize: size, Windowsize: window}
			if size == 0 {
				o = tftp.Options{}
			}
			if lost := fetch(o); lost > 2 {
				t.Errorf("blocks of %d in windows of %d: %d time-outs", size, window, lost)
			}
		}
	}
}

// socketServe is Serve by the kernel's sockets alone.
func (n *network) socketServe(raw bool) func(testing.TB, conform.Setup) (netip.AddrPort, func() fastpath.Stats) {
	return func(t testing.TB, cfg conform.Setup) (netip.AddrPort, func() fastpath.Stats) {
		var ts []fastpath.Transport
		at := netip.AddrPortFrom(n.server, port)
		err := n.Server.Do(func() error {
			us, err := udp.Open(udp.Config{Listen: []netip.AddrPort{at}, Raw: raw}, n.workers)
			if err != nil {
				return err
			}
			for _, u := range us {
				ts = append(ts, u)
				if w := u.Warnings(); len(w) > 0 {
					return fmt.Errorf("%v", w)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Server.Drain = -1
		s := fastpath.NewServer(cfg.Server, ts, func(int) fastpath.Renderer { return cfg.Renderer }, clock)
		run(t, s)
		return at, func() (sum fastpath.Stats) {
			for _, st := range s.Stats() {
				sum.Add(&st)
			}
			return sum
		}
	}
}
