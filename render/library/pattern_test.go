package library

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"dcs/render/syntax"
)

// compileAll compiles patterns; a leading "n:" is the priority, 0 without.
func compileAll(t testing.TB, sources ...string) []*pattern {
	t.Helper()
	list := make([]*pattern, len(sources))
	for i, s := range sources {
		priority := 0
		if len(s) > 1 && s[1] == ':' {
			priority, s = int(s[0]-'0'), s[2:]
		}
		p, err := compilePattern(s, syntax.Pos{File: "t.dcs", Line: i + 1, Col: 1}, priority, i, false)
		if err != nil {
			t.Fatal(err)
		}
		list[i] = p
	}
	return list
}

// bruteMatch is match as its comment has it.
func bruteMatch(list []*pattern, name []byte) (best, rival *pattern) {
	for _, p := range list {
		if !re(p).Match(name) {
			continue
		}
		switch {
		case best == nil || p.priority > best.priority:
			best, rival = p, nil
		case p.priority == best.priority && rival == nil:
			rival = p
		}
	}
	return best, rival
}

// re returns package regexp's view of a pattern.
func re(p *pattern) *regexp.Regexp {
	if found, ok := regexps.Load(p); ok {
		return found.(*regexp.Regexp)
	}
	made := regexp.MustCompile(p.text())
	regexps.Store(p, made)
	return made
}

var regexps sync.Map // by *pattern

func source(p *pattern) string {
	if p == nil {
		return "none"
	}
	return fmt.Sprintf("%d:%s", p.index, p.source)
}

func checkMatch(t *testing.T, p *patterns, list []*pattern, name []byte) {
	t.Helper()
	sr := new(search)
	best, rival := p.match(name, sr)
	if best != nil && !slices.Equal(sr.best, re(best).FindSubmatchIndex(name)) {
		t.Errorf("%q matches %s at %v, want %v", name, source(best), sr.best, re(best).FindSubmatchIndex(name))
	}
	wantBest, wantRival := bruteMatch(list, name)
	if best != wantBest || rival != wantRival {
		t.Errorf("%q: match is %s, rival %s; want %s and %s", name, source(best), source(rival), source(wantBest), source(wantRival))
	}
}

func TestMatch(t *testing.T) {
	list := []string{
		`^(?P<isp>[a-z]{4})ip(?P<cpe>[1-9]|1[0-6])bw(?P<tier>[0-9]+)\.bin$`,
		`^gold-.*\.cm$`,
		`1:^gold-vip`,
		`(?i)^cisco-[0-9]+\.cfg$`,
		`[0-9]{8}`,
		`\.conf$`,
	}
	for _, tt := range []struct{ name, best, rival string }{
		{"acmeip4bw100.bin", list[0], ""},
		{"acmeip16bw1.bin", list[0], ""},
		{"acmeip17bw1.bin", "", ""},
		{"acmeip4bw100.bin2", "", ""},
		{"ACMEip4bw100.bin", "", ""},
		{"gold-a.cm", list[1], ""},
		{"gold-vip.cm", list[2][2:], ""},
		{"gold-12345678.cm", list[1], list[4]},
		{"CiScO-7.CFG", list[3], ""},
		{"ci\u017fco-7.cfg", list[3], ""}, // U+017F folds to s
		{"x-1234567.conf", list[5], ""},
		{"x-12345678.conf", list[4], list[5]},
		{"", "", ""},
		{strings.Repeat("a", 4000) + ".conf", list[5], ""},
	} {
		best, rival := newPatterns(compileAll(t, list...)).match([]byte(tt.name), new(search))
		got := [2]string{}
		for i, p := range []*pattern{best, rival} {
			if p != nil {
				got[i] = p.source
			}
		}
		if got != [2]string{tt.best, tt.rival} {
			t.Errorf("%q: got %q, want %q and %q", tt.name, got, tt.best, tt.rival)
		}
	}
}

