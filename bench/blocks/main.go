// Command blocks measures files of more than one block over sockets and AF_XDP against dnsmasq: server on CPU 0, load on
// CPU 1, two hosts of bench/netlab with threaded NAPI, so that the server's CPU pays for its own receive path, and
// interleaved rounds. It prints a table of ratios. It needs root, two CPUs and dnsmasq.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dcs/bench/netlab"
	"dcs/bench/rig"
	"dcs/bench/storm"
)

// load is a file and how it is requested.
type load struct {
	name    string
	what    string
	size    int // octets
	blksize int // 0: not requested, so 512
	winsize int // 0: not requested, so 1
	window  int // concurrent downloads
	count   int // downloads of one round; 0: as many as end in its time
}

// The packets of all downloads fit into the ring of a veth, 256 of them: what is lost waits for a timeout.
var loads = []load{
	{name: "3k", what: "3 KB at 512", size: 3000, window: 128},
	{name: "20k", what: "20 KB at 1448", size: 20_000, blksize: 1448, window: 128},
	{name: "firmware", what: "16 MiB at 1448, window 1", size: 16 << 20, blksize: 1448, window: 12, count: 12},
	{name: "windows", what: "16 MiB at 1448, window 16", size: 16 << 20, blksize: 1448, winsize: 16, window: 12, count: 12},
}

// first is what a server is asked for until it answers.
var first = load{what: "first file", size: 100, window: 1, count: 1}

type options struct {
	dcs, before, only string
	xdp               bool
	rounds            int
	length, quiet     time.Duration
}

func main() {
	var opt options
	flag.StringVar(&opt.dcs, "dcs", "bin/dcs", "`path` of the dcs binary")
	flag.StringVar(&opt.before, "before", "", "`path` of an earlier dcs binary, for comparison")
	flag.StringVar(&opt.only, "only", "", "measure only these comma-separated `loads`: "+strings.Join(names(), ", "))
	flag.BoolVar(&opt.xdp, "xdp", true, "include dcs over AF_XDP")
	flag.IntVar(&opt.rounds, "rounds", 5, "`number` of rounds")
	flag.DurationVar(&opt.length, "length", time.Second, "`time` of one contestant's round with small files")
	flag.DurationVar(&opt.quiet, "quiet", 0, "wait at most this `time` before each round for the machine to become idle")
	rig.Main(opt.run)
}

func names() (n []string) {
	for _, l := range loads {
		n = append(n, l.name)
	}
	return n
}

func (opt *options) run(ctx context.Context, w io.Writer) (err error) {
	wanted := loads
	if opt.only != "" {
		wanted = nil
		for _, name := range strings.Split(opt.only, ",") {
			i := slices.Index(names(), name)
			if i < 0 {
				return fmt.Errorf("no load %q: there are %s", name, strings.Join(names(), ", "))
			}
			wanted = append(wanted, loads[i])
		}
	}
	dir, err := os.MkdirTemp("", "dcs-blocks-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	bodies := map[int][]byte{}
	for _, l := range append(wanted, first) {
		b := make([]byte, l.size)
		for i := range b {
			b[i] = byte(i * 7 >> 3)
		}
		bodies[l.size] = b
		if err := os.WriteFile(filepath.Join(dir, l.file()), b, 0o644); err != nil {
			return err
		}
	}
	if err := netlab.PinProcess(rig.LoadCPU); err != nil {
		return err
	}
	list, err := servers(opt, dir)
	defer func() {
		for _, s := range list {
			err = errors.Join(err, s.stop())
		}
	}()
	if err != nil {
		return err
	}
	for _, s := range list {
		if err := s.ready(ctx); err != nil {
			return err
		}
	}
	t := tally{}
	for round := range opt.rounds {
		for _, l := range wanted {
			for i := range list {
				s := list[(round+i)%len(list)] // rotate, so that no server always follows the same one
				if _, err := rig.Quiet(ctx, opt.quiet); err != nil {
					return err
				}
				m, err := s.measure(ctx, l, bodies[l.size], opt.length)
				if err != nil {
					return err
				}
				t.add(l, s, m)
				fmt.Fprintf(os.Stderr, "round %d: %-24s %-12s %9.0f files/s %7.1f MB/s, %6.2f µs a block, load %3.0f %% busy\n",
					round+1, l.what, s.name, m.rate, m.mbs, m.perBlock, 100*m.load)
			}
		}
	}
	_, err = io.WriteString(w, t.report(wanted, list)+rig.Facts(rig.Command()))
	return err
}

func (l load) file() string { return fmt.Sprintf("%d.bin", l.size) }

// blocks returns the number of blocks of the file.
func (l load) blocks() int {
	blksize := l.blksize
	if blksize == 0 {
		blksize = 512
	}
	return l.size/blksize + 1
}

// sample is one round of one server.
type sample struct {
	rate, mbs float64 // files and 10^6 octets per second
	perBlock  float64 // µs of the server's process and of the kernel thread that receives for it
	load      float64 // how busy the load was, 0 to 1
}

func (s *server) measure(ctx context.Context, l load, body []byte, length time.Duration) (sample, error) {
	cfg := storm.Default()
	cfg.Target = netip.AddrPortFrom(netlab.ServerAddr4, s.port)
	cfg.Interface, cfg.SourceMAC, cfg.GatewayMAC = netlab.Device, netlab.GatewayMAC, netlab.ServerMAC
	cfg.CPU = rig.LoadCPU
	// Ports differ in each run: a server may still repeat blocks of an earlier one.
	s.runs++
	cfg.Seed = uint64(s.port)<<32 | s.runs
	cfg.Window, cfg.Name, cfg.Expect = l.window, l.file(), body
	cfg.BlkSize, cfg.WinSize, cfg.Count = l.blksize, l.winsize, l.count
	// A lost packet must not block a place in the window for four seconds.
	cfg.Backoff, cfg.Restarts = []time.Duration{200 * time.Millisecond}, 0
	if l.count == 0 {
		cfg.Duration, cfg.Drain = length, 300*time.Millisecond
	}
	res, err := rig.Measure(s.lab, s.cmd.Process.Pid, func() (res *storm.Result, err error) {
		err = s.lab.Load.Do(func() (err error) {
			res, err = storm.Run(ctx, cfg)
			return err
		})
		return res, errors.Join(err, ctx.Err())
	})
	if err != nil {
		return sample{}, err
	}
	if res.Wrong > 0 || res.Served == 0 {
		return sample{}, fmt.Errorf("%s, %s: %d files served, %d wrong: %s", s.name, l.what, res.Served, res.Wrong, strings.Join(res.Examples, "; "))
	}
	blocks := float64(res.Bytes) / float64(l.size) * float64(l.blocks())
	m := sample{
		rate: res.Rate, mbs: float64(res.Bytes) / res.Elapsed / 1e6,
		perBlock: float64(res.CPU.Nanoseconds()) / 1e3 / blocks, load: res.LoadBusy,
	}
	if l.count > 0 {
		m.rate = float64(res.Served) / res.Elapsed
	}
	return m, nil
}

// ready waits until the server serves a file.
func (s *server) ready(ctx context.Context) error {
	err := errors.New("no answer")
	for end := time.Now().Add(20 * time.Second); err != nil && time.Now().Before(end) && ctx.Err() == nil; {
		_, err = s.measure(ctx, first, nil, 0)
	}
	return err
}
