package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"dcs/cmd/internal/config"
	"dcs/cmd/internal/metrics"
)

// An endpoint is an address that the configuration has the server listen on.
type endpoint struct {
	key  string     // of the configuration
	name string     // as it is shown
	addr netip.Addr // invalid: a host name or a Unix socket, which is always there
	err  func() error
}

// endpoints returns the addresses of the configuration that are not the wildcard: those of listen first.
func endpoints(cfg *config.Config) []endpoint {
	var all []endpoint
	for _, a := range cfg.Listen {
		all = append(all, endpoint{key: "listen", name: a.String(), addr: a.Addr()})
	}
	others := []struct{ key, address string }{{"metrics", cfg.Metrics}, {"http", cfg.HTTP}}
	for _, a := range cfg.Admin {
		others = append(others, struct{ key, address string }{"admin", a})
	}
	for _, e := range others {
		if e.address == "" {
			continue
		}
		addr, _ := netip.ParseAddr(hostOf(e.address)) // a Unix socket has none
		all = append(all, endpoint{key: e.key, name: e.address, addr: addr})
	}
	return all
}

// onHost returns which of the addresses this host has, so that packets to them are its own. An IPv6 address that is still
// being checked for duplicates is not among them.
func onHost(addrs []netip.Addr) ([]bool, error) {
	own, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("list the addresses: %w", err)
	}
	has := make([]bool, len(addrs))
	for i, a := range addrs {
		has[i] = !a.IsValid() || a.IsUnspecified() || slices.ContainsFunc(own, func(o netlink.Addr) bool { return usableAs(&o, a) }) || routedHere(a)
	}
	return has, nil
}

func usableAs(own *netlink.Addr, a netip.Addr) bool {
	ip, _ := netip.AddrFromSlice(own.IP)
	if ip.Unmap() != a.Unmap().WithZone("") || own.Flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) != 0 && own.Flags&unix.IFA_F_OPTIMISTIC == 0 {
		return false
	}
	if a.Zone() == "" {
		return true
	}
	ifi, err := net.InterfaceByName(a.Zone())
	return err == nil && ifi.Index == own.LinkIndex
}

// routedHere tells whether a route of type local covers an address that no interface has: 127.0.0.2, or one of a prefix
// that was added as local.
func routedHere(a netip.Addr) bool {
	if a.Zone() != "" {
		return false
	}
	routes, err := netlink.RouteGet(net.IP(a.AsSlice()))
	return err == nil && len(routes) > 0 && routes[0].Type == unix.RTN_LOCAL
}

// addresses follows which of a server's addresses are there.
type addresses struct {
	log *slog.Logger
	all []endpoint

	mu     sync.Mutex
	absent []bool // by endpoint
}

// lookEvery is how often the host's addresses are looked at.
const lookEvery = time.Second

// openAddresses begins to follow the addresses, once all of them were opened.
func (s *server) openAddresses() {
	a := &s.addresses
	a.log, a.all = s.log, endpoints(&s.cfg)
	a.absent = make([]bool, len(a.all))
	for i := range a.all {
		e := &a.all[i]
		switch e.key {
		case "admin":
			e.err = s.admin.Listener(e.name).Err
		case "metrics":
			e.err = s.web.metricsAddr.Err
		case "http":
			e.err = s.web.boot.Err
		}
		if err := e.open(); err != nil {
			s.log.Error("address cannot be opened, trying again", "key", e.key, "address", e.name, "err", err)
		}
	}
	a.look()
}

// open returns why the endpoint's address is not open.
func (e *endpoint) open() error {
	if e.err == nil {
		return nil
	}
	return e.err()
}

// every calls f again and again, that long apart, until the context ends.
func every(ctx context.Context, d time.Duration, f func()) {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			f()
		}
	}
}

// look notes which addresses are there now, and logs what has changed. Where the kernel does not tell, what was known stays.
func (a *addresses) look() {
	addrs := make([]netip.Addr, len(a.all))
	for i := range a.all {
		addrs[i] = a.all[i].addr
	}
	has, err := onHost(addrs)
	if err != nil {
		a.log.Debug("addresses unknown", "err", err)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, e := range a.all {
		switch was := a.absent[i]; {
		case !has[i] && !was:
			a.log.Warn("no interface has this address, waiting for it", "key", e.key, "address", e.name)
		case has[i] && was:
			a.log.Info("address is there", "key", e.key, "address", e.name)
		}
		a.absent[i] = !has[i]
	}
}

// served tells whether requests can arrive: at least one address of listen is there.
func (a *addresses) served() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, e := range a.all {
		if e.key == "listen" && !a.absent[i] {
			return true
		}
	}
	return false
}

// pending tells whether an address is still to be opened.
func (a *addresses) pending() bool {
	return slices.ContainsFunc(a.all, func(e endpoint) bool { return e.open() != nil })
}

func (a *addresses) collect(w *metrics.Writer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, e := range a.all {
		w.Flag("dcs_listen_address_up", !a.absent[i] && e.open() == nil, e.key, e.name)
	}
}

// tried is told of each attempt to open an address that was in use when the server started.
func (s *server) tried(key, address string) func(error) {
	return func(err error) {
		if err == nil {
			s.log.Info("address opened", "key", key, "address", address)
		}
	}
}

// absentAddresses tells which addresses of a configuration this host does not have.
func absentAddresses(cfg *config.Config) []string {
	all := endpoints(cfg)
	addrs := make([]netip.Addr, len(all))
	for i := range all {
		addrs[i] = all[i].addr
	}
	has, err := onHost(addrs)
	if err != nil {
		return []string{err.Error()}
	}
	var absent []string
	for i, e := range all {
		if !has[i] {
			absent = append(absent, fmt.Sprintf("%s: no interface of this host has the address of %s; the server waits for it", e.key, e.name))
		}
	}
	return absent
}
