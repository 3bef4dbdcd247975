package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"net/netip"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
)

// ways is how many buckets a source can have, as in limit.h.
const ways = 4

// sourceSets returns the number of bucket sets for so many sources: a power of two.
func sourceSets(sources int) uint32 {
	sets := (min(max(sources, 1), math.MaxInt32/2) + ways - 1) / ways
	return 1 << bits.Len(uint(sets-1))
}

// With bursts of longBurst or more, fewer sources are remembered: not many flood at once, and their buckets stay in a
// near cache. fastpath/guard has the same limits.
const (
	longBurst = 1024
	longSets  = 1 << 13
)

// seedSources sets the key of the hash by which a source's bucket is found.
func (s *Steer) seedSources(sets uint32) error {
	s.sets = sets
	// The generator of math/rand/v2 is seeded by the system and unpredictable (ChaCha8).
	return errors.Join(s.objs.SourceKeys.Set([2]uint64{rand.Uint64(), rand.Uint64()}), s.objs.SourceSets.Set(sets-1))
}

// SetRate allows each source so many requests per second, and burst of them in a row; 0 per second removes the limit.
// The smallest rate is one request in 4.2 s. Packets of running transfers are not counted. A source is an address, or
// what SetSources has defined.
func (s *Steer) SetRate(perSecond float64, burst int) error {
	rate, err := packRate(perSecond, burst)
	if err != nil {
		return fmt.Errorf("bpf: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sets := s.sets
	var sieve sieve
	if burst >= longBurst {
		sets = min(sets, longSets)
		sieve = sieveOf(rate, uint64(s.cpus))
	}
	if err := errors.Join(
		s.objs.SieveInterval.Set(sieve.interval), s.objs.SieveShare.Set(sieve.share), s.objs.SourceSets.Set(sets-1), s.objs.SourceRate.Set(rate),
	); err != nil {
		return fmt.Errorf("bpf: set the rate: %w", err)
	}
	return nil
}

// sieve holds the settings of limit.h for counting many sources together, in nanoseconds; zero: off.
type sieve struct{ interval, share uint64 }

// sieveOf returns the sieve for a packed rate on so many processors.
func sieveOf(rate, cpus uint64) sieve {
	interval := rate & math.MaxUint32 * cpus
	return sieve{interval, rate >> 32 / 16 / cpus * interval}
}

// SetSources defines a source as the first bits of an address: 1 to 32 of an IPv4 address and 1 to 128 of an IPv6
// address; the defaults are 32 and 64. Exempt prefixes have no rate limit.
func (s *Steer) SetSources(v4, v6 int, exempt []netip.Prefix) error {
	if v4 < 1 || v4 > 32 || v6 < 1 || v6 > 128 {
		return fmt.Errorf("bpf: source prefixes /%d and /%d out of range, 1 to 32 and 1 to 128", v4, v6)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.setExempt(exempt); err != nil {
		return fmt.Errorf("bpf: set the exempt sources: %w", err)
	}
	err := errors.Join(s.objs.SourceMaskV4.Set(maskOf(v4).Word[0]), s.objs.SourceMaskV6.Set(maskOf(v6).Word))
	if err != nil {
		return fmt.Errorf("bpf: set the sources: %w", err)
	}
	return nil
}

// maskOf returns an address whose first bits are set.
func maskOf(n int) steerAddress {
	var b [16]byte
	for i := range n {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return addressOf(netip.AddrFrom16(b))
}

func (s *Steer) setExempt(exempt []netip.Prefix) error {
	want := make(map[steerAclKey]bool)
	for _, p := range exempt {
		key, err := aclKey(p.Masked())
		if err != nil {
			return err
		}
		want[key] = true
	}
	for key := range want {
		if err := s.objs.Exempt.Put(key, uint8(1)); err != nil {
			return err
		}
	}
	for key := range s.exempt {
		if want[key] {
			continue
		}
		if err := s.objs.Exempt.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return err
		}
	}
	s.exempt = want
	return nil
}

// setOwn makes the program drop packets from the wire with one of the host's addresses, or a broadcast address of its
// subnets, as their source. Loopback addresses are not in the list.
func (s *Steer) setOwn(own []netip.Prefix) error {
	want := make(map[steerAddress]bool)
	var hints [64]uint64
	most := int(s.objs.Own.MaxEntries()) // any more are not checked
	add := func(a netip.Addr) {
		if len(want) < most {
			want[addressOf(a)] = true
			b := a.As16()
			low := uint(binary.BigEndian.Uint16(b[14:])) % (64 * uint(len(hints)))
			hints[low/64] |= 1 << (low % 64)
		}
	}
	for _, p := range own {
		if p.Addr().IsLoopback() {
			continue
		}
		add(p.Addr())
		if p.Addr().Is4() && p.Bits() <= 30 { // subnets of up to two addresses have no broadcast address (RFC 3021)
			add(lastOf(p))
		}
	}
	for a := range s.own {
		if want[a] {
			continue
		}
		if err := s.objs.Own.Delete(a); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("bpf: remove a host address: %w", err)
		}
		delete(s.own, a)
	}
	for a := range want {
		if s.own[a] {
			continue
		}
		if err := s.objs.Own.Put(a, uint8(1)); err != nil {
			return fmt.Errorf("bpf: add a host address: %w", err)
		}
		s.own[a] = true
	}
	if hints == s.hints {
		return nil
	}
	s.hints = hints
	return s.objs.OwnHints.Set(hints)
}

// Prefixes returns the host's addresses with the prefix lengths of their subnets.
func Prefixes(addrs []netlink.Addr) (own []netip.Prefix) {
	for _, a := range addrs {
		// On a point-to-point link Peer is the other end; IPNet is always ours.
		if ip, ok := netip.AddrFromSlice(a.IP); ok {
			ones, _ := a.Mask.Size()
			own = append(own, netip.PrefixFrom(ip.Unmap(), ones))
		}
	}
	return own
}

func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])|(1<<(32-p.Bits())-1))
	return netip.AddrFrom4(b)
}
