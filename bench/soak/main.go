// Command soak keeps a server under a steady load, by default for ten minutes at 80 % of what the limit reached just
// before, and checks that memory and tail latency stay flat. It needs root for its network namespaces, and two CPUs.
// Its exit status is 1 if they grow.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"dcs/bench/rig"
	"dcs/bench/storm"
)

type options struct {
	dcs, dcsArgs string
	length       time.Duration
	rate, part   float64
	of           string
	parts        int
	grow         float64 // fraction of the memory
	growMin      int     // growth in MiB that is always allowed
	slower       float64 // factor
	slowest      time.Duration
	quiet        time.Duration
}

func main() {
	var opt options
	flag.StringVar(&opt.dcs, "dcs", "", "`path` of the dcs binary (default: build one)")
	flag.StringVar(&opt.dcsArgs, "dcs-args", "", "more `arguments` of dcs serve, separated by spaces")
	flag.DurationVar(&opt.length, "length", 10*time.Minute, "`time` of the load")
	flag.IntVar(&opt.parts, "parts", 10, "rows of the table")
	flag.Float64Var(&opt.part, "part", 0.8, "`fraction` of the limit's rate to offer")
	flag.StringVar(&opt.of, "of", "least", "base of -part: `limit`, server (its own rate in a closed loop), or least, the lower of the two")
	flag.Float64Var(&opt.rate, "rate", 0, "requests per second, instead of -part")
	flag.Float64Var(&opt.grow, "grow", 0.02, "`fraction` by which memory may grow between the second and the last row, on the line through all rows")
	flag.IntVar(&opt.growMin, "grow-min", 4, "`MiB` of growth that are always allowed")
	flag.Float64Var(&opt.slower, "slower", 1.5, "most `times` the median p99.9 of the first third for that of the last third")
	flag.DurationVar(&opt.slowest, "slowest", 5*time.Millisecond, "p99.9 that is always allowed")
	flag.DurationVar(&opt.quiet, "quiet", 0, "wait at most this `time` for the machine to become idle")
	rig.Main(opt.run)
}

// row is a part of the load.
type row struct {
	storm.Sample
	rss int64 // octets at the end
}

