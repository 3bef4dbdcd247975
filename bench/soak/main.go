// Command soak keeps a server under a steady load and tells whether its memory and its tail of latency stay flat: at 80 %
// of what the limit reached just before, for ten minutes. It needs root for its network namespaces, and two CPUs. It
// fails where something grows.
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
	grow         float64 // part of the memory
	growMin      int     // MiB that may always be added
	slower       float64 // times
	slowest      time.Duration
	quiet        time.Duration
}

func main() {
	var opt options
	flag.StringVar(&opt.dcs, "dcs", "", "`path` of the dcs binary (default: one is built)")
	flag.StringVar(&opt.dcsArgs, "dcs-args", "", "further `arguments` of dcs serve, divided by spaces")
	flag.DurationVar(&opt.length, "length", 10*time.Minute, "of the load")
	flag.IntVar(&opt.parts, "parts", 10, "rows of the table")
	flag.Float64Var(&opt.part, "part", 0.8, "`part` of the limit's rate to offer")
	flag.StringVar(&opt.of, "of", "least", "what the part is of: `limit`, server (what it reaches itself, closed loop), or least, the lower of the two")
	flag.Float64Var(&opt.rate, "rate", 0, "requests a second, instead of a part of anything")
	flag.Float64Var(&opt.grow, "grow", 0.02, "`part` that memory may grow by, from the second row's to the last's on the line through all")
	flag.IntVar(&opt.growMin, "grow-min", 4, "`MiB` that it may grow by in any case")
	flag.Float64Var(&opt.slower, "slower", 1.5, "`times` that the last third's median p99.9 may be of the first third's")
	flag.DurationVar(&opt.slowest, "slowest", 5*time.Millisecond, "p99.9 that is no matter in any case")
	flag.DurationVar(&opt.quiet, "quiet", 0, "wait at most this `time` before for the machine to have nothing else to do")
	rig.Main(opt.run)
}

// row is a part of the load.
type row struct {
	storm.Sample
	rss int64 // octets at its end
}

func (opt options) run(ctx context.Context, w io.Writer) (err error) {
	if opt.parts < 6 || opt.length < 2*time.Second {
		return errors.New("less than six parts or two seconds say nothing")
	}
	r, err := rig.New(nil)
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
	b.WriteString("# A steady load: do memory and the tail of latency stay flat?\n\n")
	if opt.rate == 0 {
		if opt.rate, err = part(ctx, &b, r, server, opt); err != nil {
			return err
		}
	}
	rows, res, err := soak(ctx, r, server, opt)
	if err != nil {
		return err
	}
	fmt.Fprintf(&b, "Offered: %.0f requests a second for %v, open loop, each from another of 65,536 modems; %d served, %d failed, %d retries, every 16th file checked.\n",
		opt.rate, opt.length, res.Served, res.Failed+res.Wrong+res.Unfinished, res.Retries)
	if others > 0.1 {
		fmt.Fprintf(&b, "**Something else kept a CPU busy before (%.0f %%): take the figures for what they are.**\n", 100*others)
	}
	verdict := write(&b, rows, opt)
	b.WriteString(rig.Facts(rig.Command()))
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	if bad := res.Failed + res.Wrong; bad > 0 {
		verdict = errors.Join(verdict, fmt.Errorf("%d modems got no file", bad))
	}
	return rig.Missed(verdict)
}

// part measures what the load is a part of.
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
	cfg.CheckEvery = 16 // each would slow the load down
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
		if memory[i] == 0 { // the load ended before the clock's last tick
			if memory[i], err = rig.RSS(server.PID); err != nil {
				return nil, nil, err
			}
		}
		rows = append(rows, row{res.Timeline[i], memory[i]})
	}
	return rows, res, nil
}

// write makes the table and judges it.
func write(b *strings.Builder, rows []row, opt options) error {
	b.WriteString("\n| until | served | retries | p50 | p99 | p99.9 | memory of the server |\n|--:|--:|--:|--:|--:|--:|--:|\n")
	var at, rss, tail []float64
	for _, r := range rows {
		us := func(v float64) time.Duration { return time.Duration(v * 1e3).Round(time.Microsecond) }
		fmt.Fprintf(b, "| %.0f s | %d | %d | %v | %v | %v | %.1f MiB |\n", r.At, r.Served, r.Retries, us(r.P50), us(r.P99), us(r.P999), float64(r.rss)/(1<<20))
		at, rss, tail = append(at, r.At), append(rss, float64(r.rss)), append(tail, r.P999)
	}
	// The first row fills tables and learns names.
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
	fmt.Fprintf(b, "\n- memory: %+.2f MiB on the line through all rows but the first, at most %.2f are allowed: %s\n", grown/(1<<20), allowed/(1<<20), word(grown <= allowed))
	fmt.Fprintf(b, "- p99.9: median of the first third %.0f µs, of the last %.0f µs, at most %.0f are allowed: %s\n", early, late, bound, word(late <= bound))
	var errs []error
	if grown > allowed {
		errs = append(errs, fmt.Errorf("memory grew by %.2f MiB", grown/(1<<20)))
	}
	if late > bound {
		errs = append(errs, fmt.Errorf("p99.9 went from %.0f to %.0f µs", early, late))
	}
	return errors.Join(errs...)
}

// slope is that of the line of least squares.
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
