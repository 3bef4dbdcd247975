// Command flood measures what happens to modems while others flood the server, over sockets and over XDP, with and
// without limits, and the CPU time that a million requests cost over each.
//
// It needs root and two CPUs: CPU 0 for the server, CPU 1 for the load.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"dcs/bench/netlab"
	"dcs/bench/rig"
	"dcs/bench/storm"
)

const (
	modems   = 1024 // inside allowed
	file     = "modem.bin"
	fileSize = 400
)

// Prefix of the modems that count; the flood is outside.
var allowed = netip.MustParsePrefix("198.18.0.0/22")

type settings struct {
	dcs      string
	rate     float64
	flood    float64
	duration time.Duration
	rounds   int
}

func main() {
	var s settings
	flag.StringVar(&s.dcs, "dcs", "bin/dcs", "the server's `binary`")
	flag.Float64Var(&s.rate, "rate", 1000, "downloads of modems per `second`")
	flag.Float64Var(&s.flood, "flood", 300_000, "requests of the flood per `second`")
	flag.DurationVar(&s.duration, "duration", 4*time.Second, "how `long` downloads are begun")
	flag.IntVar(&s.rounds, "rounds", 3, "`number` of rounds for the cost of requests; the median is reported")
	rig.Main(s.run)
}

func (s *settings) run(ctx context.Context, w io.Writer) error {
	dcs, err := filepath.Abs(s.dcs)
	if err != nil {
		return err
	}
	s.dcs = dcs
	dir, err := os.MkdirTemp("", "dcs-flood-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, file), bytes.Repeat([]byte{0xa5}, fileSize), 0o600); err != nil {
		return err
	}
	fmt.Fprintf(w, `# Modems during a flood

%d modems begin %.0f downloads a second for %v; meanwhile a flood sends %.0f requests a second and acknowledges nothing.
A download fails if none of three requests (repeated after 1 s and 2 s) brings the file. The flood comes from
many sources (60,000 addresses outside the allow list, another port each time) or from few (16 addresses, which a rate of 5/s limits).
Server on CPU 0, load on CPU 1, a veth between two network namespaces, a static file of %d octets.

| flood | transport | limit | offered | served | failed | retries | p50 | p99 | flood answered | server's CPU s | RSS before → after |
|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|
`, modems, s.rate, s.duration, s.flood, fileSize)
	for _, c := range []struct {
		flood, transport, limit string
		sources                 int
		args                    []string
	}{
		{"none", "socket", "none", 0, nil},
		{"none", "xdp", "none", 0, nil},
		{"many", "socket", "none", 60_000, nil},
		{"many", "xdp", "none", 60_000, nil},
		{"many", "socket", "allow", 60_000, []string{"--allow", allowed.String()}},
		{"many", "xdp", "allow", 60_000, []string{"--allow", allowed.String()}},
		{"few", "socket", "none", 16, nil},
		{"few", "socket", "rate", 16, []string{"--rate", "5"}},
		{"few", "xdp", "rate", 16, []string{"--rate", "5"}},
	} {
		r, err := s.flooded(ctx, dir, c.transport, c.sources, c.args)
		if err != nil {
			return fmt.Errorf("%s, %s, %s: %w", c.flood, c.transport, c.limit, err)
		}
		g := r.Groups
		m := storm.GroupResult{Offered: r.Offered, Served: r.Served, Failed: r.Failed, Unfinished: r.Unfinished, Retries: r.Retries, Latency: r.Latency}
		if len(g) > 0 {
			m = g[0]
		}
		fmt.Fprintf(w, "| %s | %s | %s | %d | %d | %d | %d | %s | %s | %.1f %% | %.2f | %d → %d MB |\n", c.flood, c.transport, c.limit,
			m.Offered, m.Served, m.Failed+m.Wrong+m.Unfinished, m.Retries, micros(m.Latency.P50), micros(m.Latency.P99),
			100*float64(r.FloodAnswers)/float64(max(r.Flood, 1)), r.cpu.Seconds(), r.before>>20, r.after>>20)
	}
	fmt.Fprintf(w, `
A veth hands packets over on the CPU of the sender: what the XDP program drops costs time of CPU 1, the load's. With a network card
it is the CPU of the interrupt.

## What a million requests cost

No flood; a closed loop of 128 transfers for %v, the median of %d interleaved rounds. *Process*: user and system time of the
server. *CPU 0*: all time in which that CPU was not idle, interrupts included.

| transport | files/s | process, s per million | CPU 0, s per million | p50 | failed |
|---|--:|--:|--:|--:|--:|
`, s.duration, s.rounds)
	costs := map[string][]cost{}
	for range s.rounds {
		for _, transport := range []string{"socket", "xdp"} {
			c, err := s.cost(ctx, dir, transport)
			if err != nil {
				return fmt.Errorf("%s: %w", transport, err)
			}
			costs[transport] = append(costs[transport], c)
		}
	}
	for _, transport := range []string{"socket", "xdp"} {
		c := median(costs[transport])
		fmt.Fprintf(w, "| %s | %.0f | %.2f | %.2f | %s | %d |\n", transport, c.files, c.process, c.processor, micros(c.p50), c.failed)
	}
	version, err := exec.Command(s.dcs, "version").Output()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\n- server: %s%s", version, rig.Facts(rig.Command()))
	return nil
}

