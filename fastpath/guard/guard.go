// Package guard applies the ACL and the rate limit in user space, where no XDP program does.
package guard

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"dcs/fastpath/packet"
	"dcs/fastpath/source"
	"dcs/fastpath/tftp"
)

// Limits are the ACL and the rate limit.
type Limits struct {
	Allow    []netip.Prefix // allowed sources; none: all
	Rate     float64        // requests per second of one source; 0: no limit
	Burst    int            // requests in a row
	PrefixV4 int            // how many leading bits of an IPv4 address make a source; 0: 32
	PrefixV6 int            // of an IPv6 address; 0: 64
	Exempt   []netip.Prefix // sources without a rate limit
}

// The prefixes that are a source where Limits does not say.
const (
	defaultV4 = 32
	defaultV6 = 64
)

// Source returns the first address of the prefix that an address is counted under.
func (l *Limits) Source(a netip.Addr) netip.Addr {
	m := l.masks()
	return m.apply(a)
}

// masks are the bits of a source, of IPv4 and IPv6.
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

// A Guard holds the limits and the token buckets of recent sources. All workers share one, so that a source whose requests reach
// several of them gets no more than its rate. Its methods may be called from any goroutine.
type Guard struct {
	rules   atomic.Pointer[rules] // nil: everybody may do everything
	host    atomic.Pointer[source.Host]
	change  sync.Mutex
	sources int
	buckets *buckets // made when the first rate is set
}

// rules never change.
type rules struct {
	allow    *ranges // nil: everybody
	interval uint64  // ns between two requests; 0: no limit
	burst    uint64
	masks    masks
	exempt   *ranges // nil: nobody
	buckets  *buckets
	sets     uint64 // of these, the ones that are used, less one: a power of two less one
	sieved   bool   // bursts are long
}

const defaultSources = 1 << 18

// Octets is the memory of a guard with the default number of sources, once it has a rate.
const Octets = 16 * defaultSources

// New returns a guard without limits that remembers sources in 16 octets each; 0: 262,144 of them.
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

