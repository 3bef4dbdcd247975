// Package ingress decides by which transport requests arrive on which interfaces, opens it, and keeps it there: XDP programs are
// attached again, and addresses, VRFs and MTUs of the host are followed.
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
	cfg    *config.Config
	log    *slog.Logger
	Limits *Limits
	vrfs   *vrfWatch
	plan
	Kind       config.Transport // XDP: by AF_XDP sockets; Socket
	Transports []fastpath.Transport
	Sockets    []*udp.Transport // the workers' own, which they serve whatever the kind
	Addrs      []netip.AddrPort // where requests arrive
	Cpus       []int
	Steering   *Steering  // nil: there is no XDP program
	Rings      *xsk.Group // nil: there are no AF_XDP sockets
	Choosers   []*bpf.Reuseport
	key        tid.Key     // from which of its worker's ports a client is answered
	Few        string      // why there are few of these; empty: there are enough
	Lookup     *bpf.Lookup // nil: each of these is read
	MaxBlksize int         // what packets have room for, octets
	Blksizes   fastpath.Blksizes
}

// Open decides how packets come in to so many workers, opens everything for it, and says what became of it. Whatever
// the plan, each worker has UDP sockets: XDP passes fragments on to them, and when it is lost they take all.
func Open(cfg *config.Config, log *slog.Logger, workers int) (*Ingress, error) {
	limits, err := newLimits(cfg)
	if err != nil {
		return nil, err
	}
	o := &opener{cfg: cfg, log: log, limits: limits}
	f := LookAround(cfg, cfg.Listen, workers)
	p, err := Decide(cfg.Transport, f)
	if err != nil {
		return nil, err
	}
	if f.Err != nil && len(cfg.Interfaces) > 0 {
		log.Warn("not every configured interface has XDP", "err", f.Err)
	}
	in, err := o.open(p, workers)
	var rings *ringsError
	if errors.As(err, &rings) && cfg.Transport != config.XDP {
		p.spread, p.Why = f.spread(), "XDP filters for sockets: "+rings.err.Error()
		for i := range p.Ports {
			p.Ports[i].Xsk = false
		}
		in, err = o.open(p, workers)
	}
	if err != nil {
		return nil, err
	}
	keepProcessor(len(in.Transports))
	return in, nil
}

// opener is what opening an ingress needs.
type opener struct {
	cfg    *config.Config
	log    *slog.Logger
	limits *Limits
}

// open opens what the plan says, or nothing. With AF_XDP there are as many workers as receive queues: one without a ring
// could serve only what the program does not take.
func (o *opener) open(p plan, workers int) (*Ingress, error) {
	in := &Ingress{cfg: o.cfg, log: o.log, Limits: o.limits, plan: p, Kind: config.Socket}
	queues, err := p.Queues()
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
		return nil, errors.Join(err, in.Close())
	}
	return in, nil
}

