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

// Limits hold the ACL and the rate in both places: the XDP program, while there is one, and before the sockets, where
// packets come in that no program has seen.
type Limits struct {
	Guard *guard.Guard
	host  []netip.Prefix // as the guard knows it; changed by follow alone

	mu      sync.Mutex
	inForce guard.Limits
	program *bpf.Steer // nil: none
}

func newLimits(cfg *config.Config) (*Limits, error) {
	l := &Limits{Guard: guard.New(0)}
	if h, err := newHost(); err == nil { // without it: a host of which nothing is known
		l.follow(h)
	}
	return l, l.Set(LimitsOf(cfg))
}

func LimitsOf(cfg *config.Config) guard.Limits {
	return guard.Limits{
		Allow: cfg.Allow, Rate: cfg.Rate, Burst: cmp.Or(cfg.RateBurst, config.DefaultBurst(cfg.Rate)),
		PrefixV4: cfg.RatePrefixV4, PrefixV6: cfg.RatePrefixV6, Exempt: cfg.Devices.Proxies,
	}
}

// Set puts others in the place of the limits before. On an error those before stay in force.
func (l *Limits) Set(to guard.Limits) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := errors.Join(config.CheckRate(to.Rate, to.Burst), config.CheckPrefixes(to.PrefixV4, to.PrefixV6)); err != nil {
		return err
	}
	if err := l.Guard.Set(to); err != nil {
		return err
	}
	if l.program != nil {
		if err := give(l.program, to); err != nil {
			_ = l.Guard.Set(l.inForce) // they were set before
			_ = give(l.program, l.inForce)
			return err
		}
	}
	l.inForce = to
	return nil
}

func give(program *bpf.Steer, to guard.Limits) error {
	if err := program.SetACL(to.Allow); err != nil {
		return err
	}
	if err := program.SetSources(to.PrefixV4, to.PrefixV6, to.Exempt); err != nil {
		return err
	}
	return program.SetRate(to.Rate, to.Burst)
}

func (l *Limits) Get() guard.Limits {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inForce
}

// bind has a program hold the limits too, from now on.
func (l *Limits) bind(program *bpf.Steer) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.program = program
	return give(program, l.inForce)
}

func (l *Limits) unbind() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.program = nil
}

// Source returns what an address counts for.
func (l *Limits) Source(a netip.Addr) netip.Addr {
	inForce := l.Get()
	return inForce.Source(a)
}

// setHost says which addresses are the host's own.
func (l *Limits) setHost(own []netip.Prefix) {
	l.host = own
	l.Guard.SetHost(source.NewHost(own))
}

// follow takes over the host's addresses.
func (l *Limits) follow(h *host) {
	if own := bpf.Prefixes(h.addrs); !slices.Equal(own, l.host) {
		l.setHost(own)
	}
}

// guarded are a worker's sockets behind the guard.
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
