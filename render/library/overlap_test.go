package library

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

const plenty = 20_000_000

func TestOverlap(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want verdict
		name string // the witness; "?" for any
	}{
		{`^a+$`, `^a+$`, overlapping, "a"},
		{`^gold-[0-9]+\.bin$`, `^gold-[0-9]{2}\.bin$`, overlapping, "gold-00.bin"},
		{`^gold-[0-9]+\.bin$`, `^silver-[0-9]+\.bin$`, disjoint, ""},
		{`^[a-z]+-1\.bin$`, `^gold`, overlapping, "gold-1.bin"},
		{`^[a-z]+\.bin$`, `^[0-9]+\.bin$`, disjoint, ""},
		{`^[a-z]+\.bin$`, `^[a-z]+\.cm$`, disjoint, ""},
		{`foo`, `bar`, overlapping, "barfoo"},
		{`^foo$`, `bar`, disjoint, ""},
		{`foo`, `oob`, overlapping, "foob"},
		{`^res-[a-z]+-0001$`, `^res-[a-z]+-0002$`, disjoint, ""},
		{`^res-[a-z0-9]+-0001$`, `^res-[a-z]+-0+1$`, overlapping, "res-a-0001"},
		{`(?i)^GOLD$`, `^gold$`, overlapping, "gold"},
		{`(?i)^k$`, "^\u212a$", overlapping, "\u212a"},
		{`\bfoo\b`, `^xfoo$`, disjoint, ""},
		{`\bfoo\b`, `^x.foo$`, overlapping, "?"},
		{`\Bfoo`, `^.foo$`, overlapping, "afoo"},
		{`(?m)^b`, `^[^b]`, overlapping, "\nb"},
		{`a$^b`, `a`, disjoint, ""},
		{`a$^b`, `a$^b`, disjoint, ""},
		{``, ``, overlapping, "a"},
		{`^$`, ``, disjoint, ""},        // a name has one octet at least
		{`^\x00$`, `.`, disjoint, ""},   // and no NUL
		{`^.{256}$`, `.`, disjoint, ""}, // and no more than 255
		{`^a{255}$`, `a`, overlapping, strings.Repeat("a", 255)},
		{`^é{128}$`, `é`, disjoint, ""},
		{`^é{127}a?$`, `a`, overlapping, strings.Repeat("é", 127) + "a"},
		{`^[[:^ascii:]]$`, `^.$`, overlapping, "?"},
		{"^\ufffd$", `^.$`, overlapping, "?"},
		{`^[[:^ascii:]]+$`, `^[[:^ascii:]]+a$`, disjoint, ""},
		{`^[[:^ascii:]]{200}$`, `^.+$`, unknown, ""}, // octets that are no UTF-8 would match
		{`^(?:(?:a|b)*a(?:a|b){10})$`, `^(?:(?:a|b)*b(?:a|b){10})$`, disjoint, ""},
		{`^.*a.{200}$`, `^.*b.{200}$`, unknown, ""},
		{`^(?P<isp>[a-z]{4})ip(?P<cpe>[1-9]|1[0-6])bw(?P<tier>[0-9]+)\.bin$`, `^[a-z]+ip1[0-9]bw`, overlapping, "?"},
	} {
		t.Run(tt.a+" "+tt.b, func(t *testing.T) {
			t.Parallel()
			list := compileAll(t, tt.a, tt.b)
			for range 2 {
				name, v := overlap(list[0], list[1], plenty)
				if v != tt.want || tt.name != "?" && len(name) != len(tt.name) {
					t.Errorf("got %v %q, want %v %q", v, name, tt.want, tt.name)
				}
				if v == overlapping && !both(list, name) {
					t.Errorf("%q is no witness", name)
				}
				list[0], list[1] = list[1], list[0]
			}
			if tt.want == overlapping && tt.name != "?" && tt.name != "barfoo" && !both(list, tt.name) {
				t.Errorf("the expected %q is no witness", tt.name)
			}
		})
	}
}