// Judge flags the packets of a batch that are to be passed over. packet.Impossible: from or to a broadcast address of the host's
// subnets, or from another host with an address of this one. packet.Denied: the source may not ask. packet.Limited: a request of a
// source that asks too often. Packets of running transfers cost nothing. now, in Unix nanoseconds, is when packets came that do not know it themselves.
//
// A worker has a Sieve of its own; without one, nil, each request is looked up.
func (g *Guard) Judge(now int64, batch []packet.Packet, s *Sieve) {
	r, h := g.rules.Load(), g.host.Load()
	if r == nil && h == nil {
		return
	}
	for i := range batch {
		p := &batch[i]
		if p.Flags != 0 {
			continue // passed over anyway
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

// judge returns why a packet is to be passed over.
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
	// Whether a source is exempt is looked at when it would be limited: few ever are.
	if r.take(key, uint64(at)) || r.exempts(a, h) {
		return 0
	}
	return packet.Limited
}

// exempts reports whether the rate is not for an address: it is configured so, or inside of this host. Nobody else can use
// these: of IPv4 addresses and ::1 the kernel sees to it, of the others Judge does, as the kernel does not (Linux 6.18,
// ip6_rcv_core).
func (r *rules) exempts(a netip.Addr, h *source.Host) bool {
	return r.exempt != nil && r.exempt.contain(a) || a.IsLoopback() || h.Owns(a)
}

func request(data []byte) bool {
	op := tftp.Opcode(data)
	return op == tftp.OpRRQ || op == tftp.OpWRQ
}

// ranges are prefixes as sorted ranges of addresses that do not overlap.
type ranges struct {
	four []range4
	six  []range6
}

type range4 struct{ first, last uint32 }

type range6 struct{ first, last word128 }

type word128 struct{ hi, lo uint64 }

func wordOf(a netip.Addr) word128 {
	b := a.As16()
	return word128{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func (w word128) less(o word128) bool { return w.hi < o.hi || w.hi == o.hi && w.lo < o.lo }

func newRanges(prefixes []netip.Prefix) (*ranges, error) {
	r := new(ranges)
	for _, p := range prefixes {
		if !p.IsValid() {
			return nil, fmt.Errorf("%v is not a prefix", p)
		}
		a := p.Masked().Addr()
		if a.Is4In6() {
			return nil, fmt.Errorf("%v: IPv4-mapped; write it as an IPv4 prefix", p)
		}
		if a.Is4() {
			b := a.As4()
			first := binary.BigEndian.Uint32(b[:])
			r.four = append(r.four, range4{first, first | uint32(1<<(32-p.Bits())-1)})
			continue
		}
		first := wordOf(a)
		last := first
		if n := p.Bits(); n < 64 {
			last.hi |= 1<<(64-n) - 1
			last.lo = math.MaxUint64
		} else {
			last.lo |= 1<<(128-n) - 1
		}
		r.six = append(r.six, range6{first, last})
	}
	// Prefixes nest or lie apart: what begins within the one before ends there too.
	slices.SortFunc(r.four, func(a, b range4) int {
		if a.first != b.first {
			return compare(a.first < b.first)
		}
		return compare(a.last > b.last)
	})
	r.four = outer(r.four, func(a, b range4) bool { return a.last < b.last })
	slices.SortFunc(r.six, func(a, b range6) int {
		if a.first != b.first {
			return compare(a.first.less(b.first))
		}
		return compare(b.last.less(a.last))
	})
	r.six = outer(r.six, func(a, b range6) bool { return a.last.less(b.last) })
	return r, nil
}

// outer keeps the ranges that lie within no other.
func outer[T any](sorted []T, endsBefore func(a, b T) bool) []T {
	kept := sorted[:0]
	for _, r := range sorted {
		if n := len(kept); n == 0 || endsBefore(kept[n-1], r) {
			kept = append(kept, r)
		}
	}
	return kept
}

func compare(before bool) int {
	if before {
		return -1
	}
	return 1
}

// contain reports whether an address lies in one of the ranges: in the last one that begins at or before it.
func (r *ranges) contain(a netip.Addr) bool {
	if a.Is4() {
		b := a.As4()
		x := binary.BigEndian.Uint32(b[:])
		lo, hi := 0, len(r.four)
		for lo < hi {
			if m := int(uint(lo+hi) >> 1); r.four[m].first <= x {
				lo = m + 1
			} else {
				hi = m
			}
		}
		return lo > 0 && x <= r.four[lo-1].last
	}
	x := wordOf(a)
	lo, hi := 0, len(r.six)
	for lo < hi {
		if m := int(uint(lo+hi) >> 1); !x.less(r.six[m].first) {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo > 0 && !r.six[lo-1].last.less(x)
}

// Who may ask so often in a row is remembered among fewer sources: so many do not flood at once, and their buckets stay in a near
// cache. The twin is in bpf.
const (
	longBurst = 1024
	longSets  = 1 << 13
)

// ways is how many buckets a source may be in: those of a cache line.
const ways = 4

// buckets are token buckets of a bounded number of sources, without locks. A source is known by a keyed hash of 64 bits,
// as no sender may choose whose bucket it shares.
type buckets struct {
	seed maphash.Seed
	sets [][ways]bucket // a power of two of them
}

// A bucket is empty of knowledge when it is full: the time in it is past.
type bucket struct {
	source atomic.Uint64
	full   atomic.Uint64 // when it is full again, Unix ns (the generic cell rate algorithm, ITU-T I.371)
}

func newBuckets(sources int) *buckets {
	n := 1
	for n*ways < sources {
		n *= 2
	}
	return &buckets{seed: maphash.MakeSeed(), sets: make([][ways]bucket, n)}
}

// take takes a token from a source's bucket and reports whether there was one. Where all buckets that a new source may have are
// in use, the fullest is given to it: one that floods, whose bucket is the emptiest, is not forgotten for that.
func (r *rules) take(key, now uint64) bool {
	set := &r.buckets.sets[key&r.sets]
	fullest := 0
	least := uint64(math.MaxUint64)
	for i := range set {
		if set[i].source.Load() == key {
			return set[i].take(now, r.interval, r.burst)
		}
		if full := set[i].full.Load(); full < least {
			fullest, least = i, full
		}
	}
	w := &set[fullest]
	old := w.source.Load()
	if !w.source.CompareAndSwap(old, key) {
		return true // another worker was faster: this request is let through for nothing
	}
	w.full.Store(now + r.interval)
	return true
}

func (b *buckets) hash(a netip.Addr) uint64 {
	as := a.As16()
	return max(maphash.Bytes(b.seed, as[:]), 1) // 0 is nobody's
}

func (w *bucket) take(now, interval, burst uint64) bool {
	// A source whose requests reach several workers at once may lose the race for its own bucket; four times in a row, and
	// it floods.
	for range 4 {
		old := w.full.Load()
		// A bucket that was filled by another rate, or before the clock was set back, is no emptier than empty.
		t := min(max(old, now), now+burst*interval)
		taken := t-now <= (burst-1)*interval
		if taken {
			t += interval
		}
		if t == old || w.full.CompareAndSwap(old, t) {
			return taken
		}
	}
	return false
}
