// Package storm simulates up to 65,536 cable modems that ask one TFTP server for their files, and measures the answers.
//
// The simulation of modems (engine) is pure: time and packets in, packets out. Packets are sent as frames through
// AF_XDP or AF_PACKET, each modem from its own address, or through plain sockets, for example to a loopback address.
package storm

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Run runs the load and returns its result; a failed download is a result, not an error. It stops early when ctx is
// done. It uses only the calling thread, in that thread's network namespace.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if cfg.CPU >= 0 {
		var before, set unix.CPUSet
		if err := unix.SchedGetaffinity(0, &before); err != nil {
			return nil, err
		}
		set.Set(cfg.CPU)
		if err := unix.SchedSetaffinity(0, &set); err != nil {
			return nil, err
		}
		defer func() { _ = unix.SchedSetaffinity(0, &before) }() // restores a mask that was permitted before
	}
	l, how, err := openLink(&cfg)
	if err != nil {
		return nil, err
	}
	e, err := newEngine(&cfg, l)
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	e.res.Via = how
	return e.run(ctx), l.close()
}

const (
	spin        = 50 * time.Microsecond // idle time before the thread sleeps: waking up takes about as long
	nap         = time.Millisecond      // a slot of the wheel
	reportEvery = time.Second / 2
)

func (e *engine) run(ctx context.Context) *Result {
	var stop atomic.Bool
	defer context.AfterFunc(ctx, func() { stop.Store(true) })()

	start := time.Now()
	e.wall = start.UnixNano()
	e.res.Started = start.UTC().Truncate(time.Second)
	var now, last, idleSince, idle int64
	report := int64(reportEvery)
	for worked := true; !stop.Load(); {
		now = int64(time.Since(start))
		if !worked {
			idle += now - last
		}
		last = now
		did := e.link.receive(now, e)
		did += e.tick(now)
		e.link.flush()
		if e.over(now, did == 0) {
			break
		}
		if worked = did > 0; worked {
			idleSince = now
		} else if d := e.untilNext(now); d > 0 && now-idleSince > int64(spin) {
			e.link.wait(d)
		} else {
			// A kernel thread that receives on the same CPU has to run, too.
			_, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
		}
		if now >= e.line.due {
			e.line.sample(now, e)
		}
		if e.events < len(e.cfg.Events) && now >= int64(e.cfg.Events[e.events].At) {
			e.event(now)
		}
		if e.cfg.Progress != nil && now >= report {
			report += int64(reportEvery)
			e.cfg.Progress(e.progress(now))
		}
	}
	r := e.result(now)
	if now > 0 {
		r.Busy = 1 - float64(idle)/float64(now)
	}
	return r
}

// untilNext returns how long the thread may sleep before the next download is due to begin.
func (e *engine) untilNext(now int64) time.Duration {
	d := nap
	for k := range e.groups {
		if g := &e.groups[k]; g.Window == 0 && g.more(now) {
			// Sleeping takes longer than requested; the rest is spent spinning.
			d = min(d, time.Duration(g.arrival-now)-2*spin)
		}
	}
	return d
}

// event passes on the event that is due.
func (e *engine) event(now int64) {
	ev := e.cfg.Events[e.events]
	e.events++
	e.res.Events = append(e.res.Events, Mark{At: seconds(now), Name: ev.Name, Note: ev.Note})
	if e.cfg.OnEvent != nil {
		e.cfg.OnEvent(ev)
	}
}

func (e *engine) progress(now int64) Progress {
	q := func(p float64) time.Duration { return time.Duration(e.latency.ValueAtPercentile(p)) }
	return Progress{
		Elapsed: time.Duration(now),
		Offered: e.res.Offered, Served: e.res.Served, Wrong: e.res.Wrong, Failed: e.res.Failed,
		Waiting: e.under, Retries: e.res.Retries, Flood: e.res.Flood, Expected: e.expected(),
		P50: q(50), P99: q(99), P999: q(99.9),
	}
}

// expected returns the number of downloads in total; 0 if only the duration is known.
func (e *engine) expected() int {
	n := 0
	for k := range e.groups {
		switch g := &e.groups[k]; {
		case g.Flood > 0:
		case g.Count > 0:
			n += g.Count
		case g.Rate > 0:
			n += int(g.Rate * (g.Duration - g.Ramp/2).Seconds())
		default:
			return 0
		}
	}
	return n
}
