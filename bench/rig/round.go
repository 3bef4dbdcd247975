package rig

import (
	"time"

	"dcs/bench/netlab"
	"dcs/bench/storm"
)

// Round is the result of a load and what it took of both CPUs.
type Round struct {
	*storm.Result
	CPU        time.Duration // that the server took; on TH1 with the thread that receives for it
	ServerBusy float64       // how much of a CPU that was, 0 to 1
	LoadBusy   float64       // of the load's CPU, 0 to 1: the generator and, on TH1, the thread that receives for it
	PerFile    float64       // µs of CPU for a file
}

// Bound reports whether the load's CPU had no time left: the rate says nothing about the server then.
func (r Round) Bound() bool { return r.LoadBusy >= 0.97 }

// Measure runs a load on a server, a process, in a lab.
func Measure(lab *netlab.Lab, server int, load func() (*storm.Result, error)) (Round, error) {
	before, err := serverTime(lab, server)
	if err != nil {
		return Round{}, err
	}
	polled, err := lab.Load.Polled(netlab.Device)
	if err != nil {
		return Round{}, err
	}
	res, err := load()
	if err != nil {
		return Round{}, err
	}
	polledThen, err := lab.Load.Polled(netlab.Device)
	if err != nil {
		return Round{}, err
	}
	after, err := serverTime(lab, server)
	if err != nil {
		return Round{}, err
	}
	r := Round{
		Result:     res,
		CPU:        after - before,
		ServerBusy: (after - before).Seconds() / res.Elapsed,
		// The thread preempts the generator, whose work is measured by the clock: only what the thread took of the rest is added.
		LoadBusy: min(1, res.Busy+(1-res.Busy)*(polledThen-polled).Seconds()/res.Elapsed),
	}
	if res.Served > 0 {
		r.PerFile = float64(r.CPU.Microseconds()) / float64(res.Served)
	}
	return r, nil
}
