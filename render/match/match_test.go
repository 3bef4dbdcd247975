package match

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"dcs/bench/require"
)

// compile returns the pattern of an expression as the library makes it.
func compile(expr string) (*Pattern, error) {
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, err
	}
	return New(expr, tree.MaxCap()), nil
}

const hot, hotName = `^dm(?P<mac>[0-9a-f]{12})\.bin$`, "dm0a0102030405.bin"

var corpus = []struct {
	expr  string
	names []string
}{
	{hot, []string{hotName, "dm0a010203040.bin", "dm0a01020304050.bin", "dm0a010203040G.bin", "", "dm", "xdm0a0102030405.bin", hotName + "\n"}},
	{`^(?P<isp>[a-z]{4})ip(?P<cpe>[1-9]|1[0-6])bw(?P<tier>[0-9]+)\.bin$`, []string{"acmeip16bw100.bin", "acmeip1bw1.bin", "acmeip17bw1.bin"}},
	{`(a|ab)(c|bcd)(d*)`, []string{"abcd", "xxabcdabcd", "acd"}},
	{`^(a+?)(a*)$`, []string{"a", "aaaa", ""}},
	{`^(?:(a)|b)*$`, []string{"ab", "ba", "", "abc"}},
	{`(a*)*`, []string{"", "aab", "b"}},
	{`(|a)*`, []string{"aa"}},
	{`(|a)+`, []string{"aa", "b"}},
	{`(?:(a{0})|b)c`, []string{"c", "bc"}},
	{`(x{0})(y)`, []string{"y"}},
	{`a?b??c`, []string{"abc", "ac", "c", "bc"}},
	{`(?i)^K(s+)$`, []string{"Kſs", "\u212as", "kS", "k"}},
	{`\b(\w+)\b.(\B.)`, []string{"ab-cd ef", "a b", "", "--a--"}},
	{`(?m)^(.*)$`, []string{"a\nb", "\n", ""}},
	{`(?m)^b$`, []string{"a\nb", "ab", "b\n"}},
	{`(?s)^(.+?)-(.*)$`, []string{"a\n-b-c", "é-\xff", "\xe2\x82-x"}},
	{`([^a-z]+)`, []string{"a\xffé\u20acb", "abc", "\xed\xa0\x80"}},
	{`.`, []string{"\xff", "é", "\n", "\xe2\x82"}},
	{`\x{fffd}`, []string{"\xff", "\ufffd", "a"}},
	{`^(?P<mac>(?:[0-9a-f]{2}[:-]?){6})(@.*)?\z`, []string{"0a:01:02:03:04:05", "0a0102030405@x", "0a01020304"}},
	{`\pL+(\p{Greek})$`, []string{"xα", "αβγ", "1α"}},
	{`[a-c]*?(c|$)`, []string{"abc", "ab", "c"}},
	{`$^`, []string{"", "a"}},
	{`a$b`, []string{"ab", "a"}},
	{`[^\x00-\x{10FFFF}]`, []string{"a", ""}},
	{``, []string{"", "a"}},
}

// same compares p with package regexp.
func same(t testing.TB, p *Pattern, re *regexp.Regexp, s *Scratch, name string) {
	t.Helper()
	got, want := p.Find(nil, []byte(name), s), re.FindSubmatchIndex([]byte(name))
	if !slices.Equal(got, want) || (got == nil) != (want == nil) {
		t.Fatalf("%q in %q is at %v, package regexp says %v", re, name, got, want)
	}
}

func TestFind(t *testing.T) {
	var s Scratch
	for _, c := range corpus {
		p, err := compile(c.expr)
		if err != nil {
			t.Fatal(err)
		}
		re := regexp.MustCompile(c.expr)
		for range 2 {
			for _, n := range c.names {
				same(t, p, re, &s, n)
			}
		}
	}
}

// randomExpr returns an expression of few characters, so that random names often match it.
func randomExpr(r *rand.Rand, deep int) string {
	if deep == 0 || r.IntN(5) == 0 {
		return []string{"a", "b", "c", "[ab]", "[^a]", ".", "ab", "é", "", `\b`, `\B`, "^", "$", `\n`, "(?m:^)", "(?m:$)", "(?i:A)", "[b-é]"}[r.IntN(18)]
	}
	sub := func() string { return randomExpr(r, deep-1) }
	switch r.IntN(8) {
	case 0:
		return sub() + "|" + sub()
	case 1:
		return "(" + sub() + ")"
	case 2:
		return "(?:" + sub() + ")" + []string{"*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{0,2}?", "{0}", "{2,}"}[r.IntN(11)]
	case 3:
		return "(" + sub() + "|" + sub() + ")" + []string{"", "*", "+", "?", "*?", "+?"}[r.IntN(6)]
	}
	return sub() + sub()
}

func randomName(r *rand.Rand) string {
	parts := []string{"a", "b", "c", "A", "é", "\n", "-", "\xff", "\xc3"}
	most := 2 + r.IntN(len(parts)-1)
	b := &strings.Builder{}
	for range r.IntN(12) {
		b.WriteString(parts[r.IntN(most)])
	}
	return b.String()
}

