package server

import (
	"net/netip"
	"time"

	"dcs/cmd/internal/config"
	"dcs/cmd/internal/ingress"
	"dcs/cmd/internal/logging"
	"dcs/fastpath"
	"dcs/fastpath/transfer"
	"dcs/render"
	"dcs/render/device"
)

// workerConfig returns the workers' configuration. A zero duration means none in cfg, but the default in fastpath.
func workerConfig(cfg *config.Config, in *ingress.Ingress, start time.Time) fastpath.ServerConfig {
	none := func(d time.Duration) time.Duration {
		if d == 0 {
			return -1
		}
		return d
	}
	return fastpath.ServerConfig{
		Worker: fastpath.Config{
			Stale:    none(cfg.StaleAfter),
			Elapsed:  func() int64 { return int64(time.Since(start)) },
			Blksizes: in.Blksizes(),
			Transfer: transfer.Config{
				Transfers: cfg.Transfers, Retries: cfg.Retries, MaxWindow: in.MaxWindow(cfg),
				MaxBlksize: in.MaxBlksize(), Refuse: ingress.Withheld(cfg.Options),
			},
		},
		CPUs:  in.CPUs(),
		Drain: none(cfg.Drain),
	}
}

// monotonic returns the workers' clock: wall time, and the time since start.
func monotonic(start time.Time) fastpath.Clock {
	return func() (wall, mono int64) {
		now := time.Now()
		return now.UnixNano(), int64(now.Sub(start))
	}
}

// adapter passes a worker's requests to the renderer. Neither knows the other.
type adapter struct {
	worker  *render.Worker
	proxies []netip.Prefix // who may say which modem a request is for
	logs    *logging.Log   // nil: requests are not logged
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
	clear(a.reqs) // else a removed file would stay mapped
}

// TransferFailed implements [fastpath.Watcher].
func (a *adapter) TransferFailed(now int64, o *device.Outcome) { a.worker.Undelivered(now, o) }
