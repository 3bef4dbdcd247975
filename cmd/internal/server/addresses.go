package server

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"

	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/ingress"
	"dcs/cmd/internal/metrics"
)

// addresses follows which of a server's addresses the host has.
type addresses struct {
	log *slog.Logger
	all []address

	mu     sync.Mutex
	absent []bool // by endpoint
}

// address is an endpoint of the server.
type address struct {
	ingress.Endpoint
	err func() error // why it is not open; nil: it always is
}

// newAddresses begins to follow the addresses of a configuration, after an attempt to open all of them.
func newAddresses(cfg *config.Config, log *slog.Logger, adm *admin.Server, w *web) *addresses {
	a := &addresses{log: log}
	for _, e := range ingress.Endpoints(cfg) {
		a.all = append(a.all, address{Endpoint: e})
	}
	a.absent = make([]bool, len(a.all))
	for i := range a.all {
		e := &a.all[i]
		switch e.Key {
		case "admin":
			e.err = adm.Listener(e.Name).Err
		case "metrics":
			e.err = w.metricsAddr.Err
		case "http":
			e.err = w.boot.Err
		}
		if err := e.open(); err != nil {
			log.Error("address cannot be opened, trying again", "key", e.Key, "address", e.Name, "err", err)
		}
	}
	a.update()
	return a
}

// follow watches the host's addresses until ctx ends.
func (a *addresses) follow(ctx context.Context) { ingress.Every(ctx, ingress.PollInterval, a.update) }

// open returns why the address is not open; nil if it is.
func (e *address) open() error {
	if e.err == nil {
		return nil
	}
	return e.err()
}

// update records which addresses the host has, and logs changes. While the kernel does not answer, the last known state stays.
func (a *addresses) update() {
	addrs := make([]netip.Addr, len(a.all))
	for i := range a.all {
		addrs[i] = a.all[i].Addr
	}
	has, err := ingress.OnHost(addrs)
	if err != nil {
		a.log.Debug("addresses unknown", "err", err)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, e := range a.all {
		switch was := a.absent[i]; {
		case !has[i] && !was:
			a.log.Warn("address missing on all interfaces, waiting for it", "key", e.Key, "address", e.Name)
		case has[i] && was:
			a.log.Info("address present", "key", e.Key, "address", e.Name)
		}
		a.absent[i] = !has[i]
	}
}

// served reports whether requests can arrive: the host has at least one address of listen.
func (a *addresses) served() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, e := range a.all {
		if e.Key == "listen" && !a.absent[i] {
			return true
		}
	}
	return false
}

// pending reports whether an address is still to be opened.
func (a *addresses) pending() bool {
	return slices.ContainsFunc(a.all, func(e address) bool { return e.open() != nil })
}

func (a *addresses) read(w *metrics.Values) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, e := range a.all {
		w.Flag(metrics.ListenAddressUp, !a.absent[i] && e.open() == nil, e.Key, e.Name)
	}
}

// tried returns a function that logs the outcome of each attempt to open an address that was in use at the start.
func tried(log *slog.Logger, key, address string) func(error) {
	return func(err error) {
		if err == nil {
			log.Info("address opened", "key", key, "address", address)
		}
	}
}
