package store

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"dcs/render/device"
)

// flood makes an attacker's questions.
type flood struct {
	name string
	ip   func(r *rand.Rand) netip.Addr
	mac  func(r *rand.Rand) device.MAC
}

// vendor is the OUI of all devices that are known in these tests.
var vendor = [3]byte{0x00, 0x15, 0xce}

func randomMAC(r *rand.Rand) (m device.MAC) {
	x := r.Uint64()
	for i := range m {
		m[i] = byte(x >> (8 * i))
	}
	m[0] &^= 1
	return m
}

func vendorMAC(r *rand.Rand) (m device.MAC) {
	m = randomMAC(r)
	copy(m[:], vendor[:])
	return m
}

func only(ip string) func(*rand.Rand) netip.Addr {
	a := netip.MustParseAddr(ip)
	return func(*rand.Rand) netip.Addr { return a }
}

// within returns random addresses of a prefix.
func within(prefix string) func(*rand.Rand) netip.Addr {
	p := netip.MustParsePrefix(prefix)
	base := p.Addr().As16()
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	return func(r *rand.Rand) netip.Addr {
		var host [16]byte
		binary.BigEndian.PutUint64(host[:], r.Uint64())
		binary.BigEndian.PutUint64(host[8:], r.Uint64())
		for i := range host {
			keep := byte(0xff << (8 - min(max(bits-8*i, 0), 8)))
			host[i] = base[i]&keep | host[i]&^keep
		}
		return netip.AddrFrom16(host).Unmap()
	}
}

// newcomer is a device that a source has and the View lacks.
type newcomer struct {
	name string
	ip   func(r *rand.Rand) netip.Addr
	mac  func(r *rand.Rand) device.MAC
}

// A flood of 4,000 questions a second about unknown devices delays no new device by a second, though the source answers at most 400
// a second: for any origin of the flood, and of the new device.
func TestQueueUnderFlood(t *testing.T) {
	t.Parallel()
	in4 := newcomer{"IPv4", within("10.1.2.0/24"), vendorMAC}
	in6 := newcomer{"IPv6", within("fd00:1:2:3::/64"), vendorMAC}
	other4 := newcomer{"IPv4, other vendor", within("10.1.2.0/24"), randomMAC}
	other6 := newcomer{"IPv6, other vendor", within("fd00:1:2::/48"), randomMAC}
	for _, tc := range []struct {
		flood     flood
		newcomers []newcomer
	}{
		{flood{"one address", only("10.9.9.9"), randomMAC}, []newcomer{in4, in6, other4, other6}},
		{flood{"one address, known vendor", only("10.9.9.9"), vendorMAC}, []newcomer{in4, in6, other4, other6}},
		{flood{"one address of the /24", only("10.1.2.3"), vendorMAC}, []newcomer{in4, in6, other4, other6}},
		{flood{"one /64", within("fd00:1:2:9::/64"), vendorMAC}, []newcomer{in4, in6, other4, other6}},
		{flood{"one address of the /64", only("fd00:1:2:3::9"), vendorMAC}, []newcomer{in4, in6, other4, other6}},
		{flood{"the /48 around it", within("fd00:1:2::/48"), randomMAC}, []newcomer{in4, in6}},
		{flood{"the /24", within("10.1.2.0/24"), randomMAC}, []newcomer{in6, other6}}, // all its addresses are the flooder's
		{flood{"another /24", within("10.1.3.0/24"), randomMAC}, []newcomer{in4, in6, other4, other6}},
		{flood{"another /24, known vendor", within("10.1.3.0/24"), vendorMAC}, []newcomer{in4, in6}},
		{flood{"the plant's addresses", within("10.0.0.0/8"), randomMAC}, []newcomer{in4, in6}},
		{flood{"another /16, known vendor", within("10.2.0.0/16"), vendorMAC}, []newcomer{in4, in6}},
		{flood{"any IPv4 address", within("0.0.0.0/0"), randomMAC}, []newcomer{in4, in6}},
		{flood{"any IPv6 address", within("::/0"), randomMAC}, []newcomer{in4, in6}},
	} {
		t.Run(tc.flood.name, func(t *testing.T) {
			t.Parallel()
			for _, n := range tc.newcomers {
				worst, lost := play(&tc.flood, &n)
				if lost > 0 || worst > time.Second {
					t.Errorf("%s: the slowest waited %v, %d were dropped", n.name, worst, lost)
				}
			}
		})
	}
}

// play floods a queue for five simulated seconds, in which a new device appears ten times a second. Eight askers take 20 ms for each
// question. It returns the longest wait of a newcomer, and the number dropped.
func play(fl *flood, n *newcomer) (worst time.Duration, lost int) {
	const (
		rate = 4000
		cost = 20 * time.Millisecond
		step = time.Second / rate
		long = 5 * time.Second
	)
	r := rand.New(rand.NewPCG(1, 2))
	q := newFairQueue(4096, 8)
	type busy struct {
		w     *waiting
		until time.Time
	}
	var asking []busy
	mine := make(map[question]bool)
	isVendor := func(m device.MAC) bool { return [3]byte(m[:3]) == vendor }
	start := time.Unix(1e9, 0)
	put := func(mac device.MAC, ip netip.Addr, now time.Time) question {
		new := question{mac, ip}
		if out, full := q.add(new, isVendor(mac), now); full && mine[out.key()] {
			lost++
			delete(mine, out.key())
		}
		return new
	}
	for at := time.Duration(0); at < long; at += step {
		now := start.Add(at)
		for len(asking) > 0 && !now.Before(asking[0].until) {
			w := asking[0].w
			asking = asking[1:]
			q.done(w, mine[w.key()], now)
		}
		put(fl.mac(r), fl.ip(r), now)
		if at%(100*time.Millisecond) == 0 {
			key := question{n.mac(r), n.ip(r)}
			mine[key.key()] = true
			put(key.mac, key.ip, now)
		}
		for w := q.next(); w != nil; w = q.next() {
			if mine[w.key()] {
				worst = max(worst, now.Sub(w.since))
			}
			asking = append(asking, busy{w, now.Add(cost)})
		}
	}
	for _, w := range q.lookup {
		if mine[w.key()] {
			worst = max(worst, start.Add(long).Sub(w.since))
		}
	}
	return worst, lost
}

