package library

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"

	"dcs/bench/require"
	"dcs/render/attr"
	"dcs/render/ber/mib"
	"dcs/render/mic"
	"dcs/render/skeleton"
)

const common = `
	Block common {
		NetworkAccess 1; MaxCPE 4; UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; MaxRateSustained 5M; }
		DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; MaxRateSustained 50M; }
		SnmpMibObject docsDevNmAccessIp.1 IPAddress 198.18.0.10; SnmpMibObject docsDevNmAccessStatus.1 Integer createAndGo; }
	`

// TestTable fills small tables far beyond their size: they stay within, and what is asked
// for again and again stays in them.
func TestTable(t *testing.T) {
	dir := tree(t, map[string]string{"a.dcs": `Main ~ "^n(?P<n>[0-9]+)$" { select $n { default { SwUpgradeFilename "f$n"; } } }`})
	for _, octets := range []int{1, 1 << 12, 1 << 16, 1 << 20} {
		s, err := Load(Config{Dirs: []string{dir}, MIB: mib.Default(), Learned: octets}, nil)
		if err != nil {
			t.Fatal(err)
		}
		hot, _ := s.Skeleton(find(s, "n7"), nil, false)
		most := 0
		for i := range 5000 {
			name := fmt.Sprintf("n%d", i)
			if got := staticBody(t, s, name); string(got[2:]) != "f"+name[1:] {
				t.Fatalf("%s: %q", name, got)
			}
			if again, _ := s.Skeleton(find(s, "n7"), nil, false); octets > 1<<12 && again != hot {
				t.Fatalf("%d octets: the kind of n7 was dropped after %s though it is in use", octets, name)
			}
			used, limit := s.LearnedOctets()
			if used > limit || limit != int64(octets) {
				t.Fatalf("%d octets in a table of %d, limited to %d", used, octets, limit)
			}
			most = max(most, s.Len())
		}
		if least := octets / 2000; most < least {
			t.Errorf("%d octets: never more than %d kinds, want %d at least", octets, most, least)
		}
		if used, _ := s.LearnedOctets(); (used == 0) != (s.Len() == 0) {
			t.Errorf("%d octets for %d names", used, s.Len())
		}
	}
}

// TestTableMemory holds what the table says that it takes against what it takes.
func TestTableMemory(t *testing.T) {
	require.Long(t, "memory of large tables")
	schema, err := attr.NewSchema("profile", "site")
	if err != nil {
		t.Fatal(err)
	}
	ring := secrets(t, 3)
	for _, tt := range []struct {
		name, src string
		names     func(i int) string
		secrets   int
		kinds     int // of device, for each name
	}{
		{"the same for all", `Main ~ "^n(?P<n>[0-9]+)$" { include common; select $n { default { SwUpgradeFilename "f$n"; } } }`, nil, 1, 1},
		{"under three secrets", `Main ~ "^n(?P<n>[0-9]+)$" { include common; select $n { default { SwUpgradeFilename "f$n"; } } }`, nil, 3, 1},
		{"slots", `Main ~ "^n(?P<n>[0-9]+)$" { include common; TftpTimestamp $time; SnmpMibObject sysLocation.0 String "$n at $ip"; select $n { default { SwUpgradeFilename "$site-$n.bin"; } } }`, nil, 3, 1},
		{"kinds of devices", `Main ~ "^n(?P<n>[0-9]+)$" { include common; SwUpgradeFilename "$site-$n"; select "$profile$n" { 1 { MaxClassifiers 1; } default { } } }`, nil, 1, 8},
		{"values that do not fit", `Main ~ "^n(?P<n>[0-9]+)$" { MaxCPE $n; }`, nil, 1, 1},
		{"faults", `Main ~ "^n(?P<n>[0-9]+)$" { reject "no $n"; }`, nil, 1, 1},
		{"long names", `Main ~ "^n(?P<n>[0-9x]+)$" { select "$n" { 1 { } default { } } }`, func(i int) string { return fmt.Sprintf("n%0400d", i) }, 1, 1},
		{"large files", `Main ~ "^n(?P<n>[0-9x]+)$" { include common; MaxCPE 7;` + strings.Repeat(`SnmpMibObject sysLocation.0 String "abcdefghijklmnopqrstuvwxyz$n";`, 200) + `select $n { default { } } }`, nil, 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := tree(t, map[string]string{"a.dcs": common + tt.src})
			s, err := Load(Config{Dirs: []string{dir}, MIB: mib.Default(), Schema: schema, Learned: 256 << 20}, nil)
			if err != nil {
				t.Fatal(err)
			}
			var sc skeleton.Scratch
			learn := func(name string) {
				l := find(s, name)
				for k := range tt.kinds {
					rec := attr.Record{fmt.Sprint(k), "site"}
					v := skeleton.Values{IP: netip.AddrFrom4([4]byte{10}), Attrs: rec}
					l.Fill(&v)
					sk, fault := s.Skeleton(l, rec, false)
					for _, secret := range ring[:tt.secrets] {
						if fault == nil && sk.File(secret) == nil {
							file, fault := sk.Build(nil, &v, &sc)
							if fault == skeleton.Unfit {
								_, _ = s.Exact(l, rec, false)
								continue
							}
							if fault != nil {
								t.Fatal(fault)
							}
							_, _ = sk.Sign(file, secret, &sc)
						}
					}
				}
			}
			learn("n0")
			const n = 2000
			name := tt.names
			if name == nil {
				name = func(i int) string { return fmt.Sprintf("n%d", 1000000+i) }
			}
			before, held := heap(), used(s)
			for i := range n / tt.kinds {
				learn(name(i))
			}
			took, counted := heap()-before, used(s)-held
			t.Logf("%d octets each, %d counted", took/n, counted/n)
			if counted < took*3/4 || counted > took*5/4 {
				t.Errorf("%d octets, %d counted", took, counted)
			}
			runtime.KeepAlive(s)
		})
	}
}

