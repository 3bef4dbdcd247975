package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"time"

	"dcs/bpf"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/logging"
	"dcs/cmd/internal/privilege"
	"dcs/fastpath"
	"dcs/fastpath/guard"
	"dcs/fastpath/tid"
	"dcs/fastpath/transfer"
	"dcs/fastpath/udp"
	"dcs/fastpath/xsk"
	"dcs/render"
	"dcs/render/device"
)

// ingress is how packets reach the workers.
type ingress struct {
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

// openTransports decides how packets come in, opens everything for it, and says what became of it. Whatever
// the plan, each worker has UDP sockets: XDP passes fragments on to them, and when it is lost they take all.
func (s *server) openTransports() (*ingress, error) {
	workers := workersOf(&s.cfg)
	var err error
	if s.limits, err = newLimits(&s.cfg); err != nil {
		return nil, err
	}
	f := lookAround(&s.cfg, s.cfg.Listen, workers)
	p, err := decide(s.cfg.Transport, f)
	if err != nil {
		return nil, err
	}
	if f.err != nil && len(s.cfg.Interfaces) > 0 {
		s.log.Warn("not every configured interface has XDP", "err", f.err)
	}
	in, err := s.openIngress(p, workers)
	var rings *ringsError
	if errors.As(err, &rings) && s.cfg.Transport != config.XDP {
		p.spread, p.why = f.spread(), "XDP filters for sockets: "+rings.err.Error()
		for i := range p.ports {
			p.ports[i].xsk = false
		}
		in, err = s.openIngress(p, workers)
	}
	if err != nil {
		return nil, err
	}
	keepProcessor(len(in.transports))
	return in, nil
}

// openIngress opens what the plan says, or nothing. With AF_XDP there are as many workers as receive queues: one without a ring
// could serve only what the program does not take.
func (s *server) openIngress(p plan, workers int) (*ingress, error) {
	in := &ingress{plan: p, kind: config.Socket}
	queues, err := p.queues()
	if err != nil {
		return nil, &ringsError{err}
	}
	if queues > 0 {
		if s.cfg.Workers > 0 && s.cfg.Workers != queues {
			s.log.Info("AF_XDP has a worker for each receive queue", "queues", queues, "configured", s.cfg.Workers)
		}
		workers = queues
	}
	if err := in.open(s, workers); err != nil {
		s.limits.unbind()
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

func (in *ingress) open(s *server, workers int) error {
	var err error
	if in.cpus, err = processors(); err != nil {
		return err
	}
	if err := in.openSockets(&s.cfg, workers); err != nil {
		return err
	}
	for _, w := range in.sockets[0].Warnings() {
		s.log.Warn(w)
	}
	in.addrs = in.sockets[0].Addrs()
	for _, t := range in.sockets {
		in.transports = append(in.transports, guarded{t, s.limits.guard, guard.NewSieve(workers)})
	}
	in.maxBlksize = blkroom(&s.cfg)
	h, err := newHost()
	if err != nil {
		s.log.Debug("interfaces unknown", "err", err)
	}
	in.blksizes.Store(blksizes(&s.cfg, h, in.addrs))
	in.chooseSockets()
	if in.few != "" {
		s.log.Warn(in.few)
	}
	why, err := in.gather()
	if err != nil {
		return err
	}
	if why != nil {
		s.log.Info("each port of running transfers is read by itself", "err", why)
	}
	if len(in.plan.ports) == 0 {
		return nil
	}
	// The workers' processors, as fastpath has them.
	cpus := make([]int, workers)
	for i := range cpus {
		cpus[i] = in.cpus[i%len(in.cpus)]
	}
	if in.steering, err = s.newSteering(in, cpus); err != nil {
		s.limits.unbind()
		if s.cfg.Transport == config.XDP {
			return fmt.Errorf("transport xdp: %w", err)
		}
		in.plan = plan{why: err.Error()}
		return nil
	}
	if err := in.openRings(s); err != nil {
		return &ringsError{err}
	}
	return nil
}

// openRings puts AF_XDP sockets before the sockets of each worker, of those interfaces of which packets can be steered to them.
func (in *ingress) openRings(s *server) (err error) {
	workers := len(in.sockets)
	cfg := xsk.Config{
		Listen: in.addrs, SinglePort: s.cfg.SinglePort, Key: in.key, Hash: true, Marking: marking(&s.cfg),
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
	if len(refused) > 0 && s.cfg.Transport == config.XDP {
		return errors.Join(refused...)
	}
	for _, err := range refused {
		in.why += "; " + err.Error()
	}
	if in.rings == nil {
		return nil
	}
	for _, w := range in.rings.Warnings {
		s.log.Warn(w)
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

// dropPrivileges gives up the capabilities that opening took. What stays is the access to files that the server had, as
// SIGHUP reads them anew, CAP_NET_ADMIN where the XDP program may have to be attached again and the interface's settings
// put back, CAP_NET_BIND_SERVICE while an address is still to be opened, and what starts and ends plug-ins of other users.
func (s *server) dropPrivileges(in *ingress) {
	keep := []string{"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER"}
	if in.steering != nil {
		keep = append(keep, "CAP_NET_ADMIN")
	}
	if s.addresses.pending() {
		keep = append(keep, "CAP_NET_BIND_SERVICE")
	}
	if otherUsers(s.cfg.Devices.Sources) {
		keep = append(keep, switching...)
	}
	dropped, err := privilege.Keep(keep...)
	if err != nil {
		s.log.Warn("capabilities were not given up", "err", err)
	} else if len(dropped) > 0 {
		s.log.Debug("capabilities given up", "dropped", dropped)
	}
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

// serverConfig translates our zeros, which mean none, to those of fastpath, which mean
// the default.
func (s *server) serverConfig(in *ingress, start time.Time) fastpath.ServerConfig {
	none := func(d time.Duration) time.Duration {
		if d == 0 {
			return -1
		}
		return d
	}
	return fastpath.ServerConfig{
		Worker: fastpath.Config{
			Stale:    none(s.cfg.StaleAfter),
			Elapsed:  func() int64 { return int64(time.Since(start)) },
			Blksizes: &in.blksizes,
			Transfer: transfer.Config{
				Transfers: s.cfg.Transfers, Retries: s.cfg.Retries, MaxWindow: in.maxWindow(&s.cfg),
				MaxBlksize: in.maxBlksize, Refuse: withheld(s.cfg.Options),
			},
		},
		CPUs:  in.cpus,
		Drain: none(s.cfg.Drain),
	}
}

// monotonic returns the workers' clock, which begins at start.
func monotonic(start time.Time) fastpath.Clock {
	return func() (wall, mono int64) {
		now := time.Now()
		return now.UnixNano(), int64(now.Sub(start))
	}
}

// adapter hands a worker's requests to the renderer. The two know nothing of each other.
type adapter struct {
	worker  *render.Worker
	proxies []netip.Prefix // who may say which modem a request is for
	logs    *logging.Log   // nil: no request gets a line
	reqs    []render.Request
}

// RenderBatch implements [fastpath.Renderer].
func (a *adapter) RenderBatch(now int64, reqs []fastpath.Request) {
	if cap(a.reqs) < len(reqs) {
		a.reqs = make([]render.Request, len(reqs))
	}
	a.reqs = a.reqs[:len(reqs)]
	for i := range reqs {
		r := &reqs[i]
		a.reqs[i] = render.Request{Requester: device.Requester{Name: r.Name, Client: r.Client}, Server: r.Server, Buf: r.Buf}
		identify(a.proxies, r, &a.reqs[i])
	}
	a.worker.RenderBatch(now, a.reqs)
	if a.logs != nil && a.logs.Requests() {
		logRequests(a.logs, a.reqs)
	}
	for i := range reqs {
		r := &a.reqs[i]
		reqs[i].Body, reqs[i].Hold, reqs[i].Err = r.Body, r.Hold, r.Err
		reqs[i].Requester = r.Requester
	}
	clear(a.reqs) // or a file that was removed would stay mapped
}

// TransferFailed implements [fastpath.Watcher].
func (a *adapter) TransferFailed(now int64, o *device.Outcome) { a.worker.Undelivered(now, o) }