func TestWitnessIsOrdinary(t *testing.T) {
	for _, tt := range [][3]string{
		{`^gold-.+\.bin$`, `^[^/]+$`, "gold-0.bin"},
		{`^x[^a-z]$`, `^x[^0]$`, "x1"},
		{`^x\W$`, `^x.$`, "x-"},
		{`^x[[:^ascii:]]$`, `^x.$`, "xà"},
	} {
		list := compileAll(t, tt[0], tt[1])
		if name, v := overlap(list[0], list[1], plenty); v != overlapping || name != tt[2] {
			t.Errorf("%s and %s: got %v %q, want %q", tt[0], tt[1], v, name, tt[2])
		}
	}
}

func both(list []*pattern, name string) bool {
	return re(list[0]).MatchString(name) && re(list[1]).MatchString(name)
}

// forNames calls f with every name of up to most letters, shortest first, until it returns false.
func forNames(letters []string, most int, f func(name string) bool) {
	level := []string{""}
	for range most {
		var next []string
		for _, n := range level {
			for _, l := range letters {
				if !f(n + l) {
					return
				}
				next = append(next, n+l)
			}
		}
		level = next
	}
}

func TestOverlapAgainstBruteForce(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	letters := []string{"a", "b", "K", "k", "-", "\n"} // of one octet: the first found is a shortest
	count := [3]int{}
	rounds := 1500
	if testing.Short() || slowdown > 1 { // one goroutine: there is no race to be found
		rounds = 150
	}
	for range rounds {
		sources := []string{randomPattern(r, 1), randomPattern(r, 1)}
		list := compileAll(t, sources...)
		name, v := overlap(list[0], list[1], plenty)
		count[v]++
		if v == overlapping && !both(list, name) {
			t.Fatalf("%q: %q is no witness", sources, name)
		}
		forNames(letters, 5, func(n string) bool {
			if v == overlapping && len(n) >= len(name) {
				return false
			}
			if v == unknown || !both(list, n) {
				return true
			}
			t.Errorf("%q: got %v %q, but %q matches both", sources, v, name, n)
			return false
		})
	}
	if count[unknown] > 0 || count[disjoint] < rounds/20 || count[overlapping] < rounds/20 {
		t.Errorf("verdicts: %d unknown, %d disjoint, %d overlapping", count[unknown], count[disjoint], count[overlapping])
	}
}

// FuzzOverlap takes two patterns and a name that they may both match.
func FuzzOverlap(f *testing.F) {
	f.Add(`^a+b`, `a[^c]$`, "aab")
	f.Add(`\bk(?i)k$`, `(?m)^.k`, "kK")
	f.Fuzz(func(t *testing.T, a, b, name string) {
		if len(a) > 40 || len(b) > 40 {
			return
		}
		for _, s := range []string{a, b} {
			if _, err := regexp.Compile(s); err != nil {
				return
			}
		}
		list := compileAll(t, "0:"+a, "0:"+b)
		w, v := overlap(list[0], list[1], 1_000_000)
		if v == overlapping && (w == "" || len(w) > maxName || strings.Contains(w, "\x00") || !both(list, w)) {
			t.Fatalf("%q is no witness", w)
		}
		if name == "" || len(name) > maxName || strings.Contains(name, "\x00") || !both(list, name) {
			return
		}
		if v == disjoint {
			t.Fatalf("disjoint, but both match %q", name)
		}
		// An octet that is no UTF-8 is looked for as U+FFFD, which takes three.
		if v == overlapping && len(w) > len(string([]rune(name))) {
			t.Fatalf("%q is longer than %q", w, name)
		}
	})
}

func TestConflicts(t *testing.T) {
	list := compileAll(t,
		`^gold-[0-9]+\.bin$`,
		`^gold-[a-z]+\.bin$`,
		`^gold-0.*\.bin$`,       // with 0
		`1:^gold-0.*\.bin$`,     // of another priority
		`1:^gold-00\.(bin|cm)$`, // with 3
		`\.conf$`,
		`^router.*f$`, // with 5
		`\.cfg$`,
		`^gold-[0-9]+\.bin$`, // the same as 0
		`^silver-[0-9]+\.bin$`,
	)
	var got []string
	for _, c := range newPatterns(list).conflicts(plenty) {
		got = append(got, fmt.Sprintf("%d %d %s", c.a.index, c.b.index, c.witness))
	}
	want := "0 2 gold-0.bin, 3 4 gold-00.bin, 5 6 router.conf, 0 8 gold-0.bin"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("got %s\nwant %s", s, want)
	}
}

