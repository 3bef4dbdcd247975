package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"dcs/bench/netlab"
	"dcs/bench/rig"
	"dcs/bench/storm"
)

// worstHour measures all modems within one second, with the back-off of DOCSIS.
func worstHour(ctx context.Context, opt *options) (rows []Row, err error) {
	lossy := netlab.Rates{Drop: 0.05}
	r, err := rig.New(rig.TH0, &netlab.Faults{Seed: 1, ToServer: lossy, ToLoad: lossy})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	bin, err := filepath.Abs(opt.dcs)
	if err != nil {
		return nil, err
	}
	s, err := r.DCS(ctx, bin, 1070, nil)
	if err != nil {
		return nil, err
	}
	cfg, d := r.Config(s), storm.Default()
	cfg.Backoff, cfg.Restarts, cfg.Retries, cfg.Within, cfg.MaxTime = d.Backoff, d.Restarts, d.Retries, time.Second, 4*time.Minute
	res, err := r.Load(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return []Row{{
		What: "65,536 modems asking within one second, DOCSIS back-off, 5 % loss each way", Target: "all served, none twice failed",
		Measured: fmt.Sprintf("%d served, %d twice failed", res.Served, res.FailedTwice), OK: res.Served == 65536 && res.FailedTwice == 0,
		Note: fmt.Sprintf("every file checked, both MICs, TLV 19, TLV 20; the last modem after %.1f s, %d retries; p50 %.0f µs, p99 %.0f ms (one wait is 4 s)",
			res.LastServed, res.Retries, res.Latency.P50, res.Latency.P99/1e3),
	}}, nil
}
