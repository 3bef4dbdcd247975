// Package ingress chooses by which transport requests arrive on which interfaces, opens it, and maintains it: it re-attaches XDP
// programs, and follows the host's addresses, VRFs and MTUs.
package ingress

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"runtime"

	"dcs/bpf"
	"dcs/cmd/internal/config"
	"dcs/fastpath"
	"dcs/fastpath/guard"
	"dcs/fastpath/tid"
	"dcs/fastpath/udp"
	"dcs/fastpath/xsk"
)

// Ingress is how packets reach the workers.
type Ingress struct {
	cfg        *config.Config
	log        *slog.Logger
	limits     *Limits
	vrfs       *vrfWatch
	plan       Plan
	kind       config.Transport // XDP: AF_XDP sockets; Socket
	transports []fastpath.Transport
	sockets    []*udp.Transport // one for each worker, which serves it whatever the kind
	addrs      []netip.AddrPort // where requests arrive
	cpus       []int
	steering   *Steering  // nil: there is no XDP program
	rings      *xsk.Group // nil: there are no AF_XDP sockets
	choosers   []*bpf.Reuseport
	key        tid.Key     // chooses the port of its worker that a client is answered from
	lookup     *bpf.Lookup // nil: each of these ports is read by itself
	maxBlksize int         // room in packets, octets
	blksizes   fastpath.Blksizes
}

// Open chooses how packets reach so many workers and opens everything for it. Whatever the plan, each worker has UDP sockets:
// XDP passes fragments on to them, and they take all packets while no program is attached.
func Open(cfg *config.Config, log *slog.Logger, workers int) (*Ingress, error) {
	limits, err := newLimits(cfg)
	if err != nil {
		return nil, err
	}
	o := &opener{cfg: cfg, log: log, limits: limits}
	f := Inspect(cfg, cfg.Listen, workers)
	p, err := Decide(cfg.Transport, f)
	if err != nil {
		return nil, err
	}
	if f.err != nil && len(cfg.Interfaces) > 0 {
		log.Warn("configured interfaces without XDP", "err", f.err)
	}
	in, err := o.open(p, workers)
	var rings *ringsError
	if errors.As(err, &rings) && cfg.Transport != config.XDP {
		p.spread, p.why = f.spread(), "XDP filters for sockets: "+rings.err.Error()
		for i := range p.ports {
			p.ports[i].xsk = false
		}
		in, err = o.open(p, workers)
	}
	if err != nil {
		return nil, err
	}
	spareProcessor(len(in.transports))
	return in, nil
}

// opener opens an ingress.
type opener struct {
	cfg    *config.Config
	log    *slog.Logger
	limits *Limits
}

// open opens what the plan says; on an error nothing stays open. AF_XDP has one worker for each receive queue: a worker without
// a ring could serve only what the program passes on.
func (o *opener) open(p Plan, workers int) (*Ingress, error) {
	in := &Ingress{cfg: o.cfg, log: o.log, limits: o.limits, plan: p, kind: config.Socket}
	queues, err := p.Queues()
	if err != nil {
		return nil, &ringsError{err}
	}
	if queues > 0 {
		if o.cfg.Workers > 0 && o.cfg.Workers != queues {
			o.log.Info("AF_XDP runs one worker per receive queue", "queues", queues, "configured", o.cfg.Workers)
		}
		workers = queues
	}
	if err := in.open(o, workers); err != nil {
		o.limits.unbind()
		return nil, errors.Join(err, in.Close())
	}
	return in, nil
}

// Queues returns the number of receive queues for AF_XDP; 0: no interface has it.
func (p *Plan) Queues() (int, error) {
	queues := 0
	for _, a := range p.ports {
		if !a.xsk {
			continue
		}
		n, err := xsk.Queues(a.name)
		if err != nil {
			return 0, err
		}
		queues = max(queues, n)
	}
	return queues, nil
}

// ringsError is why there are no AF_XDP sockets.
type ringsError struct{ err error }

func (e *ringsError) Error() string { return fmt.Sprintf("transport xdp: %v", e.err) }
func (e *ringsError) Unwrap() error { return e.err }

// spareProcessor raises GOMAXPROCS to one more than there are workers, unless the environment sets it. While one processor is
// idle, a worker that waits for packets keeps its own. Otherwise the runtime's monitor considers taking it away every 20 µs,
// which costs some 5 % of a CPU, and the log and the admin page would have to wait for an idle worker.
func spareProcessor(workers int) {
	if os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) <= workers {
		runtime.GOMAXPROCS(workers + 1)
	}
}

