package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"dcs/bpf"
	"dcs/cmd/internal/config"
)

// steering is the XDP program on its interface, and what keeps it there.
type steering struct {
	log     *slog.Logger
	program *bpf.Steer
	iface   string
	mode    bpf.Mode
	queues  int // that have an AF_XDP socket
	index   int // of the interface that these are bound to

	mu       sync.Mutex
	attached bool
	choice   bpf.Choice
	losses   uint64
}

// steer loads the program, sets it, and attaches it.
func (s *server) steer(in *ingress, p plan, cpus []int) (*steering, error) {
	program, err := bpf.Load(bpf.Config{Listen: in.addrs, Transfers: in.ports()})
	if err != nil {
		return nil, err
	}
	st := &steering{log: s.log, program: program, iface: p.iface, mode: p.mode}
	if s.cfg.Transport == config.XDP {
		st.mode = bpf.Auto // better a generic one than none
	}
	if p.spread {
		err = program.SetWorkers(cpus)
	}
	if err == nil {
		err = s.limits.bind(program)
	}
	if err == nil {
		err = st.attach()
	}
	if err != nil {
		return nil, errors.Join(err, program.Close())
	}
	return st, nil
}

func (st *steering) attach() error {
	c, err := st.program.Attach(st.iface, st.mode)
	if err != nil {
		return err
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.attached, st.choice, st.mode = true, c, c.Mode
	return nil
}

// reattachEvery is the time between two attempts to attach a program that was lost. It leaves time to look at the
// interface without it.
const reattachEvery = 5 * time.Second

// keep looks after the program until the context ends. When somebody detaches it, or the interface is gone, requests
// arrive at the sockets, which all workers serve beside their AF_XDP sockets.
func (st *steering) keep(ctx context.Context) {
	go st.watchInterface(ctx)
	go st.tellDrops(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-st.program.Lost():
			st.mu.Lock()
			st.attached = false
			st.losses++
			st.mu.Unlock()
			st.log.Warn("XDP is lost, sockets take all requests", "err", err, "retry", reattachEvery)
		}
		if !st.recover(ctx) {
			return
		}
	}
}

// recover attaches the program again. It returns false when the context ends before.
func (st *steering) recover(ctx context.Context) bool {
	t := time.NewTicker(reattachEvery)
	defer t.Stop()
	told := ""
	for {
		select {
		case <-ctx.Done():
			return false
		case <-t.C:
		}
		err := st.program.Detach() // what is left of it
		if err == nil {
			err = st.again()
		}
		if err == nil {
			st.log.Info("XDP is back", "interface", st.iface, "mode", st.mode)
			return true
		}
		if why := err.Error(); why != told {
			st.log.Warn("XDP cannot be attached again yet", "err", err)
			told = why
		}
	}
}

func (st *steering) again() error {
	ifi, err := net.InterfaceByName(st.iface)
	if err != nil {
		return err
	}
	// A packet that was sent to a socket of an interface that is gone would be lost. New ones take a privilege that has
	// been given up.
	if st.queues > 0 && ifi.Index != st.index {
		for q := range st.queues {
			if err := st.program.ClearXSK(q); err != nil {
				return err
			}
		}
		st.queues = 0
		st.log.Warn("the interface is a new one: XDP filters, sockets take requests until the server is started anew", "interface", st.iface)
	}
	return st.attach()
}

// watchInterface tells when the interface goes down and when it comes back.
func (st *steering) watchInterface(ctx context.Context) {
	const up = net.FlagUp | net.FlagRunning
	t := time.NewTicker(time.Second)
	defer t.Stop()
	was := true
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		ifi, err := net.InterfaceByName(st.iface)
		if is := err == nil && ifi.Flags&up == up; is != was {
			was = is
			if is {
				st.log.Info("the interface is up", "interface", st.iface)
			} else {
				st.log.Warn("the interface is down", "interface", st.iface)
			}
		}
	}
}

// dropsEvery is how often at most the log shows a packet that was dropped, for each reason.
const dropsEvery = 10 * time.Second

// tellDrops shows the operator some of what the program drops.
func (st *steering) tellDrops(ctx context.Context) {
	var told [bpf.NumVerdicts]time.Time
	var counted [bpf.NumVerdicts]uint64
	for d, err := range st.program.Drops(ctx) {
		if err != nil {
			st.log.Error("no dropped packets will be shown", "err", err)
			return
		}
		now := time.Now()
		if d.Verdict >= bpf.NumVerdicts || now.Sub(told[d.Verdict]) < dropsEvery {
			continue
		}
		told[d.Verdict] = now
		args := []any{"verdict", d.Verdict, "source", d.Source, "target", d.Target, "octets", d.Length, "payload", string(d.Payload[:min(len(d.Payload), 40)])}
		if stats, err := st.program.Stats(); err == nil {
			n := stats[d.Verdict].Packets
			args = append(args, "packets", n-counted[d.Verdict])
			counted[d.Verdict] = n
		}
		st.log.Warn("dropped", args...)
	}
}

// ringsOf notes how many queues have an AF_XDP socket on the interface as it is now.
func (st *steering) ringsOf(queues int) error {
	ifi, err := net.InterfaceByName(st.iface)
	if err != nil {
		return err
	}
	st.queues, st.index = queues, ifi.Index
	return nil
}

// close detaches the program and gives it back.
func (st *steering) close() error { return st.program.Close() }
