// Command peers measures DCS against its alternatives (dnsmasq, tftpd-hpa, atftpd) and against the limit, all in one
// run: server on CPU 0, load on CPU 1, two hosts of bench/netlab for each server, so that none pays for programs that
// another attaches, and interleaved rounds, so that a disturbance affects all of them. Over AF_XDP, dcs and the limit are
// also offered more than they can serve.
// It prints a table of ratios. It needs root, two CPUs, and Debian's apt-get and dpkg.
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
	"runtime"
	"strings"
	"time"

	"dcs/bench/netlab"
	"dcs/bench/rig"
	"dcs/bench/storm"
)

const serverCPU, loadCPU = rig.ServerCPU, rig.LoadCPU

// openRates are the rates offered in open loop over AF_XDP, in requests per second: one above what any contestant can
// serve, one near that, and one that sockets serve as well.
var openRates = []float64{400_000, 300_000, 150_000}

type options struct {
	dcs, before, library, name, debs string
	dcsArgs                          []string
	peers, xdp, busy, closed         bool
	th0                              bool
	rounds, size, window             int
	length, quiet                    time.Duration
}

// sample is one round of one contestant.
type sample struct {
	rig.Round
	others float64 // load of the busier CPU just before the round, 0 to 1
}

func main() {
	var opt options
	dcsArgs := ""
	cache, _ := os.UserCacheDir()
	flag.StringVar(&opt.dcs, "dcs", "", "`path` of the dcs binary (default: without dcs)")
	flag.StringVar(&opt.before, "before", "", "`path` of an earlier dcs binary, for comparison")
	flag.StringVar(&dcsArgs, "dcs-args", "", "more `arguments` of dcs serve, separated by spaces")
	flag.StringVar(&opt.library, "library", "bench/peers/library", "`directory` of the template that dcs renders")
	flag.StringVar(&opt.name, "name", "isrrip{cpe}bw{tier}.bin", "`template` of the names of rendered files")
	flag.BoolVar(&opt.peers, "peers", true, "include the peers")
	flag.StringVar(&opt.debs, "debs", filepath.Join(cache, "dcs-peers"), "cache `directory` of the peers' packages")
	flag.BoolVar(&opt.th0, "th0", false, "the wire on which the sender's CPU pays for receiving (see bench/results/README.md)")
	flag.BoolVar(&opt.xdp, "xdp", true, "include the limit and dcs over AF_XDP")
	flag.BoolVar(&opt.closed, "closed", false, "closed loop only, also over AF_XDP")
	flag.BoolVar(&opt.busy, "busy-poll", false, "busy-poll the device in the limit over AF_XDP")
	flag.IntVar(&opt.rounds, "rounds", 5, "`number` of rounds")
	flag.IntVar(&opt.window, "window", 0, "concurrent downloads of the limit and of dcs; 0: the best of several for each")
	flag.IntVar(&opt.size, "size", 400, "`bytes` of the static file")
	flag.DurationVar(&opt.length, "length", time.Second, "`time` of one contestant's round")
	flag.DurationVar(&opt.quiet, "quiet", 0, "wait at most this `time` before each round for the machine to become idle")
	rig.Main(func(ctx context.Context, w io.Writer) error {
		opt.dcsArgs = strings.Fields(dcsArgs)
		return opt.run(ctx, w)
	})
}

func (opt options) wire() rig.Wire {
	if opt.th0 {
		return rig.TH0
	}
	return rig.TH1
}

