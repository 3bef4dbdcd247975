package guard

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"dcs/fastpath/packet"
	"dcs/fastpath/source"
)

var (
	rrq  = []byte("\x00\x01x\x00octet\x00")
	wrq  = []byte("\x00\x02x\x00octet\x00")
	ack  = []byte("\x00\x04\x00\x01")
	from = netip.MustParseAddrPort("10.1.2.3:1024")
)

const sec = int64(1e9)

// flags judges one packet.
func flags(g *Guard, p packet.Packet) packet.Flags {
	batch := []packet.Packet{p}
	g.Judge(p.Time, batch, nil)
	return batch[0].Flags
}

func prefixes(all ...string) (ps []netip.Prefix) {
	for _, s := range all {
		ps = append(ps, netip.MustParsePrefix(s))
	}
	return ps
}

func set(t testing.TB, g *Guard, l Limits) {
	t.Helper()
	if err := g.Set(l); err != nil {
		t.Fatal(err)
	}
}

func TestAllow(t *testing.T) {
	nested := []string{"10.0.0.0/8", "10.1.0.0/16", "10.0.0.0/24", "192.0.2.1/32", "192.0.2.3/32", "10.0.0.0/8", "fd00::/8", "fd00:1::/32", "2001:db8::1/128", "2001:db8:1::/48"}
	tests := []struct {
		allow []string
		in    []string
		out   []string
	}{
		{nil, []string{"10.0.0.1", "::1", "255.255.255.255"}, nil},
		{
			nested,
			[]string{"10.0.0.0", "10.1.2.3", "10.255.255.255", "192.0.2.1", "192.0.2.3", "fd00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::1", "2001:db8:1:ffff:ffff:ffff:ffff:ffff"},
			[]string{"9.255.255.255", "11.0.0.0", "192.0.2.0", "192.0.2.2", "192.0.2.4", "0.0.0.0", "255.255.255.255", "fc00::", "fe00::", "2001:db8::", "2001:db8::2", "2001:db8:2::", "::"},
		},
		{[]string{"0.0.0.0/0"}, []string{"0.0.0.0", "255.255.255.255"}, []string{"::", "fd00::1"}},
		{[]string{"::/0"}, []string{"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}, []string{"0.0.0.0", "10.0.0.1"}},
		{[]string{"128.0.0.0/1", "8000::/1"}, []string{"128.0.0.0", "8000::"}, []string{"127.255.255.255", "7fff::"}},
	}
	for _, tt := range tests {
		g := New(0)
		set(t, g, Limits{Allow: prefixes(tt.allow...)})
		for _, data := range [][]byte{rrq, ack} {
			for i, list := range [][]string{tt.in, tt.out} {
				want := []packet.Flags{0, packet.Denied}[i]
				for _, a := range list {
					p := packet.Packet{Data: data, TID: 1, Peer: netip.AddrPortFrom(netip.MustParseAddr(a), 1)}
					if got := flags(g, p); got != want {
						t.Errorf("%v: %s got flags %d, want %d", tt.allow, a, got, want)
					}
				}
			}
		}
	}
}

// ranges contain the same addresses as the prefixes.
func TestAllowAgainstPrefixes(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	address := func() netip.Addr {
		if rnd.IntN(2) == 0 {
			return netip.AddrFrom4([4]byte{byte(rnd.IntN(3)), byte(rnd.IntN(3)), byte(rnd.IntN(256)), byte(rnd.IntN(256))})
		}
		var b [16]byte
		b[0], b[1], b[7], b[8], b[15] = 0x20, byte(rnd.IntN(3)), byte(rnd.IntN(3)), byte(rnd.IntN(3)), byte(rnd.IntN(256))
		return netip.AddrFrom16(b)
	}
	for range 200 {
		var allow []netip.Prefix
		for range 1 + rnd.IntN(40) {
			a := address()
			allow = append(allow, netip.PrefixFrom(a, rnd.IntN(a.BitLen()+1)))
		}
		r, err := newRanges(allow)
		if err != nil {
			t.Fatal(err)
		}
		for range 500 {
			a := address()
			want := false
			for _, p := range allow {
				want = want || p.Contains(a)
			}
			if got := r.contain(a); got != want {
				t.Fatalf("%v in %v: %v", a, allow, got)
			}
		}
	}
}

func TestRate(t *testing.T) {
	g := New(0)
	set(t, g, Limits{Rate: 2, Burst: 3})
	at := int64(1_700_000_000) * sec
	ask := func(data []byte, a netip.AddrPort, at int64) bool {
		return flags(g, packet.Packet{Data: data, TID: 1, Peer: a, Time: at}) == 0
	}
	for i, step := range []struct {
		after int64
		want  bool
	}{
		{0, true},
		{0, true},
		{0, true},
		{0, false},
		{sec / 4, false},
		{sec / 4, true},
		{0, false},
		{10 * sec, true},
		{0, true},
		{0, true},
		{0, false}, // no more than the burst, however long the wait
		{-3600 * sec, false},
		{sec / 2, true}, // the clock is set back: from empty on
	} {
		at += step.after
		if got := ask(rrq, from, at); got != step.want {
			t.Errorf("step %d: %v", i, got)
		}
	}
	if !ask(rrq, netip.MustParseAddrPort("10.1.2.4:1024"), at) {
		t.Error("another source pays")
	}
	for range 10 {
		if !ask(ack, from, at) {
			t.Error("an ACK was limited")
		}
		if flags(g, packet.Packet{Data: rrq, Peer: from, Time: at}) != 0 {
			t.Error("a packet to a transfer's port was limited")
		}
	}
	other := netip.AddrPortFrom(from.Addr(), 2) // the source is the address
	if ask(wrq, other, at) {
		t.Error("a WRQ from another port was not limited")
	}
	set(t, g, Limits{})
	if !ask(rrq, from, at) {
		t.Error("limited without a limit")
	}
}

// With long bursts each worker first counts many sources together. A source gets its burst in a row, whichever workers
// its requests reach, and at most a sixteenth more, then its rate, whoever shares a bucket with it.
func TestSieve(t *testing.T) {
	const burst, rate = 4096, 100
	for _, tt := range []struct{ workers, reached int }{{1, 1}, {3, 3}, {16, 16}, {16, 1}} {
		workers := tt.workers
		g := New(0)
		set(t, g, Limits{Rate: rate, Burst: burst})
		var sieves []*Sieve
		for range workers {
			sieves = append(sieves, NewSieve(workers))
		}
		at := int64(1_700_000_000) * sec
		n := 0
		asks := func(a string, times int) (allowed int) {
			batch := make([]packet.Packet, 1)
			for range times {
				batch[0] = packet.Packet{Data: rrq, TID: 1, Peer: netip.AddrPortFrom(netip.MustParseAddr(a), 1024), Time: at}
				g.Judge(at, batch, sieves[n%tt.reached])
				if n++; batch[0].Flags == 0 {
					allowed++
				}
			}
			return allowed
		}
		if got := asks("10.0.0.1", 2*burst); got > burst+burst/16 || got < burst {
			t.Errorf("%d workers: %d in a row, want %d and at most a sixteenth more", workers, got, burst)
		}
		flood := 0
		for range 600 { // seconds, at thrice the rate
			at += sec
			flood += asks("10.0.0.1", 3*rate)
		}
		if flood > 600*rate || flood < 590*rate {
			t.Errorf("%d workers: %d within 600 s, want %d", workers, flood, 600*rate)
		}
		for i := range 1000 {
			if got := asks(fmt.Sprintf("10.1.%d.%d", i/250, i%250), 20); got != 20 {
				t.Errorf("%d workers: beside a flood a modem has %d of 20", workers, got)
			}
		}
		at += 3600 * sec
		if got := asks("10.0.0.1", 2*burst); got > burst+burst/16 || got < burst {
			t.Errorf("%d workers: %d in a row after an hour, want %d and at most a sixteenth more", workers, got, burst)
		}
	}
}

// However many workers there are, each passes the requests of a fleet, 100,000 a second, without a look at what all of them share.
func TestSieveCores(t *testing.T) {
	const rate, burst = 2000, 60 * 2000 // the defaults
	for _, workers := range []int{1, 3, 64} {
		s := NewSieve(workers)
		r := rand.New(rand.NewPCG(1, uint64(workers)))
		sources := make([]uint64, 1<<16)
		for i := range sources {
			sources[i] = r.Uint64()
		}
		const seconds, each = 5, 100_000
		passed := 0
		for i := range seconds * each {
			now := 1_700_000_000*sec + int64(i)*sec/each
			if s.passes(sources[r.IntN(len(sources))], uint64(now), uint64(sec)/rate, burst) {
				passed++
			}
		}
		if passed < seconds*each*99/100 {
			t.Errorf("%d workers: %d of %d requests passed", workers, passed, seconds*each)
		}
	}
}

// A source is a prefix; exempt sources and the host itself have no limit.
func TestSources(t *testing.T) {
	g := New(0)
	ask := func(from string, want packet.Flags) {
		t.Helper()
		p := packet.Packet{Data: rrq, TID: 1, Peer: netip.AddrPortFrom(netip.MustParseAddr(from), 2070), Time: sec}
		if got := flags(g, p); got != want {
			t.Errorf("from %s: flags %d, want %d", from, got, want)
		}
	}
	l := Limits{Rate: 0.25, Burst: 1}
	set(t, g, l)
	ask("10.1.2.3", 0)
	ask("10.1.2.4", 0)
	ask("10.1.2.3", packet.Limited)
	ask("fd00:32::1", 0)
	ask("fd00:32::ffff:0:0:1", packet.Limited)
	ask("fd00:32:0:1::1", 0)
	l.Exempt = prefixes("10.1.2.2/31", "fd00:32::/64")
	set(t, g, l)
	ask("10.1.2.3", 0)
	ask("10.1.2.4", packet.Limited)
	ask("fd00:32::ffff:0:0:1", 0)
	l = Limits{Rate: 0.25, Burst: 1, PrefixV4: 20, PrefixV6: 48}
	set(t, g, l)
	ask("10.3.16.1", 0)
	ask("10.3.31.255", packet.Limited)
	ask("10.3.32.0", 0)
	ask("fd00:33:0:1::1", 0)
	ask("fd00:33:0:ffff::1", packet.Limited)
	ask("fd00:33:1::1", 0)
	l = Limits{Rate: 0.25, Burst: 1, PrefixV4: 1, PrefixV6: 128}
	set(t, g, l)
	ask("200.0.0.1", 0)
	ask("129.0.0.1", packet.Limited)
	ask("fd00:34::1", 0)
	ask("fd00:34::2", 0)
	ask("fd00:34::2", packet.Limited)

	g.SetHost(source.NewHost(prefixes("198.51.100.1/24", "fd00:35::1/64")))
	for range 3 {
		ask("198.51.100.1", 0)
		ask("127.0.0.9", 0)
		ask("::1", 0)
		ask("fd00:35::1", 0)
		ask("198.51.100.255", packet.Impossible)
	}
	p := packet.Packet{Data: rrq, TID: 1, Peer: netip.MustParseAddrPort("[fd00:35::1]:2070"), Time: sec, Wire: true}
	if got := flags(g, p); got != packet.Impossible {
		t.Errorf("from another host with an address of ours: flags %d", got)
	}
}

func TestSetErrors(t *testing.T) {
	g := New(0)
	set(t, g, Limits{Allow: prefixes("10.0.0.0/8")})
	for _, l := range []Limits{
		{Rate: 0.1, Burst: 1},
		{Rate: -1, Burst: 1},
		{Rate: 1},
		{Rate: 1, Burst: 1<<20 + 1},
		{Rate: 1, Burst: 1, PrefixV4: 33},
		{Rate: 1, Burst: 1, PrefixV6: 129},
		{Rate: 1, Burst: 1, PrefixV6: -1},
		{Rate: 1, Burst: 1, Exempt: []netip.Prefix{{}}},
		{Allow: []netip.Prefix{{}}},
		{Allow: prefixes("::ffff:10.0.0.0/104")},
	} {
		if g.Set(l) == nil {
			t.Errorf("%+v: no error", l)
		}
	}
	if flags(g, packet.Packet{Data: rrq, Peer: netip.MustParseAddrPort("11.0.0.1:1")}) != packet.Denied {
		t.Error("an error lifted the limits")
	}
}

// A flood from ever new sources does not free a limited one, and takes no more memory.
func TestFloodForgetsTheQuietFirst(t *testing.T) {
	g := New(1024)
	set(t, g, Limits{Rate: 1, Burst: 10})
	at := sec
	for range 20 {
		flags(g, packet.Packet{Data: rrq, TID: 1, Peer: from, Time: at})
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], rnd.Uint32())
		p := packet.Packet{Data: rrq, TID: 1, Peer: netip.AddrPortFrom(netip.AddrFrom4(b), 9), Time: at}
		flags(g, p)
	}
	if flags(g, packet.Packet{Data: rrq, TID: 1, Peer: from, Time: at}) != packet.Limited {
		t.Error("the flooder has been forgotten")
	}
	if n := len(g.buckets.sets) * ways; n != 1024 {
		t.Errorf("%d buckets", n)
	}
}