func micros(us float64) string {
	return time.Duration(us * 1e3).Round(10 * time.Microsecond).String()
}

// A server runs in a lab of its own.
type server struct{ *rig.Alone }

func (s *settings) start(dir, transport string, args []string) (server, error) {
	v, err := rig.StartAlone(rig.TH0, s.dcs, transport, []int{rig.ServerCPU}, append([]string{"--static", dir}, args...)...)
	return server{v}, err
}

// used returns the CPU time of the server, and its memory in octets.
func (v server) used() (time.Duration, int64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", v.Cmd.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	f := strings.Fields(rest)
	if len(f) < 22 {
		return 0, 0, errors.New("short /proc/PID/stat")
	}
	var n [3]int64
	for i, at := range []int{11, 12, 21} { // utime, stime, rss, counted from the state
		if n[i], err = strconv.ParseInt(f[at], 10, 64); err != nil {
			return 0, 0, err
		}
	}
	return time.Duration(n[0]+n[1]) * (time.Second / 100), n[2] * int64(os.Getpagesize()), nil
}

// load runs a load on the server from the other end of the lab.
func (v server) load(ctx context.Context, cfg storm.Config) (r *storm.Result, err error) {
	cfg.Target = netip.AddrPortFrom(netlab.ServerAddr4, 69)
	cfg.Interface, cfg.SourceMAC, cfg.GatewayMAC = netlab.Device, netlab.GatewayMAC, netlab.ServerMAC
	cfg.CPU, cfg.Name, cfg.Net = rig.LoadCPU, file, netlab.ModemNet4
	err = v.Lab.Load.Do(func() (err error) {
		r, err = storm.Run(ctx, cfg)
		return err
	})
	return r, errors.Join(err, ctx.Err())
}

type flooded struct {
	*storm.Result
	cpu           time.Duration
	before, after int64
}

func (s *settings) flooded(ctx context.Context, dir, transport string, sources int, args []string) (r flooded, err error) {
	v, err := s.start(dir, transport, args)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, v.Stop()) }()
	warm := storm.Default()
	warm.Modems, warm.Window, warm.Count = modems, 16, 2*modems
	if _, err := v.load(ctx, warm); err != nil {
		return r, err
	}
	begun, before, err := v.used()
	if err != nil {
		return r, err
	}
	cfg := storm.Default()
	cfg.Backoff, cfg.Retries, cfg.Restarts = []time.Duration{time.Second, 2 * time.Second}, 2, 0
	cfg.Drain = 10 * time.Second
	cfg.Modems = modems + sources
	cfg.Groups = []storm.Group{{Name: "modems", Modems: modems, Rate: s.rate, Duration: s.duration}}
	if sources > 0 {
		cfg.Groups = append(cfg.Groups, storm.Group{Name: "flood", Modems: sources, Flood: s.flood, Duration: s.duration})
	}
	if r.Result, err = v.load(ctx, cfg); err != nil {
		return r, err
	}
	ended, after, err := v.used()
	r.cpu, r.before, r.after = ended-begun, before, after
	return r, err
}

type cost struct {
	files, process, processor, p50 float64
	failed                         int
}

func (s *settings) cost(ctx context.Context, dir, transport string) (c cost, err error) {
	v, err := s.start(dir, transport, nil)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, v.Stop()) }()
	begun, _, err := v.used()
	if err != nil {
		return c, err
	}
	busy, err := rig.Busy(rig.ServerCPU)
	if err != nil {
		return c, err
	}
	cfg := storm.Default()
	cfg.Modems, cfg.Window, cfg.Duration = 60_000, 128, s.duration
	r, err := v.load(ctx, cfg)
	if err != nil {
		return c, err
	}
	ended, _, err := v.used()
	if err != nil {
		return c, err
	}
	end, err := rig.Busy(rig.ServerCPU)
	if r.Served == 0 {
		return c, errors.Join(err, errors.New("no modem was served"))
	}
	millions := float64(r.Served) / 1e6
	return cost{r.Rate, (ended - begun).Seconds() / millions, (end - busy).Seconds() / millions, r.Latency.P50, r.Failed + r.Wrong + r.Unfinished}, err
}

func median(all []cost) cost {
	for i := range all {
		less := 0
		for j := range all {
			if all[j].processor < all[i].processor || all[j].processor == all[i].processor && j < i {
				less++
			}
		}
		if less == len(all)/2 {
			return all[i]
		}
	}
	return cost{}
}
