package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"dcs/bench/netlab"
	"dcs/bench/rig"
	"dcs/bench/storm"
)

// background measures the rate and the tail of a server while it works for itself, against the same server settled. It needs a nice value
// of at least 0: the server gives such work a nice value that is absolute, which a lower one of its workers would set further apart.
func background(ctx context.Context, opt *options) ([]Row, error) {
	above, err := unix.Getpriority(unix.PRIO_PROCESS, 0) // 20 less the nice value
	if err != nil {
		return nil, err
	}
	if above > 20 {
		return nil, fmt.Errorf("nice value %d: at least 0 required; run the piece background without nice", 20-above)
	}
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

// calm is the rate at which latency is measured, in requests a second: the server has CPU to spare at it. The closed loop is for saturation.
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
	var loops []rig.Round
	var tails []float64
	round := func() error {
		closed, err := rig.Measure(r.Lab, s.PID, func() (*storm.Result, error) { return r.ClosedLoop(ctx, s, 256, length) })
		if err != nil {
			return err
		}
		cfg := r.Config(s)
		cfg.Rate, cfg.Duration, cfg.Drain, cfg.Check = calm, length, 300*time.Millisecond, storm.CheckNothing
		open, err := r.Load(ctx, cfg)
		if err != nil {
			return err
		}
		loops, tails = append(loops, closed), append(tails, open.Latency.P99)
		return nil
	}
	for range opt.rounds {
		if err := round(); err != nil {
			return nil, err
		}
	}
	settled, tail := loops, rig.Median(tails)
	loops, tails = nil, nil
	lines := strings.Count(s.Log.String(), done)
	began := time.Now()
	if err := start(); err != nil {
		return nil, err
	}
	for {
		if err := round(); err != nil {
			return nil, err
		}
		if strings.Count(s.Log.String(), done) > lines {
			break
		}
		if time.Since(began) > 2*time.Minute {
			return nil, fmt.Errorf("%s: not done after %v:\n%s", what, time.Since(began), s.Log)
		}
	}
	took := time.Since(began)
	if last := len(loops) - 1; last > 0 { // in which it ended
		loops, tails = loops[:last], tails[:last]
	}
	var rate, load, server []float64
	bounded := 0
	for _, m := range settled {
		rate, load, server = append(rate, m.Rate), append(load, m.LoadBusy), append(server, m.ServerBusy)
		if m.Bound() {
			bounded++
		}
	}
	rates := make([]float64, len(loops))
	for i, m := range loops {
		rates[i], tails[i] = m.Rate/rig.Median(rate), tails[i]/tail
	}
	a := of(what+": × the settled rate", "≥", 0.9, "", rates...)
	b := of(what+": × the settled p99", "≤", 2, "", tails...)
	if 2*bounded >= len(settled) {
		a.Measured, a.OK = boundByLoad, false
	}
	a.Note = fmt.Sprintf("AF_XDP, settled %.0f files/s with window 256, the load's CPU %.0f %% busy, the server's %.0f %%, the load's the bound in %d of %d rounds; the work took %.1f s",
		rig.Median(rate), 100*rig.Median(load), 100*rig.Median(server), bounded, len(settled), took.Seconds())
	b.Note = fmt.Sprintf("settled p99 %.0f µs at %d requests a second offered; median and range of %d rounds of %v during the work", tail, calm, len(loops), length)
	return []Row{a, b}, nil
}
