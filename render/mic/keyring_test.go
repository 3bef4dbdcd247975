package mic

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

// naive is the longest match, looked for one by one.
func naive(def *Secret, prefixes []Prefix, a netip.Addr) *Secret {
	best, bits := def, -1
	for _, p := range prefixes {
		if p.Addresses.Contains(a) && p.Addresses.Bits() > bits {
			best, bits = p.Secret, p.Addresses.Bits()
		}
	}
	return best
}

func TestKeyring(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	def := NewSecret([]byte("default"))
	secrets := make([]*Secret, 20)
	for i := range secrets {
		secrets[i] = NewSecret(fmt.Appendf(nil, "secret %d", i))
	}
	random := func(six bool) netip.Addr {
		// Few values for an octet, so that prefixes hold one another.
		octet := func() byte { return []byte{0, 1, 10, 127, 128, 255}[rnd.IntN(6)] }
		var b [16]byte
		for i := range b {
			b[i] = octet()
		}
		if six {
			return netip.AddrFrom16(b)
		}
		return netip.AddrFrom4([4]byte(b[:4]))
	}
	for round := range 50 {
		var prefixes []Prefix
		seen := map[netip.Prefix]bool{}
		for range 1 + rnd.IntN(200) {
			a := random(round%3 == 1 || round%3 == 2 && rnd.IntN(2) == 0)
			p := netip.PrefixFrom(a, rnd.IntN(a.BitLen()+1))
			if seen[p.Masked()] {
				continue
			}
			seen[p.Masked()] = true
			prefixes = append(prefixes, Prefix{Addresses: p, Secret: secrets[rnd.IntN(len(secrets))]})
		}
		k, err := NewKeyring(def, prefixes...)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2000 {
			a := random(i%2 == 0)
			if i%5 == 0 {
				a = prefixes[rnd.IntN(len(prefixes))].Addresses.Addr() // certainly in one
			}
			got, want := k.Secret(a), naive(def, prefixes, a)
			if !got.Same(want) || got.Slot() >= k.Len() {
				t.Fatalf("round %d, %v: the wrong secret, slot %d", round, a, got.Slot())
			}
		}
	}
}

func TestKeyringSlots(t *testing.T) {
	a, b := NewSecret([]byte("a")), NewSecret([]byte("b"))
	k, err := NewKeyring(a, Prefix{Addresses: netip.MustParsePrefix("10.0.0.0/8"), Secret: b}, Prefix{Addresses: netip.MustParsePrefix("10.1.0.0/16"), Secret: a},
		Prefix{Addresses: netip.MustParsePrefix("fd00::/8"), Secret: b})
	if err != nil {
		t.Fatal(err)
	}
	if k.Len() != 2 {
		t.Errorf("%d secrets", k.Len())
	}
	for addr, slot := range map[string]int{"192.0.2.1": 0, "10.2.0.1": 1, "10.1.0.1": 0, "fd01::1": 1, "2001:db8::": 0} {
		if got := k.Secret(netip.MustParseAddr(addr)).Slot(); got != slot {
			t.Errorf("%s: slot %d, want %d", addr, got, slot)
		}
	}
	one := KeyringOf(a)
	if !one.Secret(netip.MustParseAddr("10.0.0.1")).Same(a) || !one.Secret(netip.Addr{}).Same(a) {
		t.Error("the only secret is not given")
	}
	if !k.Secret(netip.MustParseAddr("10.2.0.1")).Equal(NewSecret([]byte("b"))) || a.Equal(b) || a.Same(NewSecret([]byte("a"))) {
		t.Error("Equal or Same is wrong")
	}
	if s := fmt.Sprintf("%v %+v %#v", k.Secret(netip.Addr{}), *k.Secret(netip.Addr{}), k); s != "[secret] [secret] [2 secrets]" {
		t.Errorf("a keyring prints as %s", s)
	}
}