// secrets returns the n secrets of a keyring.
func secrets(t *testing.T, n int) (ring []*mic.Secret) {
	t.Helper()
	var per []mic.Prefix
	for i := range n - 1 {
		per = append(per, mic.Prefix{Addresses: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i)}), 16), Secret: mic.NewSecret([]byte{byte(i)})})
	}
	k, err := mic.NewKeyring(mic.NewSecret(nil), per...)
	check(t, err)
	for i := range n {
		ring = append(ring, k.Secret(netip.AddrFrom4([4]byte{10, byte(i)})))
	}
	return ring
}

func used(s *Snapshot) int64 {
	n, _ := s.LearnedOctets()
	return n
}

// heap returns the octets of memory in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestLearning reloads a library while it is asked: what is counted never steps back, and what ends with the library before does not
// count as evicted.
func TestLearning(t *testing.T) {
	dir := tree(t, map[string]string{"a.dcs": `Main ~ "^n(?P<n>[0-9]+)$" { select $n { default { SwUpgradeFilename "f$n"; } } }`})
	load := func(prev *Snapshot) *Snapshot {
		s, err := Load(Config{Dirs: []string{dir}, MIB: mib.Default(), Learned: 1 << 17}, prev)
		check(t, err)
		return s
	}
	asked := 0
	ask := func(s *Snapshot, want uint64) {
		t.Helper()
		asked++
		if _, fault := s.Skeleton(find(s, fmt.Sprintf("n%d", asked)), nil, false); fault != nil {
			t.Fatal(fault)
		}
		if misses, evicted := s.Learning(); misses != want || evicted != 0 {
			t.Errorf("%d misses and %d evicted, want %d and none", misses, evicted, want)
		}
	}
	before := load(nil)
	first, _ := before.Learning()
	ask(before, first+1)
	after := load(before)
	loaded, _ := after.Learning()
	ask(before, loaded+1) // still served
	ask(after, loaded+2)
	before.Retire()
	ask(after, loaded+3)
}

// TestTableCount has many goroutines learn, and remember under many secrets, in a table that is
// full: the count of octets is that of what is in it.
func TestTableCount(t *testing.T) {
	dir := tree(t, map[string]string{"a.dcs": `Main ~ "^n(?P<n>[0-9]+)$" { select $n { default { SwUpgradeFilename "f$n"; } } }`})
	s, err := Load(Config{Dirs: []string{dir}, MIB: mib.Default(), Learned: 1 << 17}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ring := secrets(t, 70)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(g)))
			for range 3000 {
				n := r.IntN(400)
				sk, fault := s.Skeleton(find(s, fmt.Sprintf("n%d", n)), nil, false)
				if fault != nil {
					t.Error(fault)
					return
				}
				secret := ring[r.IntN(len(ring))]
				if got := sk.File(secret); got != nil && !bytes.HasPrefix(got[2:], fmt.Appendf(nil, "f%d", n)) {
					t.Errorf("n%d: %x", n, got)
				}
				if u, most := s.LearnedOctets(); u > most+4*4096 { // each may have looked before the others counted
					t.Errorf("%d octets, at most %d", u, most)
				}
			}
		})
	}
	wg.Wait()
	if s.Len() == 0 || s.Len() > 400 {
		t.Errorf("%d kinds", s.Len())
	}
	s.table.trim(0)
	if u := used(s); u != 0 || s.Len() != 0 {
		t.Errorf("%d octets for %d kinds", u, s.Len())
	}
}