// Any pattern gives the same places as package regexp, with states and without.
func TestRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 1))
	var s Scratch
	matched, machines := 0, 0
	for range 6000 {
		expr := randomExpr(r, 4)
		if r.IntN(2) == 0 {
			expr = "^(?:" + expr + ")$"
		}
		re, err := regexp.Compile(expr)
		if err != nil {
			continue
		}
		p, err := compile(expr)
		if err != nil {
			t.Fatal(err)
		}
		if r.IntN(3) == 0 {
			left := atomic.Int64{}
			left.Store(int64(r.IntN(2000)))
			p.Share(&left)
		}
		for range 15 {
			name := randomName(r)
			same(t, p, re, &s, name)
			if re.MatchString(name) {
				matched++
			}
		}
		if p.built.Load().machine != nil {
			machines++
		}
	}
	if matched < 20_000 || machines < 3000 {
		t.Fatalf("%d names matched, %d patterns had a machine: the test asks too little", matched, machines)
	}
}

func FuzzFind(f *testing.F) {
	for _, c := range corpus {
		for _, n := range c.names {
			f.Add(c.expr, n)
		}
	}
	f.Fuzz(func(t *testing.T, expr, name string) {
		if len(expr) > 200 || len(name) > 512 {
			return
		}
		re, err := regexp.Compile(expr)
		p, ours := compile(expr)
		if (err == nil) != (ours == nil) {
			t.Fatalf("%q: %v, package regexp says: %v", expr, ours, err)
		}
		if err == nil {
			var s Scratch
			same(t, p, re, &s, name)
			same(t, p, re, &s, name)
		}
	})
}

func TestNoAllocs(t *testing.T) {
	for _, c := range []struct {
		what, expr, name string
	}{
		{"MAC", hot, hotName},
		{"no match", hot, "dm0a01020304.bin"},
		{"alternatives", `^(?:(a)|b|(c+?))*-(.*)$`, "aabbccccab--xyz"},
		{"without anchors", `b+(c)`, "aaabbbccc"},
		{"beyond ASCII", `^(.*)-(é+)$`, "\xff\xffabcé-éé"},
		{"long", `^(.*)x(.*)$`, strings.Repeat("x", 512)},
	} {
		p, _ := compile(c.expr)
		var s Scratch
		at, name := make([]int, 0, 16), []byte(c.name)
		if n := testing.AllocsPerRun(1000, func() { p.Find(at, name, &s) }); n != 0 {
			t.Errorf("%s: %v allocations", c.what, n)
		}
	}
}

// A pattern whose states would grow with every name stays within its limit, and still finds.
func TestMemory(t *testing.T) {
	require.Long(t, "many states")
	// Read forward the first takes 2^12 states, read backward the second does.
	for _, expr := range []string{`^(?:a|b)*a(?:a|b){12}(c?)$`, `^(a|b){12}a(?:a|b)*(c?)$`} {
		p, _ := compile(expr)
		re := regexp.MustCompile(expr)
		var s Scratch
		r := rand.New(rand.NewPCG(17, 2))
		name := make([]byte, 40)
		for range 3000 {
			for i := range name {
				name[i] = "ab"[r.IntN(2)]
			}
			same(t, p, re, &s, string(name))
		}
		m := p.built.Load().machine
		t.Logf("%s: %d states, %d octets", expr, len(m.states), m.octets)
		if m.octets > mostOctets {
			t.Errorf("%s: %d octets of states", expr, m.octets)
		}
		at := make([]int, 0, 16)
		if n := testing.AllocsPerRun(100, func() { p.Find(at, name, &s) }); n != 0 {
			t.Errorf("%s: %v allocations when memory is full", expr, n)
		}
	}
	// What patterns share is a limit too.
	var left atomic.Int64
	left.Store(5000)
	for i := range 100 {
		p, _ := compile(fmt.Sprintf(`^(x%d|[a-z]*)$`, i))
		p.Share(&left)
		var s Scratch
		same(t, p, regexp.MustCompile(p.expr), &s, "abc")
	}
	if left.Load() < 0 || left.Load() > 4000 {
		t.Errorf("%d octets are left of 5000", left.Load())
	}
}

// Goroutines that build one pattern's states at the same time get the right places.
func TestShared(t *testing.T) {
	for _, c := range corpus {
		p, _ := compile(c.expr)
		re := regexp.MustCompile(c.expr)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				var s Scratch
				for range 3 {
					for _, n := range c.names {
						if got := p.Find(nil, []byte(n), &s); !slices.Equal(got, re.FindStringSubmatchIndex(n)) {
							t.Errorf("%q in %q is at %v", c.expr, n, got)
						}
					}
				}
			})
		}
		wg.Wait()
	}
}

func BenchmarkFind(b *testing.B) {
	for _, c := range []struct{ what, expr, name string }{
		{"mac", hot, hotName},
		{"captures", corpus[1].expr, "acmeip16bw100.bin"},
		{"miss", hot, "dm0a01020304.bin"},
	} {
		name, at := []byte(c.name), make([]int, 0, 16)
		b.Run(c.what+"/match", func(b *testing.B) {
			p, _ := compile(c.expr)
			var s Scratch
			for b.Loop() {
				p.Find(at, name, &s)
			}
		})
		b.Run(c.what+"/regexp", func(b *testing.B) {
			re := regexp.MustCompile(c.expr)
			for b.Loop() {
				re.FindSubmatchIndex(name)
			}
		})
	}
}
