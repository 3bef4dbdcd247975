package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"dcs/bench/rig"
)

// offered is the rate, in requests per second, at which latency is measured.
const offered = 40_000

// background measures the rate and the latency while the server reloads its library, and while it loads devices, against when it does
// neither.
func background(ctx context.Context, opt *options) (rows []Row, err error) {
	r, err := rig.New(rig.TH1, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	bin, err := filepath.Abs(opt.dcs)
	if err != nil {
		return nil, err
	}
	for i, work := range []struct {
		what  string
		write func(dir string, variant int) error
		args  func(dir string) ([]string, error)
	}{
		{fmt.Sprintf("while %d templates reload", opt.templates), func(dir string, variant int) error { return writeTemplates(dir, variant, opt.templates) }, func(dir string) ([]string, error) {
			return []string{"--library", dir}, nil
		}},
		{fmt.Sprintf("while %d devices load", opt.devices), func(dir string, variant int) error { return writeDevices(dir, variant, opt.devices) }, func(dir string) ([]string, error) {
			file := filepath.Join(r.Dir, "dcs.yaml")
			return []string{"--config", file}, os.WriteFile(file, fmt.Appendf(nil, "devices_dir: %s\ndevices:\n  - csv: %s\n", filepath.Join(r.Dir, "snapshot"), filepath.Join(dir, "devices.csv")), 0o644)
		}},
	} {
		// A link leads to one of two directories, all of whose files differ.
		link := filepath.Join(r.Dir, fmt.Sprint("work", i))
		for variant := range 2 {
			if err := errors.Join(os.Mkdir(fmt.Sprint(link, variant), 0o755), work.write(fmt.Sprint(link, variant), variant)); err != nil {
				return nil, err
			}
		}
		if err := os.Symlink(link+"0", link); err != nil {
			return nil, err
		}
		args, err := work.args(link)
		if err != nil {
			return nil, err
		}
		s, err := r.DCS(ctx, bin, uint16(1075+i), nil, args...)
		if err != nil {
			return nil, err
		}
		more, err := beside(ctx, opt, r, s, work.what, link)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
		if err := syscall.Kill(s.PID, syscall.SIGKILL); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// beside measures rounds without and with the work that a server begins when link leads to the other directory.
func beside(ctx context.Context, opt *options, r *rig.Rig, s *rig.Server, what, link string) ([]Row, error) {
	measure := func() (rate, p99 float64, err error) {
		closed, err := r.ClosedLoop(ctx, s, 128, opt.length)
		if err != nil {
			return 0, 0, err
		}
		cfg := r.Config(s)
		cfg.Rate, cfg.Duration, cfg.Drain, cfg.CheckEvery = offered, opt.length, 300*time.Millisecond, 1000
		open, err := r.Load(ctx, cfg)
		if err != nil {
			return 0, 0, err
		}
		return closed.Rate, open.Latency.P99, nil
	}
	var rates, p99s, alone []float64
	var note strings.Builder
	for round := range opt.rounds {
		if err := settle(ctx, s.PID); err != nil {
			return nil, err
		}
		rate, p99, err := measure()
		if err != nil {
			return nil, err
		}
		next := link + ".next"
		err = errors.Join(os.Symlink(fmt.Sprint(link, (round+1)%2), next), os.Rename(next, link), syscall.Kill(s.PID, syscall.SIGHUP))
		if err != nil {
			return nil, err
		}
		time.Sleep(100 * time.Millisecond)
		busyRate, busyP99, err := measure()
		if err != nil {
			return nil, err
		}
		if works, err := working(s.PID); err != nil || !works {
			return nil, errors.Join(err, fmt.Errorf("%s: the work ended before it was measured: make it larger", what))
		}
		rates, p99s, alone = append(rates, busyRate/rate), append(p99s, busyP99/p99), append(alone, p99)
		rss, err := rig.RSS(s.PID)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&note, "%.0f → %.0f files/s, p99 %.2f → %.2f ms (%d MiB); ", rate, busyRate, p99/1e3, busyP99/1e3, rss>>20)
	}
	rate := of(what+": × the settled rate", "≥", 0.9, "", rates...)
	rate.Note = strings.TrimSuffix(note.String(), "; ")
	return []Row{rate, of(fmt.Sprintf("%s: p99 at %d requests a second, × the settled", what, offered), "≤", 2, "", p99s...)}, nil
}

// settle waits until a server without requests does nothing, at most four minutes.
func settle(ctx context.Context, pid int) error {
	for end := time.Now().Add(4 * time.Minute); ; {
		works, err := working(pid)
		if err != nil || !works {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if time.Now().After(end) {
			return errors.New("the server does not come to rest within four minutes")
		}
	}
}

// working reports whether a process takes more than a tenth of a CPU for half a second.
func working(pid int) (bool, error) {
	before, err := rig.CPU(pid)
	if err != nil {
		return false, err
	}
	const look = 500 * time.Millisecond
	time.Sleep(look)
	after, err := rig.CPU(pid)
	return after-before > look/10, err
}

// writeTemplates writes a library of n templates in a thousand files, beside the one that is asked for.
func writeTemplates(dir string, variant, n int) error {
	const files = 1000
	hot, err := rig.Path("bench", "peers", "library", "modem.dcs")
	if err != nil {
		return err
	}
	b, err := os.ReadFile(hot)
	if err != nil {
		return err
	}
	_, body, _ := strings.Cut(string(b), "{")
	body = strings.NewReplacer("$cpe", "16", "$tier", "3").Replace(body)
	for i := range files {
		var text strings.Builder
		for k := range n / files {
			fmt.Fprintf(&text, "Main \"m%d-%d.bin\" { # %d\n%s", i, k, variant, body)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i, ".dcs")), []byte(text.String()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// writeDevices writes a table of n devices.
func writeDevices(dir string, variant, n int) error {
	f, err := os.Create(filepath.Join(dir, "devices.csv"))
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	fmt.Fprintln(w, "mac,profile,serial")
	for i := range n {
		fmt.Fprintf(w, "02%010x,profile-%d,s%08d-%d\n", i, i%40, i, variant)
	}
	return errors.Join(w.Flush(), f.Close())
}