// The queue stays within its bound, its counts stay right, and no debt is left when all questions are answered.
func TestQueueInvariants(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	sources := []func(*rand.Rand) netip.Addr{only("10.0.0.1"), within("10.0.0.0/24"), within("fd00::/64"), within("fd00::/32"), func(*rand.Rand) netip.Addr { return netip.Addr{} }}
	q := newFairQueue(100, 8)
	now := time.Unix(1e9, 0)
	var asking []*waiting
	in, out, dropped := 0, 0, 0
	check := func(step int) {
		t.Helper()
		n := 0
		for _, fl := range q.flows {
			if len(fl.waiting) == 0 {
				t.Fatalf("step %d: a flow has nothing to ask", step)
			}
			n += len(fl.waiting)
		}
		if n != q.len() || n > 100 || len(q.lookup) != n+len(asking) || q.asking != len(asking) || q.doubtful > 6 || in != n+len(asking)+out+dropped {
			t.Fatalf("step %d: %d wait in flows and %d in slots, %d are asked, %d doubtful; %d in, %d out, %d dropped", step, n, q.len(), q.asking, q.doubtful, in, out, dropped)
		}
	}
	for step := range 20_000 {
		switch r.IntN(4) {
		case 0, 1:
			new := question{mac(r.IntN(1000)), sources[r.IntN(len(sources))](r)}
			if q.lookup[new.key()] == nil {
				in++
			}
			if _, full := q.add(new, r.IntN(2) == 0, now); full {
				dropped++
			}
		case 2:
			if w := q.next(); w != nil {
				asking = append(asking, w)
			}
		case 3:
			if len(asking) > 0 {
				q.done(asking[0], true, now)
				asking = asking[1:]
				out++
			}
		}
		check(step)
		now = now.Add(time.Duration(r.IntN(10)) * time.Millisecond)
	}
	for q.len()+len(asking) > 0 {
		for w := q.next(); w != nil; w = q.next() {
			asking = append(asking, w)
		}
		q.done(asking[0], true, now)
		asking = asking[1:]
	}
	for i := range q.debts.rows {
		for j := range q.debts.rows[i] {
			if d := q.debts.rows[i][j].at(periodOf(now)); d.count != 0 {
				t.Fatalf("%d/%d is owed when all has been of use", d.count, oneDebt)
			}
		}
	}
}

// A network's debt halves with time, and a clock that is set back changes nothing.
func TestDebts(t *testing.T) {
	d := newDebts()
	nets := d.networksOf(netip.MustParseAddr("10.1.2.3"))
	const now = 1000
	for i := range 64 {
		if owed := d.charge(&nets, now)[0]; owed != uint16(i+1)*oneDebt {
			t.Fatalf("charged %d times, it owes %d/%d", i+1, owed, oneDebt)
		}
	}
	for _, step := range []struct {
		period uint16
		want   uint16 // with the charge itself
	}{{now + 1, 33}, {now + 3, 9}, {now - 5, 10}, {now - 5, 11}, {now + 500, 1}, {now + 500 + 0x9000, 1}} { // the last after 3.4 days
		if owed := d.charge(&nets, step.period)[0]; owed>>4 != step.want && owed>>4 != step.want-1 {
			t.Errorf("period %d: it owes %d/%d, want some %d", step.period, owed, oneDebt, step.want)
		}
	}
	// Networks are those of the address: two of a /24 share all but the first.
	for _, tc := range []struct {
		a, b   string
		shared string
	}{
		{"10.1.2.3", "10.1.2.3", "yyyy"},
		{"10.1.2.3", "10.1.2.4", "nyyn"},
		{"10.1.2.3", "10.1.3.3", "nnyn"},
		{"10.1.2.3", "10.2.2.3", "nnnn"},
		{"10.1.2.3", "::10.1.2.3", "nnnn"},
		{"fd00::1", "fd00::1%eth0", "yyyy"},
		{"fd00::1", "fd00::2", "yyyn"},
		{"fd00::1", "fd00:0:0:1::1", "nyyn"},
		{"fd00::1", "fd00:0:1::1", "nnyn"},
		{"fd00::1", "fd00:1::1", "nnnn"},
	} {
		a, b, got := d.networksOf(netip.MustParseAddr(tc.a)), d.networksOf(netip.MustParseAddr(tc.b)), ""
		for i := range a {
			got += map[bool]string{true: "y", false: "n"}[a[i] == b[i]]
		}
		if got != tc.shared {
			t.Errorf("%s and %s share %s, want %s", tc.a, tc.b, got, tc.shared)
		}
	}
}

func BenchmarkQueue(b *testing.B) {
	for _, fl := range []flood{{"one address", only("10.9.9.9"), randomMAC}, {"any address", within("0.0.0.0/0"), randomMAC}} {
		b.Run(fmt.Sprint(fl.name), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2))
			q := newFairQueue(4096, 8)
			now := time.Unix(1e9, 0)
			for b.Loop() {
				q.add(question{fl.mac(r), fl.ip(r)}, false, now)
			}
		})
	}
}
