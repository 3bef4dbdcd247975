package main

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

// ingress is how packets reach the workers.
type ingress struct {
	cfg    *config.Config
	log    *slog.Logger
	limits *limits
	vrfs   *vrfWatch
	plan
	kind       config.Transport // XDP: by AF_XDP sockets; Socket
	transports []fastpath.Transport
	sockets    []*udp.Transport // the workers' own, which they serve whatever the kind
	addrs      []netip.AddrPort // where requests arrive
	cpus       []int
	steering   *steering  // nil: there is no XDP program
	rings      *xsk.Group // nil: there are no AF_XDP sockets
	choosers   []*bpf.Reuseport
	key        tid.Key     // from which of its worker's ports a client is answered
	few        string      // why there are few of these; empty: there are enough
	lookup     *bpf.Lookup // nil: each of these is read
	maxBlksize int         // what packets have room for, octets
	blksizes   fastpath.Blksizes
}

// openIngress decides how packets come in to so many workers, opens everything for it, and says what became of it. Whatever
// the plan, each worker has UDP sockets: XDP passes fragments on to them, and when it is lost they take all.
func openIngress(cfg *config.Config, log *slog.Logger, workers int) (*ingress, error) {
	limits, err := newLimits(cfg)
	if err != nil {
		return nil, err
	}
	o := &opener{cfg: cfg, log: log, limits: limits}
	f := lookAround(cfg, cfg.Listen, workers)
	p, err := decide(cfg.Transport, f)
	if err != nil {
		return nil, err
	}
	if f.err != nil && len(cfg.Interfaces) > 0 {
		log.Warn("not every configured interface has XDP", "err", f.err)
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
	keepProcessor(len(in.transports))
	return in, nil
}

// opener is what opening an ingress needs.
type opener struct {
	cfg    *config.Config
	log    *slog.Logger
	limits *limits
}

// open opens what the plan says, or nothing. With AF_XDP there are as many workers as receive queues: one without a ring
// could serve only what the program does not take.
func (o *opener) open(p plan, workers int) (*ingress, error) {
	in := &ingress{cfg: o.cfg, log: o.log, limits: o.limits, plan: p, kind: config.Socket}
	queues, err := p.queues()
	if err != nil {
		return nil, &ringsError{err}
	}
	if queues > 0 {
		if o.cfg.Workers > 0 && o.cfg.Workers != queues {
			o.log.Info("AF_XDP has a worker for each receive queue", "queues", queues, "configured", o.cfg.Workers)
		}
		workers = queues
	}
	if err := in.open(o, workers); err != nil {
		o.limits.unbind()
		return nil, errors.Join(err, in.close())
	}
	return in, nil
}

// queues returns how many receive queues AF_XDP has; 0: there is none.
func (p *plan) queues() (int, error) {
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

// keepProcessor gives the run-time one processor more than there are workers, unless $GOMAXPROCS says how many it has. While
// one is idle, a worker that waits for packets keeps its own. Else the run-time's monitor would look every 20 µs whether it
// has to take it away, which costs some 5 % of the CPU, and the log and the admin page would wait for a worker to wait.
func keepProcessor(workers int) {
	if os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) <= workers {
		runtime.GOMAXPROCS(workers + 1)
	}
}

func (in *ingress) open(o *opener, workers int) error {
	var err error
	if in.cpus, err = processors(); err != nil {
		return err
	}
	if err := in.openSockets(o.cfg, workers); err != nil {
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
	if in.few != "" {
		o.log.Warn(in.few)
	}
	why, err := in.gather()
	if err != nil {
		return err
	}
	if why != nil {
		o.log.Info("each port of running transfers is read by itself", "err", why)
	}
	if len(in.plan.ports) == 0 {
		return nil
	}
	// The workers' processors, as fastpath has them.
	cpus := make([]int, workers)
	for i := range cpus {
		cpus[i] = in.cpus[i%len(in.cpus)]
	}
	if in.steering, err = o.newSteering(in, cpus); err != nil {
		o.limits.unbind()
		if o.cfg.Transport == config.XDP {
			return fmt.Errorf("transport xdp: %w", err)
		}
		in.plan = plan{why: err.Error()}
		return nil
	}
	if err := in.openRings(o); err != nil {
		return &ringsError{err}
	}
	return nil
}

// openRings puts AF_XDP sockets before the sockets of each worker, of those interfaces of which packets can be steered to them.
func (in *ingress) openRings(o *opener) (err error) {
	workers := len(in.sockets)
	cfg := xsk.Config{
		Listen: in.addrs, SinglePort: o.cfg.SinglePort, Key: in.key, Hash: true, Marking: marking(o.cfg),
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
		in.why += "; " + err.Error()
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

// chooseSockets has the kernel choose the worker of a request by its source, as the XDP program does. Without the capability
// for that it goes on choosing by a hash of its own.
func (in *ingress) chooseSockets() {
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

// close gives back what openTransports has opened. The transports are their server's, once it runs.
func (in *ingress) close() error {
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

// told are the words of the log for how packets come in.
func (in *ingress) told() []any {
	args := []any{"listen", in.addrs, "transport", in.kind, "workers", len(in.transports)}
	if in.steering != nil {
		args = append(args, "interface", in.steering.names(), "mode", in.mode())
	}
	if in.rings != nil {
		args = append(args, "zero_copy", in.rings.Transports[0].ZeroCopy())
	}
	return append(args, "why", in.why)
}

// mode returns how the XDP programs run: the lesser mode, if not all run alike.
func (in *ingress) mode() bpf.Mode {
	mode := bpf.Off
	if in.steering != nil {
		in.steering.each(func(p steered) {
			if mode == bpf.Off || p.mode == bpf.Generic {
				mode = p.mode
			}
		})
	}
	return mode
}