func TestMatchCorners(t *testing.T) {
	list := compileAll(t, `^$`, `$^`, `^^a`, `a$$`, `^a$`, `(?m)^a`, `(^|x)a`, `(?:^a)+`, `^*a`, `a\b`, `\Bk`, `(?i)k`, `\x00`,
		`\x01b`, `^\x00a`, "\ufffd", `[^a]`, `^.$`, `^..$`, `é`, `(?i)é$`, `[ſs]t`, `a|^b|c$`, `a{2,3}`, `(?:ab){2}$`, ``, `^`, `$`,
		`[^\x00-\x{10FFFF}]`, `^(?:a|b|cd)(?:e|f)?g`, `a.b`, `(?s)a.b`)
	for i := range list {
		list[i].priority = i % 3
	}
	names := []string{
		"", "a", "A", "b", "aa", "aaa", "k", "K", "\u212a", "xk", "\x00", "\x00a", "\x00\x00a", "\x01b", "a\x01", "\xff",
		"a\xffb", "\xc3", "é", "É", "ét", "ſt", "st", "cdfg", "abab", "a\nb", "a\na", "x\na\n", "\ufffd", "\xe2\x84", "b\x01\x01",
	}
	for _, p := range list {
		alone := newPatterns([]*pattern{p})
		for _, n := range names {
			checkMatch(t, alone, []*pattern{p}, []byte(n))
		}
	}
	all := newPatterns(list)
	for _, n := range names {
		checkMatch(t, all, list, []byte(n))
	}
}

func TestFacts(t *testing.T) {
	for _, tt := range []struct {
		source, prefix, suffix string
		atStart                bool
		min, max               int
	}{
		{`^Gold-[0-9]+\.CM$`, "gold-", ".cm", true, 9, unbounded},
		{`^ab[0-9]{2}$`, "ab", "", true, 4, 4},
		{`ab$`, "", "ab", false, 2, unbounded},
		{`ab`, "", "", false, 2, unbounded},
		{`^(?:abc|abd)x?$`, "ab", "", true, 3, 4},
		{`^a|b$`, "", "", false, 1, unbounded},
		{`^(a)(?P<n>b)`, "ab", "", true, 2, unbounded},
		{`(?i)^ss$`, "", "", true, 2, 4}, // U+017F takes two octets
		{`$^`, "", "", false, 0, unbounded},
		{`^(?:é|ê)$`, "\xc3", "", true, 2, 2},
		{`^.$`, "", "", true, 1, 4},
	} {
		p := compileAll(t, tt.source)[0]
		if p.prefix != tt.prefix || p.suffix != tt.suffix || p.atStart != tt.atStart || p.minLen != tt.min || p.maxLen != tt.max {
			t.Errorf("%s: prefix %q suffix %q atStart %v length %d to %d, want %+v", tt.source, p.prefix, p.suffix, p.atStart, p.minLen, p.maxLen, tt)
		}
	}
}