// A source that reaches several workers at once gets its burst once.
func TestWorkersShareTheBuckets(t *testing.T) {
	g := New(0)
	const burst = 1000
	set(t, g, Limits{Rate: 0.25, Burst: burst})
	flags(g, packet.Packet{Data: rrq, TID: 1, Peer: from, Time: sec}) // a new source's first request may race
	var passed atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range burst {
				if flags(g, packet.Packet{Data: rrq, TID: 1, Peer: from, Time: sec}) == 0 {
					passed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := passed.Load(); n > burst-1 || n < burst/2 {
		t.Errorf("%d of %d requests passed, burst %d", n, 4*burst, burst)
	}
}

func TestNoAllocs(t *testing.T) {
	g := New(0)
	set(t, g, Limits{Rate: 1, Burst: 10, Allow: prefixes("10.0.0.0/8", "fd00::/8")})
	batch := []packet.Packet{
		{Data: rrq, TID: 1, Peer: from},
		{Data: rrq, TID: 1, Peer: netip.MustParseAddrPort("[fd00::1]:5")},
		{Data: rrq, TID: 1, Peer: netip.MustParseAddrPort("192.0.2.1:5")},
		{Data: nil, TID: 1, Peer: from},
		{Data: ack, Peer: from},
	}
	if n := testing.AllocsPerRun(1000, func() {
		for i := range batch {
			batch[i].Flags = 0
		}
		g.Judge(sec, batch, nil)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkJudge(b *testing.B) {
	g := New(0)
	var allow []netip.Prefix
	for i := range 1000 {
		allow = append(allow, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 25))
	}
	set(b, g, Limits{Rate: 10, Burst: 10, Allow: allow})
	batch := make([]packet.Packet, 64)
	for i := range batch {
		batch[i] = packet.Packet{Data: rrq, TID: 1}
	}
	now := sec
	x := uint32(1)
	for b.Loop() {
		now += 1000
		for i := range batch {
			x = x*1664525 + 1013904223
			batch[i].Flags = 0
			batch[i].Peer = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(x>>30) & 3, byte(x >> 16), byte(x>>24) & 127}), 1)
		}
		g.Judge(now, batch, nil)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/64, "ns/packet")
}
