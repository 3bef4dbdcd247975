package main

import (
	"context"
	be "encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dcs/bench/afpacket"
	"dcs/bench/netlab"
	"dcs/bench/storm"
)

// floodFrames sends n requests, each from a random address and port, to the lab's server.
func floodFrames(lab *netlab.Lab, n int) error {
	return lab.Load.Do(func() error {
		s, err := afpacket.Open(netlab.Device, afpacket.Config{Slots: 64})
		if err != nil {
			return err
		}
		defer s.Close()
		const ip, udp, payload = 14, 34, 42
		f := make([]byte, payload, 64)
		f = append(f, "\x00\x01x\x00octet\x00"...)
		copy(f, netlab.ServerMAC)
		copy(f[6:], netlab.GatewayMAC)
		be.BigEndian.PutUint16(f[12:], unix.ETH_P_IP)
		f[ip], f[ip+8], f[ip+9] = 0x45, 64, unix.IPPROTO_UDP
		be.BigEndian.PutUint16(f[ip+2:], uint16(len(f)-ip))
		copy(f[ip+16:], netlab.ServerAddr4.AsSlice())
		be.BigEndian.PutUint16(f[udp+2:], 69)
		be.BigEndian.PutUint16(f[udp+4:], uint16(len(f)-udp)) // without a checksum, which IPv4 allows
		rnd := rand.New(rand.NewPCG(1, 2))
		for range n {
			source := 1<<24 + rnd.Uint32N(126<<24-1<<24) // 1.0.0.0 to 125.255.255.255
			be.BigEndian.PutUint32(f[ip+12:], source)
			be.BigEndian.PutUint16(f[udp:], 1024+uint16(rnd.Uint32N(60000)))
			f[ip+10], f[ip+11] = 0, 0
			var sum uint32
			for i := ip; i < udp; i += 2 {
				sum += uint32(be.BigEndian.Uint16(f[i:]))
			}
			sum = sum&0xffff + sum>>16
			be.BigEndian.PutUint16(f[ip+10:], ^uint16(sum+sum>>16))
			slot := s.Slot()
			s.Commit(copy(slot[:cap(slot)], f))
		}
		s.Flush()
		return nil
	})
}

// rss returns the memory of the server in octets.
func (p *process) rss() int {
	p.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	if err != nil {
		p.t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// A million requests from random sources: the modems that may ask are served, and the memory stays as it is. With a rate
// instead of an ACL, which remembers sources, it is bounded too.
func TestRandomSources(t *testing.T) {
	for _, transport := range []string{"xdp", "socket"} {
		for _, limit := range [][]string{{"--allow", netlab.ModemNet4.String()}, {"--rate", "100"}} {
			t.Run(transport+limit[0], func(t *testing.T) {
				lab := netlab.ForTest(t, netlab.Config{})
				dir := static(t, map[string]string{"modem": strings.Repeat("text", 2000), "x": "x"})
				p := labServe(t, lab, append([]string{"--static", dir, "--transport", transport, "--transfers", "4096"}, limit...)...)
				if err := floodFrames(lab, 50_000); err != nil { // whatever grows with the first packets has grown
					t.Fatal(err)
				}
				before := p.rss()
				flood := make(chan error, 1)
				go func() { flood <- floodFrames(lab, 1_000_000) }()
				if limit[0] == "--allow" {
					cfg := storm.Default()
					cfg.Target = netip.AddrPortFrom(netlab.ServerAddr4, 69)
					cfg.Name, cfg.Modems, cfg.Within, cfg.CPU = "modem", 1000, 2*time.Second, -1
					cfg.Interface, cfg.SourceMAC, cfg.GatewayMAC = netlab.Device, netlab.GatewayMAC, netlab.ServerMAC
					cfg.Backoff = []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second}
					var res *storm.Result
					err := lab.Load.Do(func() (err error) {
						res, err = storm.Run(context.Background(), cfg)
						return err
					})
					if err != nil {
						t.Fatal(err)
					}
					if res.Served != cfg.Modems || res.Failed+res.Wrong+res.Unfinished != 0 {
						t.Errorf("served %d, wrong %d, failed %d, unfinished %d", res.Served, res.Wrong, res.Failed, res.Unfinished)
					}
				}
				if err := <-flood; err != nil {
					t.Fatal(err)
				}
				after := p.rss()
				t.Logf("memory: %.1f MB before a million requests, %.1f MB after", float64(before)/1e6, float64(after)/1e6)
				if after > before+16<<20 {
					t.Errorf("memory grew from %d to %d octets", before, after)
				}
				if err := p.stop(syscall.SIGTERM); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
