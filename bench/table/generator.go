package main

import (
	"context"
	"errors"
	"fmt"

	"dcs/bench/netlab"
	"dcs/bench/rig"
	"dcs/bench/storm"
)

// generator measures what dcs storm can offer on one CPU: the server is the limit that answers by XDP_TX.
func generator(ctx context.Context, opt *options) (rows []Row, err error) {
	r, err := rig.New(rig.TH1, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	s, err := r.Limit(ctx, 1075, "-transport", "tx", "-interface", netlab.Device)
	if err != nil {
		return nil, err
	}
	const window = 256
	var rates, load, server []float64
	for range opt.rounds {
		if _, err := rig.Quiet(ctx, opt.quiet); err != nil {
			return nil, err
		}
		m, err := rig.Measure(r.Lab, s.PID, func() (*storm.Result, error) { return r.ClosedLoop(ctx, s, window, opt.length) })
		if err != nil {
			return nil, err
		}
		rates, load, server = append(rates, m.Rate), append(load, m.LoadBusy), append(server, m.ServerBusy)
	}
	row := of("`dcs storm` against XDP_TX: requests a second", "≥", 600_000, "", rates...)
	row.Note = fmt.Sprintf("window %d, %v; each is a request, an answer of 400 octets and an ACK: three packets; the load's CPU is %.0f %% busy, receiving included, the server's %.0f %%",
		window, rig.TH1, 100*rig.Median(load), 100*rig.Median(server))
	return []Row{row}, nil
}
