package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"dcs/bench/netlab"
	"dcs/bench/rig"
	"dcs/bench/storm"
)

// background measures the rate and the tail of a server while it works for itself, against the same server settled.
func background(ctx context.Context, opt *options) ([]Row, error) {
	dir, err := os.MkdirTemp("", "dcs-background-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	body, err := modemBody()
	if err != nil {
		return nil, err
	}
	table := filepath.Join(dir, "devices.csv")
	few := func() error { return writeDevices(table, 1000) }
	all := func() error { return writeDevices(table, opt.devices) }
	fleet := filepath.Join(dir, "fleet")
	common := func(n int) error {
		return os.WriteFile(filepath.Join(fleet, "common.dcs"), fmt.Appendf(nil, "Block common { MaxClassifiers %d; }\n", n), 0o644)
	}
	if err := errors.Join(few(), writeLiterals(fleet, "    include common;\n"+body, opt.fleet), common(1)); err != nil {
		return nil, err
	}
	peers, err := rig.Path("bench", "peers", "library")
	if err != nil {
		return nil, err
	}
	modem, err := os.ReadFile(filepath.Join(peers, "modem.dcs"))
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(fleet, "modem.dcs"), modem, 0o644); err != nil {
		return nil, err
	}
	rows, err := disturbed(ctx, opt, fmt.Sprintf("while %d devices load", opt.devices), "devices loaded", all, peers,
		fmt.Sprintf("devices: [{csv: %s}]\ndevices_dir: %s\n", table, filepath.Join(dir, "state")))
	if err != nil {
		return nil, err
	}
	more, err := disturbed(ctx, opt, fmt.Sprintf("while %d templates reload", opt.fleet), "msg=reloaded", func() error { return common(2) }, fleet, "")
	return append(rows, more...), err
}

// writeDevices replaces a table by one of n devices.
func writeDevices(file string, n int) error {
	f, err := os.Create(file + ".new")
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	fmt.Fprintln(w, "mac,profile")
	for i := range n {
		fmt.Fprintf(w, "%012x,profile-%d\n", 0x02<<40|i, i%200)
	}
	return errors.Join(w.Flush(), os.Rename(f.Name(), file))
}

// calm is the rate at which latency is measured, in requests a second: what arrives in a stall of 12 ms still fits into a veth's ring. At half of
// the settled rate, as before, losses to such stalls came again after 200 ms, in more than 1 % of the requests.
const calm = 20_000

// disturbed starts a server with a library, which has the template of bench/peers, and with the keys of a configuration.
// It measures the server settled, and again from start until the log has one more line with the words of done.
func disturbed(ctx context.Context, opt *options, what, done string, start func() error, library, keys string) (rows []Row, err error) {
	r, err := rig.New(rig.TH1, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	bin, err := filepath.Abs(opt.dcs)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(r.Dir, "dcs.yaml")
	if err := os.WriteFile(file, []byte(keys), 0o644); err != nil {
		return nil, err
	}
	s, err := r.Serve(ctx, bin, 1070, "isrrip{cpe}bw{tier}.bin", nil, "--config", file, "--library", library, "--transport", "xdp", "--interface", netlab.Device)
	if err != nil {
		return nil, err
	}
	const length = 500 * time.Millisecond
	var rates, tails []float64
	round := func() error {
		closed, err := r.ClosedLoop(ctx, s, 256, length)
		if err != nil {
			return err
		}
		cfg := r.Config(s)
		cfg.Rate, cfg.Duration, cfg.Drain, cfg.Check = calm, length, 300*time.Millisecond, storm.CheckNothing
		open, err := r.Load(ctx, cfg)
		if err != nil {
			return err
		}
		rates, tails = append(rates, closed.Rate), append(tails, open.Latency.P99)
		return nil
	}
	for range opt.rounds {
		if err := round(); err != nil {
			return nil, err
		}
	}
	rate, tail := rig.Median(rates), rig.Median(tails)
	rates, tails = nil, nil
	lines := strings.Count(s.Log.String(), done)
	began := time.Now()
	if err := start(); err != nil {
		return nil, err
	}
	for strings.Count(s.Log.String(), done) == lines {
		if err := round(); err != nil {
			return nil, err
		}
		if time.Since(began) > 2*time.Minute {
			return nil, fmt.Errorf("%s: not done after %v:\n%s", what, time.Since(began), s.Log)
		}
	}
	for i := range rates {
		rates[i], tails[i] = rates[i]/rate, tails[i]/tail
	}
	a := of(what+": × the settled rate", "≥", 0.9, "", rates...)
	b := of(what+": × the settled p99", "≤", 2, "", tails...)
	a.Note = fmt.Sprintf("AF_XDP, settled %.0f files/s with window 256; it took %.1f s in all", rate, time.Since(began).Seconds())
	b.Note = fmt.Sprintf("settled p99 %.0f µs at %d requests a second offered; median and range of rounds of %v", tail, calm, length)
	return []Row{a, b}, nil
}