func TestConflictsAgainstPairs(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	rounds := 400
	if testing.Short() {
		rounds = 40
	}
	for range rounds {
		sources := make([]string, 2+r.IntN(8))
		for i := range sources {
			sources[i] = fmt.Sprintf("%d:%s", r.IntN(2), randomPattern(r, 1))
			if r.IntN(3) > 0 {
				sources[i] = fmt.Sprintf("%d:^%s$", r.IntN(2), randomPattern(r, 1))
			}
		}
		list := compileAll(t, sources...)
		want := map[int]bool{}
		for j, b := range list {
			for _, a := range list[:j] {
				if a.priority == b.priority {
					if _, v := overlap(a, b, plenty); v == overlapping {
						want[j] = true
					} else if v == unknown {
						t.Fatalf("%q and %q: unknown", a.source, b.source)
					}
				}
			}
		}
		last := -1
		for _, c := range newPatterns(list).conflicts(plenty) {
			if c.b.index <= last || c.a.index >= c.b.index || c.a.priority != c.b.priority || !want[c.b.index] ||
				!re(c.a).MatchString(c.witness) || !re(c.b).MatchString(c.witness) {
				t.Errorf("%q: conflict of %d and %d over %q", sources, c.a.index, c.b.index, c.witness)
			}
			last = c.b.index
			delete(want, c.b.index)
		}
		if len(want) > 0 {
			t.Errorf("%q: no conflict reported for %v", sources, want)
		}
	}
}

func TestConflictsKeepToTheBudget(t *testing.T) {
	var sources []string
	for i := range 300 {
		sources = append(sources, fmt.Sprintf(`^.*[a-m]%d.{%d}$`, i, i%100), fmt.Sprintf(`%d.{%d}$`, i, i%90))
	}
	p := newPatterns(compileAll(t, sources...))
	first := p.conflicts(1_000_000)
	second := p.conflicts(1_000_000)
	if len(first) != len(second) {
		t.Fatalf("%d conflicts, then %d", len(first), len(second))
	}
	for i := range first {
		if first[i] != second[i] {
			t.Errorf("conflict %d: %v, then %v", i, first[i], second[i])
		}
	}
	if n := len(p.conflicts(0)); n != 0 {
		t.Errorf("%d conflicts for nothing", n)
	}
}

func BenchmarkConflicts(b *testing.B) {
	for _, l := range []struct{ name, format string }{
		{"prefixes", `^isp%05d-(?P<tier>[0-9]+)\.bin$`},
		{"one prefix", `^residential-(?P<mac>[0-9a-f]{12})-%05d\.bin$`},
		{"middle", `^res-(?P<isp>[a-z]+)-%05d-(?P<tier>[0-9]+)\.bin$`},
		{"suffixes", `-%05d\.bin$`},
		{"unanchored", `node%05d`},
		{"identical", `^gold-[0-9]+\.bin$`},
		{"entangled", `^[a-z0-9-]+-%05d-[a-z]+$`},
	} {
		list := library(b, l.format, 10000)
		p := newPatterns(list)
		b.Run(l.name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n = len(p.conflicts(100_000_000))
			}
			b.ReportMetric(float64(n), "conflicts")
		})
	}
}

func BenchmarkOverlap(b *testing.B) {
	list := compileAll(b, `^(?P<isp>[a-z]{4})ip(?P<cpe>[1-9]|1[0-6])bw(?P<tier>[0-9]+)\.bin$`, `^(?P<isp>[a-z]{4})ip(?P<cpe>[1-9]|1[0-6])bv(?P<tier>[0-9]+)\.bin$`)
	b.ReportAllocs()
	for b.Loop() {
		if _, v := overlap(list[0], list[1], plenty); v != disjoint {
			b.Fatal(v)
		}
	}
}
