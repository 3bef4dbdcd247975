package groups

import (
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

func TestOf(t *testing.T) {
	for _, tt := range []struct {
		pattern  string
		fold     bool
		want     Texts
		list     []string
		has, not []string
	}{
		{pattern: `^cm-(\d{1,3})\.bin$`, want: Texts{Digits: true, Min: 0, Max: 999, MinLen: 1, MaxLen: 3}, has: []string{"7", "007"}, not: []string{"", "1000", "x"}},
		{pattern: `^(gold|silver)-`, want: Texts{MinLen: 4, MaxLen: 6}, list: []string{"gold", "silver"}, has: []string{"gold"}, not: []string{"Gold", "bronze"}},
		{pattern: `^(Gold|silver)-`, fold: true, want: Texts{MinLen: 4, MaxLen: 6}, list: []string{"gold", "silver"}, not: []string{"Gold"}},
		{pattern: `^(8|16|32)$`, want: Texts{Digits: true, Min: 8, Max: 32, MinLen: 1, MaxLen: 2}, list: []string{"16", "32", "8"}},
		{pattern: `^([1-9]\d*)$`, want: Texts{Digits: true, Min: 1, Max: math.MaxInt64, MinLen: 1, MaxLen: Unbounded}, not: []string{"0", "01"}},
		{pattern: `^a(-x)?$`, want: Texts{Optional: true, MinLen: 2, MaxLen: 2}, list: []string{"-x"}},
		{pattern: `^(?:a|b(\d))$`, want: Texts{Optional: true, Digits: true, Max: 9, MinLen: 1, MaxLen: 1}, list: []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}},
		{pattern: `^(\w+)$`, want: Texts{MinLen: 1, MaxLen: Unbounded}, has: []string{"a_1"}, not: []string{"a-1", ""}},
		{pattern: `^(\d*)$`, want: Texts{MaxLen: Unbounded}, has: []string{"", "5"}},
		{pattern: `^(x\b.)$`, want: Texts{MinLen: 2, MaxLen: 5}, has: []string{"xy"}, not: []string{"x"}}, // what \b does depends on the surroundings
	} {
		all := Of(tt.pattern, tt.fold)
		if len(all) != 2 {
			t.Fatalf("%s: %d groups", tt.pattern, len(all))
		}
		got := all[1]
		if got.Optional != tt.want.Optional || got.Digits != tt.want.Digits || got.Min != tt.want.Min || got.Max != tt.want.Max ||
			got.MinLen != tt.want.MinLen || got.MaxLen != tt.want.MaxLen || !slices.Equal(got.List, tt.list) {
			t.Errorf("%s: %+v", tt.pattern, got)
		}
		for _, s := range tt.has {
			if !got.Has(s) {
				t.Errorf("%s: no %q", tt.pattern, s)
			}
		}
		for _, s := range tt.not {
			if got.Has(s) {
				t.Errorf("%s: %q", tt.pattern, s)
			}
		}
	}
}

func TestHasNumber(t *testing.T) {
	for _, tt := range []struct {
		pattern string
		n       int64
		want    bool
	}{
		{`^(\d{3})$`, 7, true},
		{`^(\d{3})$`, 1000, false},
		{`^(\d)$`, 10, false},
		{`^(-\d)$`, -3, true},
		{`^(\d+)$`, -3, false},
		{`^(0x[0-9A-F]+)$`, 255, true},
		{`^(8|16)$`, 32, false},
		{`^(08|16)$`, 8, true},
		{`^(-0)$`, 0, true},
	} {
		if got := Of(tt.pattern, false)[1].HasNumber(tt.n); got != tt.want {
			t.Errorf("%s has %d: %v", tt.pattern, tt.n, got)
		}
	}
}

// What a group captures in names that match is always among its texts, as package regexp tells.
func TestCaptured(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	atoms := []string{`a`, `[0-9]`, `\d`, `b?`, `(?:12|3)`, `[a-c1]`, `x*`, `[1-3]+`, `\d{1,3}`, `.`, `(?i:q)`, `7|8`}
	for range 3000 {
		inner := ""
		for range 1 + r.IntN(4) {
			inner += atoms[r.IntN(len(atoms))]
		}
		pattern := "^" + atoms[r.IntN(len(atoms))] + "(" + inner + ")" + []string{"", "$", "-", "?"}[r.IntN(4)]
		re, err := regexp.Compile(pattern)
		if err != nil {
			t.Fatal(err)
		}
		texts := Of(pattern, false)[1]
		for range 40 {
			name := make([]byte, r.IntN(8))
			for i := range name {
				name[i] = "abcx0123789-qQ"[r.IntN(14)]
			}
			at := re.FindSubmatchIndex(name)
			if at == nil {
				continue
			}
			if at[2] < 0 {
				if !texts.Optional {
					t.Errorf("%s matches %q without the group", pattern, name)
				}
				continue
			}
			text := string(name[at[2]:at[3]])
			if !texts.Has(text) || len(text) < texts.MinLen || len(text) > texts.MaxLen || texts.List != nil && !slices.Contains(texts.List, text) {
				t.Errorf("%s captures %q: %+v", pattern, text, texts)
			}
			n, err := strconv.ParseInt(text, 10, 64)
			if texts.Digits && (err != nil || n < texts.Min || n > texts.Max) {
				t.Errorf("%s captures %q: %+v", pattern, text, texts)
			}
			if err == nil && !texts.HasNumber(n) {
				t.Errorf("%s captures %q, but not %d", pattern, text, n)
			}
		}
		if texts.expr != "" && !matches(&texts.all, texts.expr, texts.Example) {
			t.Errorf("%s does not capture %q", pattern, texts.Example)
		}
	}
}
