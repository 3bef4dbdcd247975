package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"dcs/bench/netlab"
	"dcs/bench/rig"
	"dcs/bench/storm"
	"dcs/fastpath/tftp"
)

// known are the 4,096 modems that an attack must not keep from their files.
var known = netip.MustParsePrefix("198.18.0.0/20")

// load is the downloads of known modems during an attack.
type load struct {
	rate   float64       // downloads a second
	length time.Duration // for how long downloads are begun
}

// fetch makes known modems fetch a file, with three requests at most: after 1 s and after 2 s more without an answer
// they ask again. Every file is checked.
func (v server) fetch(ctx context.Context, l load, name string, cpu int) (r *storm.Result, err error) {
	cfg := storm.Default()
	cfg.Target = netip.AddrPortFrom(netlab.ServerAddr4, 69)
	cfg.Interface, cfg.SourceMAC, cfg.GatewayMAC = netlab.Device, netlab.GatewayMAC, netlab.ServerMAC
	cfg.Via = storm.ViaPacket // AF_XDP would take answers that the attacker listens for at the same device
	cfg.Net, cfg.Modems, cfg.CPU = known, 1<<(32-known.Bits()), cpu
	cfg.Backoff, cfg.Retries, cfg.Restarts = []time.Duration{time.Second, 2 * time.Second}, 2, 0
	cfg.Rate, cfg.Duration, cfg.Drain = l.rate, l.length, 10*time.Second
	if cfg.Name = name; sizes[name] > 0 {
		cfg.Expect = content(name)
	} else { // rendered
		rig.CheckFiles(&cfg)
	}
	err = v.Lab.Load.Do(func() (err error) {
		r, err = storm.Run(ctx, cfg)
		return err
	})
	return r, err
}

// warm fetches some files, so that the server's one-time work is done.
func (v server) warm(ctx context.Context, names []string, cpu int) error {
	for _, name := range names {
		r, err := v.fetch(ctx, load{rate: 100, length: 100 * time.Millisecond}, name, cpu)
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if r.Served == 0 {
			return fmt.Errorf("no modem got %s before the attack: %d wrong %q: %s", name, r.Wrong, r.Examples, v.Log)
		}
	}
	return nil
}

// startDownloads starts n downloads by modems at the load's own address that go on until ctx ends. lost then returns
// how many of them were broken off.
func (v server) startDownloads(ctx context.Context, n int) (lost func() int, err error) {
	var wg sync.WaitGroup
	broken := make([]bool, n)
	for i := range n {
		var conn *net.UDPConn
		err = errors.Join(err, v.Lab.Load.Do(func() (err error) {
			conn, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netlab.LoadAddr4, 0)))
			return err
		}))
		if err != nil {
			break
		}
		wg.Go(func() {
			defer conn.Close()
			broken[i] = !download(ctx, conn)
		})
	}
	return func() int {
		wg.Wait()
		n := 0
		for _, b := range broken {
			if b {
				n++
			}
		}
		return n
	}, err
}

// download fetches the firmware until ctx ends, a block every few milliseconds. It returns false if the server broke it
// off.
func download(ctx context.Context, conn *net.UDPConn) bool {
	const pace = 5 * time.Millisecond
	to := netip.AddrPortFrom(netlab.ServerAddr4, 69)
	last := request(firmware, 0)
	want := uint16(1)
	b := make([]byte, 2048)
	for tries := 0; tries < 3; {
		if _, err := conn.WriteToUDPAddrPort(last, to); err != nil {
			return false
		}
		for end := time.Now().Add(time.Second << tries); ; {
			if err := conn.SetReadDeadline(end); err != nil {
				return false
			}
			n, from, err := conn.ReadFromUDPAddrPort(b)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				tries++
				break
			}
			if err != nil || tftp.Opcode(b[:n]) == tftp.OpERROR {
				return false
			}
			if block, _, err := tftp.ParseDATA(b[:n]); err != nil || block != want {
				continue
			}
			to, tries = from, 0
			last = tftp.AppendACK(nil, want)
			want++
			select {
			case <-ctx.Done():
				_, _ = conn.WriteToUDPAddrPort(tftp.AppendERROR(nil, tftp.CodeUndefined, "enough"), to) // best effort: the transfer ends anyway
				return true
			case <-time.After(pace):
			}
			break
		}
	}
	return false
}

// ephemeral returns the range of ports that Linux picks from.
func ephemeral() (ports []uint16) {
	for p := uint16(32768); p < 61000; p++ {
		ports = append(ports, p)
	}
	return ports
}
