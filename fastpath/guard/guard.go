// Package guard applies the ACL and the rate limit in user space, for traffic that no XDP program filters.
package guard

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"sync"
	"sync/atomic"

	"dcs/fastpath/packet"
	"dcs/fastpath/source"
	"dcs/fastpath/tftp"
)

// Limits is the ACL and the rate limit.
type Limits struct {
	Allow    []netip.Prefix // allowed sources; none: all
	Rate     float64        // requests per second of one source; 0: no limit
	Burst    int            // requests allowed in a row
	PrefixV4 int            // leading bits of an IPv4 address that identify a source; 0: 32
	PrefixV6 int            // of an IPv6 address; 0: 64
	Exempt   []netip.Prefix // sources without a rate limit
}

// Default prefix lengths of a source.
const (
	defaultV4 = 32
	defaultV6 = 64
)

// Source returns the first address of the prefix that an address is counted under.
func (l *Limits) Source(a netip.Addr) netip.Addr {
	m := l.masks()
	return m.apply(a)
}

// masks are the IPv4 and IPv6 masks of a source.
type masks struct {
	v4 uint32
	v6 word128
}

func (l *Limits) masks() masks {
	four, six := cmp.Or(l.PrefixV4, defaultV4), cmp.Or(l.PrefixV6, defaultV6)
	m := masks{v4: ^uint32(0) << (32 - four), v6: word128{^uint64(0), 0}}
	if six <= 64 {
		m.v6.hi <<= 64 - six
	} else {
		m.v6.lo = ^uint64(0) << (128 - six)
	}
	return m
}

func (m *masks) apply(a netip.Addr) netip.Addr {
	if a.Is4() {
		b := a.As4()
		binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])&m.v4)
		return netip.AddrFrom4(b)
	}
	w := wordOf(a)
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], w.hi&m.v6.hi)
	binary.BigEndian.PutUint64(b[8:], w.lo&m.v6.lo)
	return netip.AddrFrom16(b)
}

// A Guard holds the limits and the token buckets of recent sources. All workers share it, so that a source whose
// requests reach several of them gets its rate only once. Its methods may be called from any goroutine.
type Guard struct {
	rules   atomic.Pointer[rules] // nil: no limits
	host    atomic.Pointer[source.Host]
	change  sync.Mutex
	sources int
	buckets *buckets // allocated when the first rate is set
}

// rules are immutable.
type rules struct {
	allow    *ranges // nil: everyone
	interval uint64  // ns between two requests; 0: no limit
	burst    uint64
	masks    masks
	exempt   *ranges // nil: no one
	buckets  *buckets
	sets     uint64 // mask of the bucket sets in use: a power of two, less one
	sieved   bool   // bursts are long enough for a Sieve
}

const defaultSources = 1 << 18

// Octets is the memory of a Guard with the default number of sources once it has a rate.
const Octets = 16 * defaultSources

// New returns a Guard without limits that remembers that many sources, in 16 octets each; 0: 262,144.
func New(sources int) *Guard {
	if sources <= 0 {
		sources = defaultSources
	}
	return &Guard{sources: sources}
}

// Set replaces the limits, effective at once. On an error the previous limits are kept.
func (g *Guard) Set(l Limits) error {
	g.change.Lock()
	defer g.change.Unlock()
	r := &rules{}
	if len(l.Allow) > 0 {
		a, err := newRanges(l.Allow)
		if err != nil {
			return fmt.Errorf("guard: %w", err)
		}
		r.allow = a
	}
	if l.Rate != 0 {
		interval := math.Round(1e9 / l.Rate)
		if !(interval >= 1 && interval <= math.MaxUint32) {
			return fmt.Errorf("guard: rate of %v per second out of range, %.2f to 1e9", l.Rate, 1e9/math.MaxUint32)
		}
		if l.Burst < 1 || l.Burst > 1<<20 {
			return fmt.Errorf("guard: burst of %d out of range, 1 to %d", l.Burst, 1<<20)
		}
		if l.PrefixV4 < 0 || l.PrefixV4 > 32 || l.PrefixV6 < 0 || l.PrefixV6 > 128 {
			return fmt.Errorf("guard: source prefixes /%d and /%d out of range, 1 to 32 and 1 to 128", l.PrefixV4, l.PrefixV6)
		}
		if len(l.Exempt) > 0 {
			a, err := newRanges(l.Exempt)
			if err != nil {
				return fmt.Errorf("guard: exempt: %w", err)
			}
			r.exempt = a
		}
		if g.buckets == nil {
			g.buckets = newBuckets(g.sources)
		}
		r.interval, r.burst, r.masks, r.buckets = uint64(interval), uint64(l.Burst), l.masks(), g.buckets
		if r.sets, r.sieved = uint64(len(g.buckets.sets)-1), l.Burst >= longBurst; r.sieved {
			r.sets = min(r.sets, longSets-1)
		}
	}
	if r.allow == nil && r.interval == 0 {
		r = nil
	}
	g.rules.Store(r)
	return nil
}

// SetHost sets the host's addresses.
func (g *Guard) SetHost(h *source.Host) { g.host.Store(h) }

// Host returns the addresses set by SetHost, or nil.
func (g *Guard) Host() *source.Host { return g.host.Load() }

// Judge flags the packets of a batch that are to be ignored. packet.Impossible: from or to a broadcast address of the
// host's subnets, or from another host with an address of this one. packet.Denied: the source is not allowed.
// packet.Limited: a request from a source over its rate. Packets of running transfers take no tokens. now, in Unix
// nanoseconds, is the time of packets without a receive time.
//
// s belongs to the calling worker; if nil, every request is looked up.
func (g *Guard) Judge(now int64, batch []packet.Packet, s *Sieve) {
	r, h := g.rules.Load(), g.host.Load()
	if r == nil && h == nil {
		return
	}
	for i := range batch {
		p := &batch[i]
		if p.Flags != 0 {
			continue // ignored anyway
		}
		if h.Broadcasts(p.Peer.Addr()) || h.Broadcasts(p.Local.Addr()) || p.Wire && h.Owns(p.Peer.Addr()) {
			p.Flags |= packet.Impossible
			continue
		}
		if r != nil {
			p.Flags |= r.judge(now, p, h, s)
		}
	}
}

// judge returns the flags of a packet that is to be ignored, or 0.
func (r *rules) judge(now int64, p *packet.Packet, h *source.Host, s *Sieve) packet.Flags {
	a := p.Peer.Addr()
	if r.allow != nil && !r.allow.contain(a) {
		return packet.Denied
	}
	if r.interval == 0 || p.TID == 0 || !request(p.Data) {
		return 0
	}
	at := p.Time
	if at == 0 {
		at = now
	}
	key := r.buckets.hash(r.masks.apply(a))
	if r.sieved && s != nil && s.passes(key, uint64(at), r.interval, r.burst) {
		return 0
	}
	// Exemptions are checked only when a source would be limited, which is rare.
	if r.take(key, uint64(at)) || r.exempts(a, h) {
		return 0
	}
	return packet.Limited
}

// exempts reports whether the rate does not apply to an address: it is configured as exempt or belongs to this host.
// Others cannot use the host's addresses: the kernel drops IPv4 and ::1, and Judge the rest, which the kernel does not
// (Linux 6.18, ip6_rcv_core).
func (r *rules) exempts(a netip.Addr, h *source.Host) bool {
	return r.exempt != nil && r.exempt.contain(a) || a.IsLoopback() || h.Owns(a)
}

func request(data []byte) bool {
	op := tftp.Opcode(data)
	return op == tftp.OpRRQ || op == tftp.OpWRQ
}