// TestBehind asks which CMTS addresses stand behind: prefixes of one name are one, a prefix without a name is one of its own, and the
// number lasts when other prefixes come and go.
func TestBehind(t *testing.T) {
	s := NewSecret([]byte("s"))
	ring := func(prefixes ...Prefix) *Keyring {
		k, err := NewKeyring(s, prefixes...)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	of := func(prefix, name string) Prefix {
		return Prefix{Addresses: netip.MustParsePrefix(prefix), Secret: s, CMTS: name}
	}
	north, north6, south, alone := of("10.1.0.0/16", "north"), of("fd01::/16", "north"), of("10.2.0.0/16", "south"), of("10.1.7.0/24", "")
	k := ring(north, north6, south, alone)
	behind := func(k *Keyring, addr string) uint32 { return k.Behind(netip.MustParseAddr(addr)) }
	if n := behind(k, "10.3.0.1"); n != 0 {
		t.Errorf("an address in no prefix is behind %d", n)
	}
	if a, b := behind(k, "10.1.0.1"), behind(k, "fd01::1"); a != b || a == 0 {
		t.Errorf("two prefixes of one CMTS: %d and %d", a, b)
	}
	seen := map[uint32]string{}
	for _, addr := range []string{"10.1.0.1", "10.2.0.1", "10.1.7.1"} {
		n := behind(k, addr)
		if n == 0 || seen[n] != "" {
			t.Errorf("%s is behind %d, as %q", addr, n, seen[n])
		}
		seen[n] = addr
		if later := behind(ring(alone, south, of("10.9.0.0/16", "east"), north), addr); later != n {
			t.Errorf("%s is behind %d in a later keyring, was behind %d", addr, later, n)
		}
	}
	if n := behind(KeyringOf(s), "10.1.0.1"); n != 0 {
		t.Errorf("with one secret for all, behind %d", n)
	}
}

func TestKeyringErrors(t *testing.T) {
	s, ten := NewSecret(nil), netip.MustParsePrefix("10.0.0.0/8")
	for _, tt := range []struct {
		def      *Secret
		prefixes []Prefix
		want     string
	}{
		{nil, nil, "no secret"},
		{s, []Prefix{{Addresses: ten}}, "no secret to sign with: 10.0.0.0/8"},
		{s, []Prefix{{Secret: s}}, "not valid"},
		{s, []Prefix{{Addresses: ten, Secret: s}, {Addresses: netip.MustParsePrefix("10.1.1.1/8"), Secret: s}}, "duplicate prefix 10.0.0.0/8"},
		{s, []Prefix{{Addresses: netip.MustParsePrefix("::ffff:10.0.0.0/104"), Secret: s}}, "an IPv4 prefix is written as one"},
	} {
		if _, err := NewKeyring(tt.def, tt.prefixes...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %q", err, tt.want)
		}
	}
}

// fleet is a keyring of n CMTSes, each with a secret and a /16 of its own.
func fleet(t testing.TB, n int) *Keyring {
	var prefixes []Prefix
	for i := range n {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, 0}), 16)
		prefixes = append(prefixes, Prefix{Addresses: p, Secret: NewSecret(fmt.Appendf(nil, "secret %d", i))})
	}
	k, err := NewKeyring(NewSecret(nil), prefixes...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeyringNoAllocs(t *testing.T) {
	k := fleet(t, 200)
	for _, a := range []netip.Addr{netip.MustParseAddr("10.7.8.9"), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("fd00::1")} {
		if n := testing.AllocsPerRun(100, func() { k.Secret(a) }); n != 0 {
			t.Errorf("%v: %v allocations", a, n)
		}
	}
}

// BenchmarkKeyring looks addresses of 4096 modems up, in random order.
func BenchmarkKeyring(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 2))
	modems := make([]netip.Addr, 4096)
	for i := range modems {
		modems[i] = netip.AddrFrom4([4]byte{10, byte(rnd.IntN(200)), byte(rnd.IntN(256)), byte(i)})
	}
	for _, n := range []int{0, 1, 200} {
		b.Run(fmt.Sprintf("prefixes=%d", n), func(b *testing.B) {
			k := fleet(b, n)
			i := 0
			for b.Loop() {
				k.Secret(modems[i&4095])
				i++
			}
		})
	}
}