func (in *Ingress) open(o *opener, workers int) error {
	var err error
	if in.cpus, err = processors(); err != nil {
		return err
	}
	var fewPorts string
	if in.sockets, in.key, fewPorts, err = openSockets(o.cfg, workers); err != nil {
		return err
	}
	for _, w := range in.sockets[0].Warnings() {
		o.log.Warn(w)
	}
	in.addrs = in.sockets[0].Addrs()
	for _, t := range in.sockets {
		in.transports = append(in.transports, guarded{t, o.limits.guard, guard.NewSieve(workers)})
	}
	in.maxBlksize = blkroom(o.cfg)
	h, err := newHost()
	if err != nil {
		o.log.Debug("interfaces unknown", "err", err)
	}
	in.blksizes.Store(blksizes(o.cfg, h, in.addrs))
	in.chooseSockets()
	if fewPorts != "" {
		o.log.Warn(fewPorts)
	}
	why, err := in.gather()
	if err != nil {
		return err
	}
	if why != nil {
		o.log.Info("transfer ports are read one by one", "err", why)
	}
	if len(in.plan.ports) == 0 {
		return nil
	}
	// The workers' CPUs, as fastpath assigns them.
	cpus := make([]int, workers)
	for i := range cpus {
		cpus[i] = in.cpus[i%len(in.cpus)]
	}
	if in.steering, err = o.newSteering(in, cpus); err != nil {
		o.limits.unbind()
		if o.cfg.Transport == config.XDP {
			return fmt.Errorf("transport xdp: %w", err)
		}
		in.plan = Plan{why: err.Error()}
		return nil
	}
	if err := in.openRings(o); err != nil {
		return &ringsError{err}
	}
	return nil
}

// openRings opens AF_XDP sockets in front of each worker's sockets, on those interfaces whose packets can be steered to them.
func (in *Ingress) openRings(o *opener) (err error) {
	workers := len(in.sockets)
	cfg := xsk.Config{
		Listen: in.addrs, SinglePort: o.cfg.SinglePort, Key: in.key, Hash: true, Marking: marking(o.cfg), BusyPoll: o.cfg.BusyPoll,
		Owner: func(client netip.Addr) int { return bpf.Worker(client, workers) },
	}
	var refused []error
	for _, p := range in.steering.ports {
		if !p.xsk {
			continue
		}
		if err := p.tagsError(); err != nil {
			refused = append(refused, err)
			continue
		}
		cfg.Interfaces = append(cfg.Interfaces, xsk.Interface{Name: p.name, Zone: p.zone, Attach: p.program.SetXSK})
	}
	for q := range in.sockets {
		cfg.Sockets = append(cfg.Sockets, in.transports[q].(guarded))
	}
	if len(cfg.Interfaces) > 0 {
		if in.rings, err = xsk.Open(cfg); err != nil {
			return err
		}
		refused = append(refused, in.rings.Refused...)
	}
	if len(refused) > 0 && o.cfg.Transport == config.XDP {
		return errors.Join(refused...)
	}
	for _, err := range refused {
		in.plan.why += "; " + err.Error()
	}
	if in.rings == nil {
		return nil
	}
	for _, w := range in.rings.Warnings {
		o.log.Warn(w)
	}
	in.steering.rings, in.kind = in.rings, config.XDP
	for _, p := range in.steering.ports {
		p.xsk = len(in.rings.Sockets(p.index)) > 0
	}
	for q, t := range in.rings.Transports {
		in.transports[q] = t
		in.maxBlksize = min(in.maxBlksize, t.MaxBlksize())
	}
	return nil
}

// chooseSockets has the kernel choose a request's worker by its source, as the XDP program does. Without the capabilities for
// that, the kernel chooses by its own hash.
func (in *Ingress) chooseSockets() {
	if len(in.sockets) == 1 {
		return
	}
	for i := range in.addrs {
		fds := make([]int, len(in.sockets))
		for w, t := range in.sockets {
			fds[w] = t.Listeners()[i]
		}
		r, err := bpf.NewReuseport(fds)
		if err != nil {
			return
		}
		in.choosers = append(in.choosers, r)
	}
}

// Close closes what [Open] has opened. Once a server runs, it closes the transports itself.
func (in *Ingress) Close() error {
	var errs []error
	if in.steering != nil {
		errs = append(errs, in.steering.close())
	}
	for _, r := range in.choosers {
		errs = append(errs, r.Close())
	}
	if in.lookup != nil {
		errs = append(errs, in.lookup.Close())
	}
	for _, t := range in.transports {
		errs = append(errs, t.Close())
	}
	return errors.Join(errs...)
}

// LogArgs returns log attributes that say how packets come in.
func (in *Ingress) LogArgs() []any {
	args := []any{"listen", in.addrs, "transport", in.kind, "workers", len(in.transports)}
	if in.steering != nil {
		args = append(args, "interface", in.steering.Names(), "mode", in.Mode())
	}
	if in.rings != nil {
		args = append(args, "zero_copy", in.rings.Transports[0].ZeroCopy())
		if in.cfg.BusyPoll {
			args = append(args, "busy_poll", in.rings.Transports[0].BusyPolls())
		}
	} else if in.cfg.BusyPoll {
		args = append(args, "busy_poll", false)
	}
	return append(args, "why", in.plan.why)
}

// Mode returns the mode of the XDP programs: the slower one if they differ.
func (in *Ingress) Mode() bpf.Mode {
	mode := bpf.Off
	if in.steering != nil {
		for _, p := range in.steering.Interfaces() {
			if mode == bpf.Off || p.Mode == bpf.Generic {
				mode = p.Mode
			}
		}
	}
	return mode
}