// Queues returns how many receive queues AF_XDP has; 0: there is none.
func (p *plan) Queues() (int, error) {
	queues := 0
	for _, a := range p.Ports {
		if !a.Xsk {
			continue
		}
		n, err := xsk.Queues(a.Name)
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

func (in *Ingress) open(o *opener, workers int) error {
	var err error
	if in.Cpus, err = processors(); err != nil {
		return err
	}
	if err := in.OpenSockets(o.cfg, workers); err != nil {
		return err
	}
	for _, w := range in.Sockets[0].Warnings() {
		o.log.Warn(w)
	}
	in.Addrs = in.Sockets[0].Addrs()
	for _, t := range in.Sockets {
		in.Transports = append(in.Transports, guarded{t, o.limits.Guard, guard.NewSieve(workers)})
	}
	in.MaxBlksize = blkroom(o.cfg)
	h, err := newHost()
	if err != nil {
		o.log.Debug("interfaces unknown", "err", err)
	}
	in.Blksizes.Store(blksizes(o.cfg, h, in.Addrs))
	in.chooseSockets()
	if in.Few != "" {
		o.log.Warn(in.Few)
	}
	why, err := in.gather()
	if err != nil {
		return err
	}
	if why != nil {
		o.log.Info("each port of running transfers is read by itself", "err", why)
	}
	if len(in.plan.Ports) == 0 {
		return nil
	}
	// The workers' processors, as fastpath has them.
	cpus := make([]int, workers)
	for i := range cpus {
		cpus[i] = in.Cpus[i%len(in.Cpus)]
	}
	if in.Steering, err = o.newSteering(in, cpus); err != nil {
		o.limits.unbind()
		if o.cfg.Transport == config.XDP {
			return fmt.Errorf("transport xdp: %w", err)
		}
		in.plan = plan{Why: err.Error()}
		return nil
	}
	if err := in.openRings(o); err != nil {
		return &ringsError{err}
	}
	return nil
}

// openRings puts AF_XDP sockets before the sockets of each worker, of those interfaces of which packets can be steered to them.
func (in *Ingress) openRings(o *opener) (err error) {
	workers := len(in.Sockets)
	cfg := xsk.Config{
		Listen: in.Addrs, SinglePort: o.cfg.SinglePort, Key: in.key, Hash: true, Marking: marking(o.cfg),
		Owner: func(client netip.Addr) int { return bpf.Worker(client, workers) },
	}
	var refused []error
	for _, p := range in.Steering.ports {
		if !p.Xsk {
			continue
		}
		if err := p.tagsError(); err != nil {
			refused = append(refused, err)
			continue
		}
		cfg.Interfaces = append(cfg.Interfaces, xsk.Interface{Name: p.Name, Zone: p.zone, Attach: p.program.SetXSK})
	}
	for q := range in.Sockets {
		cfg.Sockets = append(cfg.Sockets, in.Transports[q].(guarded))
	}
	if len(cfg.Interfaces) > 0 {
		if in.Rings, err = xsk.Open(cfg); err != nil {
			return err
		}
		refused = append(refused, in.Rings.Refused...)
	}
	if len(refused) > 0 && o.cfg.Transport == config.XDP {
		return errors.Join(refused...)
	}
	for _, err := range refused {
		in.Why += "; " + err.Error()
	}
	if in.Rings == nil {
		return nil
	}
	for _, w := range in.Rings.Warnings {
		o.log.Warn(w)
	}
	in.Steering.Rings, in.Kind = in.Rings, config.XDP
	for _, p := range in.Steering.ports {
		p.Xsk = len(in.Rings.Sockets(p.Index)) > 0
	}
	for q, t := range in.Rings.Transports {
		in.Transports[q] = t
		in.MaxBlksize = min(in.MaxBlksize, t.MaxBlksize())
	}
	return nil
}

// chooseSockets has the kernel choose the worker of a request by its source, as the XDP program does. Without the capability
// for that it goes on choosing by a hash of its own.
func (in *Ingress) chooseSockets() {
	if len(in.Sockets) == 1 {
		return
	}
	for i := range in.Addrs {
		fds := make([]int, len(in.Sockets))
		for w, t := range in.Sockets {
			fds[w] = t.Listeners()[i]
		}
		r, err := bpf.NewReuseport(fds)
		if err != nil {
			return
		}
		in.Choosers = append(in.Choosers, r)
	}
}

// Close gives back what [Open] has opened. The transports are their server's, once it runs.
func (in *Ingress) Close() error {
	var errs []error
	if in.Steering != nil {
		errs = append(errs, in.Steering.close())
	}
	for _, r := range in.Choosers {
		errs = append(errs, r.Close())
	}
	if in.Lookup != nil {
		errs = append(errs, in.Lookup.Close())
	}
	for _, t := range in.Transports {
		errs = append(errs, t.Close())
	}
	return errors.Join(errs...)
}

// LogArgs describes for the log how packets come in.
func (in *Ingress) LogArgs() []any {
	args := []any{"listen", in.Addrs, "transport", in.Kind, "workers", len(in.Transports)}
	if in.Steering != nil {
		args = append(args, "interface", in.Steering.Names(), "mode", in.Mode())
	}
	if in.Rings != nil {
		args = append(args, "zero_copy", in.Rings.Transports[0].ZeroCopy())
	}
	return append(args, "why", in.Why)
}

// Mode returns how the XDP programs run: the lesser mode, if not all run alike.
func (in *Ingress) Mode() bpf.Mode {
	mode := bpf.Off
	if in.Steering != nil {
		in.Steering.Each(func(p Steered) {
			if mode == bpf.Off || p.Mode == bpf.Generic {
				mode = p.Mode
			}
		})
	}
	return mode
}
