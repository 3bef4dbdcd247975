package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"dcs/bench/netlab"
	"dcs/bench/storm"
)

// A stage is the setting of an act: a server, and the scale of its attacks.
type stage struct {
	dcs       string // the server's binary
	dir       string // its files
	transport string
	serverCPU int // negative: any
	loadCPU   int // negative: any
	scale     scale
	load      load
}

// A result is the outcome of one attack.
type result struct {
	*attack
	transport string
	in, out   tally
	known     *storm.Result // of all attacks of the act
	drops     uint64        // in the kernel, before the server; of all attacks of the act
	broken    int           // downloads that the attack was to break off, and did
}

// longest bounds the duration of an act.
const longest = 2 * time.Minute

// act runs attacks concurrently against a server of their own, with the settings of the first.
func (s *stage) act(ctx context.Context, attacks ...*attack) (results []result, err error) {
	ctx, stop := context.WithTimeout(ctx, longest)
	defer stop()
	config, name := cmp.Or(attacks[0].config, "dcs.yaml"), cmp.Or(attacks[0].asks, modem)
	v, err := start(s.dcs, s.dir, config, s.transport, s.serverCPU, attacks[0].args)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, v.Stop()) }()
	if err := v.warm(ctx, []string{small, modem, tier}, s.loadCPU); err != nil {
		return nil, err
	}
	var count *counter
	if err := v.Lab.Load.Do(func() (err error) { count, err = openCounter(); return err }); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, count.close()) }()
	dropped, err := v.drops()
	if err != nil {
		return nil, err
	}
	during, downloaded := context.WithCancel(ctx)
	defer downloaded()
	targets := 0
	for _, a := range attacks {
		targets += a.targeted
	}
	lost, err := v.startDownloads(during, targets)
	if err != nil {
		return nil, err
	}

	p := s.begin(ctx, v, attacks)
	p.opened.Wait()
	if !attacks[0].overloads {
		if err := v.drain(20 * time.Second); err != nil {
			return nil, err
		}
	}
	known, err := v.fetch(ctx, s.load, name, s.loadCPU)
	p.last.Wait() // of attacks that end by themselves
	downloaded()
	broken := lost()
	p.release()
	p.all.Wait()
	if err := errors.Join(append(p.errs, err, ctx.Err())...); err != nil {
		return nil, err
	}
	if err := s.awaitQuiet(ctx, count, p.results); err != nil {
		return nil, err
	}
	now, err := v.drops()
	for i := range p.results {
		r := &p.results[i]
		r.transport, r.known, r.drops, r.broken = s.transport, known, now-dropped, broken
	}
	return p.results, err
}

// play is a set of running attacks.
type play struct {
	results           []result
	errs              []error
	opened, last, all sync.WaitGroup
	release           context.CancelFunc
}

// begin starts attacks, each with victims of its own.
func (s *stage) begin(whole context.Context, v server, attacks []*attack) *play {
	p := &play{results: make([]result, len(attacks)), errs: make([]error, len(attacks))}
	var endless context.Context
	endless, p.release = context.WithCancel(whole)
	p.opened.Add(len(attacks))
	for i, a := range attacks {
		ctx, done := endless, func() {}
		if a.ends {
			p.last.Add(1)
			ctx, done = whole, p.last.Done
		}
		p.results[i].attack = a
		p.all.Go(func() {
			defer done()
			opened := sync.OnceFunc(p.opened.Done)
			defer opened()
			p.errs[i] = v.Lab.Load.Do(func() error { return s.assault(ctx, a, victims(i, a.v6), &p.results[i], opened) })
		})
	}
	return p
}

func (s *stage) assault(ctx context.Context, a *attack, victims netip.Prefix, r *result, opened func()) error {
	sp, err := openSpoofer(uint64(time.Now().UnixNano()))
	if err != nil {
		return err
	}
	sp.restart()
	err = a.play(ctx, &assault{spoofer: sp, scale: s.scale, victims: victims}, opened)
	var closing error
	r.in.Packets, r.in.Octets, closing = sp.close()
	if err = errors.Join(err, closing); err != nil {
		return fmt.Errorf("%s: %w", a.name, err)
	}
	return nil
}

// victims returns the addresses of the i-th attack of an act: 4,096 of IPv4, or for IPv6 a part of the modems' /64.
func victims(i int, v6 bool) netip.Prefix {
	if v6 {
		b := netlab.ModemNet6.Addr().As16()
		b[9] = byte(i)
		return netip.PrefixFrom(netip.AddrFrom16(b), 80)
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18, byte(16 * (i + 1)), 0}), 20)
}

// awaitQuiet waits until no more packets arrive for the victims, and stores their counts.
func (s *stage) awaitQuiet(ctx context.Context, c *counter, results []result) error {
	quiet := s.scale.quiet
	for i := range results {
		if results[i].backoff {
			quiet = s.scale.backoff
		}
	}
	for since := time.Now(); time.Since(since) < quiet; {
		for i := range results {
			r := &results[i]
			out, err := c.to(victims(i, r.v6))
			if err != nil {
				return err
			}
			if out != r.out {
				r.out, since = out, time.Now()
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("answers do not stop: %w", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// failed returns how many known modems got no file or a wrong one.
func (r *result) failed() int { return r.known.Failed + r.known.Wrong + r.known.Unfinished }

// misses returns the bounds that were missed.
func (r *result) misses() (all []string) {
	if f := r.factor(); f > r.bound {
		all = append(all, fmt.Sprintf("%.1f octets out per octet in, at most %g are allowed", f, r.bound))
	}
	if n := r.mayFail(); r.failed() > n {
		all = append(all, fmt.Sprintf("%d of %d known modems failed, at most %d may", r.failed(), r.known.Offered, n))
	}
	if ms := r.known.Latency.Max / 1e3; r.slowest > 0 && ms > float64(r.slowest.Milliseconds()) {
		all = append(all, fmt.Sprintf("a known modem waited %.0f ms, at most %v are allowed", ms, r.slowest))
	}
	if r.targeted > 0 && r.broken > 1 {
		all = append(all, fmt.Sprintf("%d of %d downloads were broken off, at most 1 may", r.broken, r.targeted))
	}
	return all
}

// factor returns the octets sent for each octet received.
func (r *result) factor() float64 { return float64(r.out.Octets) / float64(max(r.in.Octets, 1)) }

// mayFail returns how many known modems may fail. Over AF_XDP it is 0. Over sockets it is three times the number
// expected to lose all three requests at the observed rate of drops in the kernel, as drops are not spread evenly.
func (r *result) mayFail() int {
	if r.transport == "xdp" || r.drops == 0 || r.in.Packets == 0 {
		return 0
	}
	p := min(float64(r.drops)/float64(r.in.Packets), 1)
	return int(3*float64(r.known.Offered)*p*p*p) + 1
}
