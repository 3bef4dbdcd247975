// Package groups says which texts the groups of a pattern can capture.
package groups

import (
	"math"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
)

// Texts is what a group can capture: at most this, for what stands around the group may exclude more. It is for one goroutine.
type Texts struct {
	Optional bool     // a name may match without the group
	List     []string // all texts, sorted; nil: more than 64, or unknown
	Digits   bool     // only decimal digits, at least one
	Min, Max int64    // of the numbers that Digits make; Max may be [math.MaxInt64]
	MinLen   int      // octets
	MaxLen   int      // octets; [Unbounded]: no limit
	Example  string   // one of the texts; empty if there is only the empty one, or if it is unknown

	expr        string         // matches the texts; empty: that depends on what stands around the group
	all, folded *regexp.Regexp // expr; and in either case. Nil until it is needed
}

// Unbounded is the MaxLen of texts of any length.
const Unbounded = math.MaxInt32

// Of returns the texts of each group of a pattern, by number; that of group 0 is what the whole pattern matches. fold is set if letter
// case is ignored; the texts are then in lower case. The pattern is in Go's syntax, and valid.
func Of(pattern string, fold bool) []*Texts {
	if fold {
		pattern = "(?i)" + pattern
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil
	}
	out := make([]*Texts, tree.MaxCap()+1)
	out[0] = textsOf(tree, fold)
	out[0].MaxLen, out[0].Digits, out[0].List, out[0].expr = Unbounded, false, nil, "" // it matches anywhere in a name
	collect(out, tree, false, fold)
	return out
}

// collect sets the texts of all groups within re. optional is set if a match may be without re.
func collect(out []*Texts, re *syntax.Regexp, optional, fold bool) {
	switch re.Op {
	case syntax.OpCapture:
		out[re.Cap] = textsOf(re.Sub[0], fold)
		out[re.Cap].Optional = optional
	case syntax.OpAlternate, syntax.OpQuest, syntax.OpStar:
		optional = true
	case syntax.OpRepeat:
		optional = optional || re.Min == 0
	}
	for _, sub := range re.Sub {
		collect(out, sub, optional, fold)
	}
}

// textsOf returns the texts that an expression matches.
func textsOf(re *syntax.Regexp, fold bool) *Texts {
	lang := language(re, fold)
	t := &Texts{MinLen: lang.minLen, MaxLen: lang.maxLen, List: lang.list, Example: lang.example}
	if lang.digits && lang.minLen > 0 {
		t.Digits, t.Min, t.Max = true, lang.min, lang.max
	}
	slices.Sort(t.List)
	if t.List = slices.Compact(t.List); len(t.List) > 0 && !slices.Contains(t.List, t.Example) {
		t.Example = t.List[0]
	}
	if !contextual(re) {
		t.expr = `\A(?:` + re.String() + `)\z`
	}
	return t
}

// contextual reports whether what stands around a text decides whether re matches it.
func contextual(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return true
	}
	return slices.ContainsFunc(re.Sub, contextual)
}

// Has reports whether a text may be captured; false is certain.
func (t *Texts) Has(text string) bool {
	switch {
	case t.List != nil:
		return slices.Contains(t.List, text)
	case len(text) < t.MinLen || len(text) > t.MaxLen:
		return false
	}
	return t.expr == "" || matches(&t.all, t.expr, text)
}

// matches reports whether an expression, compiled once, matches text.
func matches(re **regexp.Regexp, expr, text string) bool {
	if *re == nil {
		var err error
		if *re, err = regexp.Compile(expr); err != nil {
			return true // repetitions within the group are too many for it alone
		}
	}
	return (*re).MatchString(text)
}

// maxZeros is the number of leading zeros up to which HasNumber looks.
const maxZeros = 32

// HasNumber reports whether a text that is read as this number, decimal or 0x and hexadecimal digits, may be captured; false is certain.
func (t *Texts) HasNumber(n int64) bool {
	if t.MinLen > maxZeros || t.List == nil && t.expr == "" {
		return true
	}
	sign, digits, hex := "", strconv.FormatInt(n, 10), ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	} else {
		hex = strconv.FormatInt(n, 16)
	}
	for zeros := range maxZeros {
		pad := strings.Repeat("0", zeros)
		if t.has(sign+pad+digits) || hex != "" && t.has("0x"+pad+hex) || n == 0 && t.has("-"+pad+"0") {
			return true
		}
	}
	return false
}

// has is Has without regard to letter case.
func (t *Texts) has(text string) bool {
	if t.List != nil {
		return slices.ContainsFunc(t.List, func(s string) bool { return strings.EqualFold(s, text) })
	}
	return matches(&t.folded, "(?i)"+t.expr, text)
}