func (opt options) run(ctx context.Context, w io.Writer) (err error) {
	if runtime.NumCPU() < 2 {
		return errors.New("two CPUs required: one for the server, one for the load")
	}
	if opt.rounds < 1 || opt.size < 1 || opt.size > 511 {
		return errors.New("rounds must be at least 1, the size 1 to 511")
	}
	dir, err := os.MkdirTemp("", "dcs-peers-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	list, err := servers(dir, opt)
	if err != nil {
		return err
	}
	if err := netlab.PinProcess(loadCPU); err != nil {
		return err
	}
	defer func() {
		for _, c := range list {
			if c.lab != nil {
				err = errors.Join(err, c.lab.Close())
			}
			if c.cmd.Process != nil {
				_ = c.cmd.Wait() // killed with the lab
			}
		}
	}()
	for _, c := range list {
		if c.lab, err = netlab.New(opt.wire().Config()); err != nil {
			return err
		}
		if err := c.lab.Server.Start(c.cmd, serverCPU); err != nil {
			return fmt.Errorf("start %s: %w", c.name, err)
		}
		if err := c.ready(ctx); err != nil {
			return err
		}
	}
	for _, c := range list {
		if err := c.calibrate(ctx); err != nil {
			return err
		}
	}
	for round := range opt.rounds {
		for i := range list {
			c := list[(round+i)%len(list)] // rotate, so that no contestant always follows the same one
			others, err := rig.Quiet(ctx, opt.quiet)
			if err != nil {
				return err
			}
			s, err := c.measure(ctx, c.window, 0, opt.length)
			if err != nil {
				return err
			}
			s.others = others
			c.rounds = append(c.rounds, s)
			fmt.Fprintf(os.Stderr, "round %d: %-21s %8.0f files/s, server %3.0f %%, load %3.0f %% busy; others before %3.0f %%\n",
				round+1, c.name, s.Rate, 100*s.ServerBusy, 100*s.LoadBusy, 100*s.others)
			alone, err := c.measure(ctx, 1, 0, opt.length/4)
			if err != nil {
				return err
			}
			c.alone = append(c.alone, alone)
			if !c.xdp || opt.closed {
				continue
			}
			c.open = append(c.open, nil)
			for _, rate := range openRates {
				s, err := c.measure(ctx, 0, rate, opt.length)
				if err != nil {
					return err
				}
				s.others = others
				c.open[round] = append(c.open[round], s)
				fmt.Fprintf(os.Stderr, "round %d: %-21s %8.0f of %.0f files/s, p50 %.0f µs, server %3.0f %%, load %3.0f %% busy\n",
					round+1, c.name, s.Rate, rate, s.Latency.P50, 100*s.ServerBusy, 100*s.LoadBusy)
			}
		}
	}
	_, err = io.WriteString(w, report(list, opt))
	return err
}

func (c *contestant) config(window int) storm.Config {
	cfg := storm.Default()
	cfg.Target = netip.AddrPortFrom(netlab.ServerAddr4, c.port)
	cfg.Interface, cfg.SourceMAC, cfg.GatewayMAC = netlab.Device, netlab.GatewayMAC, netlab.ServerMAC
	cfg.CPU = loadCPU
	// Ports differ in each run: a server may still repeat blocks of an earlier one.
	c.runs++
	cfg.Seed = uint64(c.port)<<32 | c.runs
	cfg.Window, cfg.Name, cfg.Expect, cfg.Verify = window, c.file, c.expect, c.verify
	// A lost packet must not block a place in the window for four seconds.
	cfg.Backoff = []time.Duration{200 * time.Millisecond}
	cfg.Restarts = 0
	return cfg
}

func (c *contestant) load(ctx context.Context, cfg storm.Config) (res *storm.Result, err error) {
	err = c.lab.Load.Do(func() (err error) {
		res, err = storm.Run(ctx, cfg)
		return err
	})
	return res, errors.Join(err, ctx.Err())
}

// ready waits until the server answers correctly, at most ten seconds.
func (c *contestant) ready(ctx context.Context) error {
	cfg := c.config(1)
	cfg.Count, cfg.Retries = 1, 50
	res, err := c.load(ctx, cfg)
	if err != nil {
		return err
	}
	if res.Served != 1 {
		var b strings.Builder
		_ = res.Text(&b)
		return fmt.Errorf("%s did not serve %s:\n%s", c.name, c.file, &b)
	}
	return nil
}

// calibrate finds the window with the highest rate. A window in which downloads fail is too large.
func (c *contestant) calibrate(ctx context.Context) error {
	best := 0.0
	for _, w := range c.windows {
		s, err := c.measure(ctx, w, 0, 300*time.Millisecond)
		if err != nil {
			return err
		}
		if s.Failed+s.Unfinished > 0 {
			s.Rate = 0
		}
		if c.window == 0 || s.Rate > best {
			c.window, best = w, s.Rate
		}
	}
	return nil
}

// measure runs a closed loop or, with a rate, an open one.
func (c *contestant) measure(ctx context.Context, window int, rate float64, length time.Duration) (sample, error) {
	cfg := c.config(window)
	cfg.Rate = rate
	cfg.Duration, cfg.Drain = length, 300*time.Millisecond
	r, err := rig.Measure(c.lab, c.cmd.Process.Pid, func() (*storm.Result, error) { return c.load(ctx, cfg) })
	if err != nil {
		return sample{}, err
	}
	s := sample{Round: r}
	if s.Wrong > 0 {
		return s, fmt.Errorf("%s: %d wrong files: %s", c.name, s.Wrong, strings.Join(s.Examples, "; "))
	}
	return s, nil
}
