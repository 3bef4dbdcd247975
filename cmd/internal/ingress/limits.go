package ingress

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"dcs/bpf"
	"dcs/cmd/internal/config"
	"dcs/fastpath/guard"
	"dcs/fastpath/packet"
	"dcs/fastpath/source"
	"dcs/fastpath/udp"
)

// Limits are the ACL and the rate limit, enforced in two places: by the XDP program, if there is one, and by a guard in front
// of the sockets, for packets that no program has seen.
type Limits struct {
	guard *guard.Guard
	host  []netip.Prefix // the guard's own addresses; changed by follow only

	mu      sync.Mutex
	inForce guard.Limits
	program *bpf.Steer // nil: none
}

func newLimits(cfg *config.Config) (*Limits, error) {
	l := &Limits{guard: guard.New(0)}
	if h, err := newHost(); err == nil { // else the guard knows no addresses of the host
		l.follow(h)
	}
	return l, l.Set(LimitsOf(cfg))
}

// LimitsOf returns the limits that a configuration describes.
func LimitsOf(cfg *config.Config) guard.Limits {
	return guard.Limits{
		Allow: cfg.Allow, Rate: cfg.Rate, Burst: cmp.Or(cfg.RateBurst, config.DefaultBurst(cfg.Rate)),
		PrefixV4: cfg.RatePrefixV4, PrefixV6: cfg.RatePrefixV6, Exempt: cfg.Devices.Proxies,
	}
}

// Set replaces the limits. On an error the previous limits stay in force.
func (l *Limits) Set(to guard.Limits) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := errors.Join(config.CheckRate(to.Rate, to.Burst), config.CheckPrefixes(to.PrefixV4, to.PrefixV6)); err != nil {
		return err
	}
	if err := l.guard.Set(to); err != nil {
		return err
	}
	if l.program != nil {
		if err := apply(l.program, to); err != nil {
			_ = l.guard.Set(l.inForce) // these were accepted before
			_ = apply(l.program, l.inForce)
			return err
		}
	}
	l.inForce = to
	return nil
}

func apply(program *bpf.Steer, to guard.Limits) error {
	if err := program.SetACL(to.Allow); err != nil {
		return err
	}
	if err := program.SetSources(to.PrefixV4, to.PrefixV6, to.Exempt); err != nil {
		return err
	}
	return program.SetRate(to.Rate, to.Burst)
}

// Get returns the limits in force.
func (l *Limits) Get() guard.Limits {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inForce
}

// bind applies the limits to an XDP program, now and whenever they change.
func (l *Limits) bind(program *bpf.Steer) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.program = program
	return apply(program, l.inForce)
}

func (l *Limits) unbind() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.program = nil
}

// Guard returns what judges packets by the limits where no XDP program does.
func (l *Limits) Guard() *guard.Guard { return l.guard }

// Source returns the source that an address counts as: an address or a prefix's first address.
func (l *Limits) Source(a netip.Addr) netip.Addr {
	inForce := l.Get()
	return inForce.Source(a)
}

// setHost sets the host's own addresses.
func (l *Limits) setHost(own []netip.Prefix) {
	l.host = own
	l.guard.SetHost(source.NewHost(own))
}

// follow updates the host's own addresses.
func (l *Limits) follow(h *host) {
	if own := bpf.Prefixes(h.addrs); !slices.Equal(own, l.host) {
		l.setHost(own)
	}
}

// guarded is a worker's sockets with the guard in front of them.
type guarded struct {
	*udp.Transport
	guard *guard.Guard
	sieve *guard.Sieve
}

// Recv implements [fastpath.Transport].
func (g guarded) Recv(batch []packet.Packet) (int, error) {
	n, err := g.Transport.Recv(batch)
	if n > 0 {
		g.guard.Judge(time.Now().UnixNano(), batch[:n], g.sieve)
	}
	return n, err
}

// TryRecv implements [xsk.Sockets].
func (g guarded) TryRecv(batch []packet.Packet) (int, error) {
	n, err := g.Transport.TryRecv(batch)
	if n > 0 {
		g.guard.Judge(time.Now().UnixNano(), batch[:n], g.sieve)
	}
	return n, err
}