func TestPatternErrors(t *testing.T) {
	for _, tt := range []struct{ source, want string }{
		{`^(a[(]`, `pattern "^(a[(]": missing closing ) at its octet 2; every ( needs its ); a literal one is \(`},
		{`^([[:alpha:](]\)`, `pattern "^([[:alpha:](]\\)": missing closing ) at its octet 2; every ( needs its ); a literal one is \(`},
		{`a\Q(\E)b`, `pattern "a\\Q(\\E)b": unexpected ) at its octet 7; every ) needs its ( before it; a literal one is \)`},
		{`a[b`, `pattern "a[b": missing closing ]: "[b" at its octet 2; a literal [ is \[`},
		{`a(?=b)`, `pattern "a(?=b)": invalid or unsupported Perl syntax: "(?=" at its octet 2; RE2 cannot look ahead or behind`},
		{`(a)\1`, `pattern "(a)\\1": invalid escape sequence: "\\1" at its octet 4; RE2 has no references back to a capture`},
		{`*.bin`, `pattern "*.bin": missing argument to repetition operator: "*" at its octet 1; there is nothing before it to repeat; a literal one is \*`},
		{`a{1001}`, `pattern "a{1001}": invalid repeat count: "{1001}" at its octet 2; {n,m} takes 0 to 1000, the smaller first`},
		{`a**`, `pattern "a**": invalid nested repetition operator: "**" at its octet 2; put the first repetition in (?:…)`},
		{`[z-a]`, `pattern "[z-a]": invalid character class range: "z-a" at its octet 2; the smaller character comes first`},
		{`a\`, `pattern "a\\": trailing backslash at end of expression at its octet 2; a literal backslash is \\`},
		{"ab\xff", `pattern "ab\xff": invalid UTF-8 at its octet 3`},
		{`(?P<a-b>.)`, `pattern "(?P<a-b>.)": invalid named capture: "(?P<a-b>" at its octet 1; ` +
			`a capture is (?P<name>…), its name made of letters, digits and _`},
	} {
		_, err := compilePattern(tt.source, syntax.Pos{}, 0, 0, false)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%q:\n got %v\nwant %s", tt.source, err, tt.want)
		}
	}
}

// randomPattern writes a pattern over the letters a, b, K and é.
func randomPattern(r *rand.Rand, depth int) string {
	var b strings.Builder
	if r.IntN(3) == 0 {
		b.WriteString("^")
	}
	for range 1 + r.IntN(4) {
		switch r.IntN(14) {
		case 0, 1, 2, 3:
			b.WriteString([]string{"a", "b", "K", "é", "ab", "ba", "aab"}[r.IntN(7)])
		case 4:
			b.WriteString([]string{".", "[ab]", "[^a]", "[a-c]", "[^é]", `\w`, `\W`, "[bK]"}[r.IntN(8)])
		case 5:
			b.WriteString([]string{"^", "$", `\b`, `\B`, "(?m:^)", "(?m:$)", `\A`, `\z`}[r.IntN(8)])
		case 6:
			if depth > 0 {
				b.WriteString("(?i:" + randomPattern(r, depth-1) + ")")
			}
		case 7, 8, 9, 10:
			if depth > 0 {
				b.WriteString("(?:" + randomPattern(r, depth-1) + "|" + randomPattern(r, depth-1) + ")")
				b.WriteString([]string{"", "", "?", "*", "+", "{2}", "{1,3}"}[r.IntN(7)])
			}
		default:
			b.WriteString([]string{"a", "b", "K", "[ab]", "é"}[r.IntN(5)])
			b.WriteString([]string{"?", "*", "+", "{2}", "{0,2}"}[r.IntN(5)])
		}
	}
	if r.IntN(3) == 0 {
		b.WriteString("$")
	}
	return b.String()
}

func randomName(r *rand.Rand, alphabet []string, most int) []byte {
	var b []byte
	for range r.IntN(most + 1) {
		b = append(b, alphabet[r.IntN(len(alphabet))]...)
	}
	return b
}

var nameLetters = []string{"a", "b", "k", "K", "A", "é", "É", "\xc3", "\u212a", "\n", "-", "\x00", "\x01"}

func TestMatchAgainstBruteForce(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	rounds := 1000
	if testing.Short() {
		rounds = 100
	}
	for range rounds {
		sources := make([]string, 1+r.IntN(12))
		for i := range sources {
			sources[i] = fmt.Sprintf("%d:%s", r.IntN(3), randomPattern(r, 2))
		}
		list := compileAll(t, sources...)
		p := newPatterns(list)
		for range 40 {
			checkMatch(t, p, list, randomName(r, nameLetters[:6+r.IntN(len(nameLetters)-5)], 9))
		}
		if t.Failed() {
			t.Fatal(sources)
		}
	}
}

// FuzzMatch takes patterns, one a line, and a name.
func FuzzMatch(f *testing.F) {
	f.Add("^a.*b$\n(?i)abc\n^", "aBcb")
	f.Add("^(?:gold|silver)-[0-9]{2,3}\\.bin$\nbin", "gold-12.bin")
	f.Add("^^a\n$^\n(^|x)a\n\\x00\\x01", "a\x00\x01")
	f.Fuzz(func(t *testing.T, text, name string) {
		var list []*pattern
		for i, s := range strings.Split(text, "\n") {
			if _, err := regexp.Compile(s); len(s) > 60 || i > 20 {
				return
			} else if err != nil {
				if _, err := compilePattern(s, syntax.Pos{}, 0, i, false); err == nil {
					t.Fatalf("%q compiles", s)
				}
				continue
			}
			p, err := compilePattern(s, syntax.Pos{}, i%2, i, false)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, p)
			checkMatch(t, newPatterns([]*pattern{p}), []*pattern{p}, []byte(name))
		}
		checkMatch(t, newPatterns(list), list, []byte(name))
	})
}

// libraries are formats of patterns, with a name that the 42nd matches and one that none does.
var libraries = []struct {
	name, format, known, unknown string
}{
	{"prefixes", `^isp%05d-(?P<tier>[0-9]+)\.bin$`, "isp00042-7.bin", "isp12345-12.bin"},
	{"one prefix", `^residential-(?P<mac>[0-9a-f]{12})-%05d\.bin$`, "residential-00015c123456-00042.bin", "residential-00015c123456-77777.bin"},
	{"unanchored", `node%05d`, "old-node00042", "residential-node7777.bin"},
	{"nothing apart", `^residential-(?P<mac>[0-9a-f]{12})(?:-{%d})?\.bin$`, "residential-00015c123456.bin", "residential-00015c12345g.bin"},
}

// library compiles n patterns.
func library(t testing.TB, format string, n int) []*pattern {
	t.Helper()
	sources := make([]string, n)
	for i := range sources {
		sources[i] = format
		if strings.Contains(format, "{%d}") {
			sources[i] = fmt.Sprintf(format, i%20)
		} else if strings.Contains(format, "%") {
			sources[i] = fmt.Sprintf(format, i)
		}
	}
	return compileAll(t, sources...)
}

func TestMatchDoesNotAllocate(t *testing.T) {
	// The last library has the regexps run a thousand times, and under the race detector
	// the pools that they take their memory from forget some.
	for _, l := range libraries[:3] {
		p := newPatterns(library(t, l.format, 1000))
		for _, name := range []string{l.known, l.unknown} {
			name, sr := []byte(name), new(search)
			if best, _ := p.match(name, sr); (best != nil) != (string(name) == l.known) {
				t.Errorf("%s: %s matches %q", l.name, source(best), name)
			}
			if n := testing.AllocsPerRun(100, func() { p.match(name, sr) }); n != 0 {
				t.Errorf("%s, %q: %v allocations", l.name, name, n)
			}
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, l := range libraries {
		p := newPatterns(library(b, l.format, 10000))
		for _, n := range [][2]string{{"known", l.known}, {"unknown", l.unknown}} {
			name, sr := []byte(n[1]), new(search)
			b.Run(l.name+"/"+n[0], func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					p.match(name, sr)
				}
			})
		}
	}
}

func BenchmarkNewPatterns(b *testing.B) {
	list := library(b, libraries[1].format, 10000)
	b.ReportAllocs()
	for b.Loop() {
		newPatterns(list)
	}
}

func BenchmarkCompilePattern(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := compilePattern(`^(?P<isp>[a-z]{4})ip(?P<cpe>[1-9]|1[0-6])bw(?P<tier>[0-9]+)\.bin$`, syntax.Pos{}, 0, 0, false); err != nil {
			b.Fatal(err)
		}
	}
}

// TestRivals has names of one pattern that other patterns match, too.
func TestRivals(t *testing.T) {
	of := &Template{pattern: &pattern{}}
	var rivals []*pattern
	for i := range maxRivals + 3 {
		rivals = append(rivals, &pattern{pos: syntax.Pos{File: "a.dcs", Line: i + 1, Col: 1}})
	}
	for range 2 {
		for i, r := range rivals {
			if named := strings.Contains(of.ambiguous(r).Text, " "+r.pos.String()+" "); named != (i < maxRivals) {
				t.Errorf("rival %d: %s", i, of.ambiguous(r).Text)
			}
		}
	}
	if n := testing.AllocsPerRun(10, func() {
		for _, r := range rivals {
			_ = of.ambiguous(r)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