func (opt *options) run(ctx context.Context, w io.Writer) (err error) {
	if opt.parts < 6 || opt.length < 2*time.Second {
		return errors.New("too short: at least six parts and two seconds required")
	}
	r, err := rig.New(rig.TH0, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if opt.dcs, err = rig.Binary(ctx, r.Dir, opt.dcs); err != nil {
		return err
	}
	server, err := r.DCS(ctx, opt.dcs, 1070, nil, strings.Fields(opt.dcsArgs)...)
	if err != nil {
		return err
	}
	others, err := rig.Quiet(ctx, opt.quiet)
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("# Memory and tail latency under a steady load\n\n")
	if opt.rate == 0 {
		if opt.rate, err = part(ctx, &b, r, server, *opt); err != nil {
			return err
		}
	}
	rows, res, err := soak(ctx, r, server, *opt)
	if err != nil {
		return err
	}
	fmt.Fprintf(&b, "Offered: %.0f requests a second for %v, open loop, from 65,536 modems in turn; %d served, %d failed, %d retries, every 16th file checked.\n",
		opt.rate, opt.length, res.Served, res.Failed+res.Wrong+res.Unfinished, res.Retries)
	if others > 0.1 {
		fmt.Fprintf(&b, "**Another process kept a CPU busy before (%.0f %%): the figures are unreliable.**\n", 100*others)
	}
	verdict := write(&b, rows, *opt)
	b.WriteString(rig.Facts(rig.Command()))
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	if bad := res.Failed + res.Wrong; bad > 0 {
		verdict = errors.Join(verdict, fmt.Errorf("%d modems without their file", bad))
	}
	return rig.Missed(verdict)
}

// part measures the rate that the load is a part of.
func part(ctx context.Context, b *strings.Builder, r *rig.Rig, server *rig.Server, opt options) (float64, error) {
	limit, err := r.Limit(ctx, 1069)
	if err != nil {
		return 0, err
	}
	var of [2][]float64
	for range 3 {
		for i, s := range []*rig.Server{limit, server} {
			res, err := r.ClosedLoop(ctx, s, 128, time.Second)
			if err != nil {
				return 0, err
			}
			of[i] = append(of[i], res.Rate)
		}
	}
	most := map[string]float64{"limit": rig.Median(of[0]), "server": rig.Median(of[1])}
	most["least"] = min(most["limit"], most["server"])
	base, ok := most[opt.of]
	if !ok {
		return 0, fmt.Errorf("-of %s: want limit, server or least", opt.of)
	}
	fmt.Fprintf(b, "Before, closed loop: the limit %.0f files a second, the server %.0f. The load is %.0f %% of %.0f.\n",
		most["limit"], most["server"], 100*opt.part, base)
	return opt.part * base, nil
}

func soak(ctx context.Context, r *rig.Rig, server *rig.Server, opt options) ([]row, *storm.Result, error) {
	cfg := r.Config(server)
	cfg.Rate, cfg.Duration, cfg.Drain = opt.rate, opt.length, 2*time.Second
	cfg.MaxTime = opt.length + time.Minute
	cfg.Interval = opt.length / time.Duration(opt.parts)
	cfg.Backoff, cfg.Restarts = storm.Default().Backoff, storm.Default().Restarts
	cfg.CheckEvery = 16 // checking every file would slow the load down
	memory := make([]int64, opt.parts)
	var watch sync.WaitGroup
	var watchErr error
	done := make(chan struct{})
	watch.Go(func() {
		tick := time.NewTicker(cfg.Interval)
		defer tick.Stop()
		for i := range memory {
			select {
			case <-tick.C:
			case <-done:
				return
			}
			if memory[i], watchErr = rig.RSS(server.PID); watchErr != nil {
				return
			}
		}
	})
	res, err := r.Load(ctx, cfg)
	close(done)
	watch.Wait()
	if err = errors.Join(err, watchErr); err != nil {
		return nil, nil, err
	}
	if len(res.Timeline) < opt.parts {
		return nil, nil, fmt.Errorf("only %d of %d parts", len(res.Timeline), opt.parts)
	}
	var rows []row
	for i := range opt.parts {
		if memory[i] == 0 { // the load ended before the last tick
			if memory[i], err = rig.RSS(server.PID); err != nil {
				return nil, nil, err
			}
		}
		rows = append(rows, row{res.Timeline[i], memory[i]})
	}
	return rows, res, nil
}

// write writes the table and returns an error for each bound that was missed.
func write(b *strings.Builder, rows []row, opt options) error {
	b.WriteString("\n| until | served | retries | p50 | p99 | p99.9 | memory of the server |\n|--:|--:|--:|--:|--:|--:|--:|\n")
	var at, rss, tail []float64
	for _, r := range rows {
		us := func(v float64) time.Duration { return time.Duration(v * 1e3).Round(time.Microsecond) }
		fmt.Fprintf(b, "| %.0f s | %d | %d | %v | %v | %v | %.1f MiB |\n", r.At, r.Served, r.Retries, us(r.P50), us(r.P99), us(r.P999), float64(r.rss)/(1<<20))
		at, rss, tail = append(at, r.At), append(rss, float64(r.rss)), append(tail, r.P999)
	}
	// In the first row tables are filled and names learned.
	grown := slope(at[1:], rss[1:]) * (at[len(at)-1] - at[1])
	allowed := max(opt.grow*rss[1], float64(opt.growMin<<20))
	third := len(tail) / 3
	early, late := rig.Median(tail[1:1+third]), rig.Median(tail[len(tail)-third:])
	bound := max(opt.slower*early, float64(opt.slowest.Microseconds()))
	word := func(ok bool) string {
		if ok {
			return "flat"
		}
		return "**MISSED**"
	}
	fmt.Fprintf(b, "\n- memory: %+.2f MiB on the line through all rows but the first, limit %.2f: %s\n", grown/(1<<20), allowed/(1<<20), word(grown <= allowed))
	fmt.Fprintf(b, "- p99.9: median of the first third %.0f µs, of the last %.0f µs, limit %.0f: %s\n", early, late, bound, word(late <= bound))
	var errs []error
	if grown > allowed {
		errs = append(errs, fmt.Errorf("memory grew by %.2f MiB", grown/(1<<20)))
	}
	if late > bound {
		errs = append(errs, fmt.Errorf("p99.9 went from %.0f to %.0f µs", early, late))
	}
	return errors.Join(errs...)
}

// slope returns the slope of the least-squares line.
func slope(x, y []float64) float64 {
	var mx, my float64
	for i := range x {
		mx += x[i] / float64(len(x))
		my += y[i] / float64(len(x))
	}
	var num, den float64
	for i := range x {
		num += (x[i] - mx) * (y[i] - my)
		den += (x[i] - mx) * (x[i] - mx)
	}
	if den == 0 {
		return 0
	}
	return num / den
}
