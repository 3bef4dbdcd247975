package library

import (
	resyntax "regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What the literals of a pattern imply for every name that it matches. Letters A to Z are in lower case throughout, so
// that patterns with (?i) need no special treatment.

// Marks stand for the start and the end of a name, so that an anchor is a literal like any other. A pattern that
// contains these characters itself only loses them as literals.
const (
	markStart = "\x00"
	markEnd   = "\x01"
)

const (
	maxSet    = 16 // strings in a set of alternatives
	maxClass  = 4  // characters of a class that are listed
	maxCovers = 32 // sets per pattern
)

// literals is what is known about the text that an expression matches.
type literals struct {
	// exact is the list of all possible texts; nil if there are too many. Then the text begins with one of head, ends
	// with one of tail, and contains one of each of covers; head and tail are never empty.
	exact, head, tail []string
	covers            [][]string
}

func anything() literals { return literals{head: []string{""}, tail: []string{""}} }

func exactly(set ...string) literals {
	slices.Sort(set)
	set = slices.Compact(set)
	return literals{exact: set, head: set, tail: set}
}

// literalsOf analyses a simplified expression (Regexp.Simplify).
func literalsOf(re *resyntax.Regexp) literals {
	switch re.Op {
	case resyntax.OpBeginText:
		return exactly(markStart)
	case resyntax.OpEndText:
		return exactly(markEnd)
	case resyntax.OpEmptyMatch, resyntax.OpBeginLine, resyntax.OpEndLine, resyntax.OpWordBoundary, resyntax.OpNoWordBoundary:
		return exactly("") // no width; its condition is left to the regexp
	case resyntax.OpLiteral:
		l := exactly("")
		for _, r := range re.Rune {
			l = l.then(runeLiterals(r, re.Flags&resyntax.FoldCase != 0))
		}
		return l
	case resyntax.OpCharClass:
		return classLiterals(re.Rune)
	case resyntax.OpCapture:
		return literalsOf(re.Sub[0])
	case resyntax.OpConcat:
		l := exactly("")
		for _, sub := range re.Sub {
			l = l.then(literalsOf(sub))
		}
		return l
	case resyntax.OpAlternate:
		return alternate(re.Sub)
	case resyntax.OpPlus:
		l := literalsOf(re.Sub[0])
		l.exact = nil
		return l
	case resyntax.OpQuest:
		if l := literalsOf(re.Sub[0]); l.exact != nil && len(l.exact) < maxSet {
			return exactly(append([]string{""}, l.exact...)...)
		}
	}
	return anything()
}

// runeLiterals returns the spellings of r. Octets that are not valid UTF-8 are read as U+FFFD, so that U+FFFD has no
// spelling to search for.
func runeLiterals(r rune, fold bool) literals {
	set := make([]string, 0, 4)
	for f := r; ; {
		if f == utf8.RuneError || !utf8.ValidRune(f) || f < 2 {
			return anything()
		}
		if 'A' <= f && f <= 'Z' {
			set = append(set, string(f+'a'-'A'))
		} else {
			set = append(set, string(f))
		}
		if !fold {
			break
		}
		if f = unicode.SimpleFold(f); f == r {
			break
		}
	}
	return exactly(set...)
}

func classLiterals(ranges []rune) literals {
	var set []string
	n := 0
	for i := 0; i+1 < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			l := runeLiterals(r, false)
			if n++; n > 2*maxClass || l.exact == nil {
				return anything()
			}
			set = append(set, l.exact...)
		}
	}
	if l := exactly(set...); len(l.exact) > 0 && len(l.exact) <= maxClass {
		return l
	}
	return anything()
}

// then returns what is known about l's text followed by m's.
func (l literals) then(m literals) literals {
	out := literals{head: l.head, tail: m.tail, covers: addCovers(l.covers, m.covers...)}
	joined, ok := cross(l.tail, m.head)
	switch {
	case ok && l.exact != nil && m.exact != nil:
		return exactly(joined...)
	case ok && l.exact != nil:
		out.head = joined
	case ok && m.exact != nil:
		out.tail = joined
	case ok:
		out.covers = addCovers(out.covers, joined)
	default:
		out.covers = addCovers(out.covers, l.tail, m.head)
	}
	return out
}

// alternate returns what is known about a text that one of subs matches.
func alternate(subs []*resyntax.Regexp) literals {
	out := literals{}
	var cover []string
	exact, covered := true, true
	for _, sub := range subs {
		l := literalsOf(sub)
		exact = exact && l.exact != nil
		out.head = append(out.head, l.head...)
		out.tail = append(out.tail, l.tail...)
		best := slices.MaxFunc(append([][]string{l.head, l.tail}, l.covers...), func(a, b []string) int {
			return shortest(a) - shortest(b)
		})
		covered = covered && shortest(best) > 0
		cover = append(cover, best...)
	}
	limit := func(set []string) []string {
		slices.Sort(set)
		if set = slices.Compact(set); len(set) > maxSet {
			return []string{""}
		}
		return set
	}
	out.head, out.tail = limit(out.head), limit(out.tail)
	if exact && !slices.Equal(out.head, []string{""}) {
		return exactly(out.head...)
	}
	if covered {
		out.covers = addCovers(nil, limit(cover))
	}
	return out
}

// cross returns every s of a followed by every t of b, unless there are too many. Anchors have no width: two at the
// same position are one.
func cross(a, b []string) ([]string, bool) {
	if len(a)*len(b) > maxSet {
		return nil, false
	}
	out := make([]string, 0, len(a)*len(b))
	for _, s := range a {
		for _, t := range b {
			switch {
			case strings.HasSuffix(s, markStart) && strings.HasPrefix(t, markStart),
				strings.HasSuffix(s, markEnd) && strings.HasPrefix(t, markEnd):
				t = t[1:]
			case strings.HasSuffix(s, markEnd) && strings.HasPrefix(t, markStart):
				s, t = s[:len(s)-1], t[1:] // an empty name: the marks are in reverse order
			}
			out = append(out, s+t)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), true
}

func addCovers(covers [][]string, more ...[]string) [][]string {
	covers = slices.Clip(covers)
	for _, set := range more {
		if len(covers) < maxCovers && shortest(set) > 0 {
			covers = append(covers, set)
		}
	}
	return covers
}

// shortest returns the length of the shortest string of set, without marks.
func shortest(set []string) int {
	n := -1
	for _, s := range set {
		if k := len(strings.Trim(s, markStart+markEnd)); n < 0 || k < n {
			n = k
		}
	}
	return n
}

// ends returns the common prefix and suffix of all matches, and whether they are at the start and at the end of the
// name.
func (l literals) ends() (prefix, suffix string, atStart, atEnd bool) {
	atStart, atEnd = true, true
	for i, s := range l.head {
		atStart = atStart && strings.HasPrefix(s, markStart)
		if i == 0 {
			prefix = s
		}
		n := 0
		for n < len(prefix) && n < len(s) && prefix[n] == s[n] {
			n++
		}
		prefix = prefix[:n]
	}
	for i, s := range l.tail {
		atEnd = atEnd && strings.HasSuffix(s, markEnd)
		if i == 0 {
			suffix = s
		}
		n := 0
		for n < len(suffix) && n < len(s) && suffix[len(suffix)-1-n] == s[len(s)-1-n] {
			n++
		}
		suffix = suffix[len(suffix)-n:]
	}
	if !atStart {
		prefix = ""
	}
	if !atEnd {
		suffix = ""
	}
	return strings.Trim(prefix, markStart+markEnd), strings.Trim(suffix, markStart+markEnd), atStart, atEnd
}

// unbounded is the maximum width of an expression without a longest match.
const unbounded = -1

// widths returns the minimum and maximum number of octets of the texts that re may match.
func widths(re *resyntax.Regexp) (lo, hi int) {
	switch re.Op {
	case resyntax.OpLiteral:
		for _, r := range re.Rune {
			a, b := runeWidths(r, r)
			if re.Flags&resyntax.FoldCase != 0 {
				for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
					n, _ := runeWidths(f, f)
					a, b = min(a, n), max(b, n)
				}
			}
			lo, hi = lo+a, hi+b
		}
	case resyntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			a, b := runeWidths(re.Rune[i], re.Rune[i+1])
			if i == 0 {
				lo = a
			}
			lo, hi = min(lo, a), max(hi, b)
		}
	case resyntax.OpAnyChar, resyntax.OpAnyCharNotNL:
		return 1, utf8.UTFMax
	case resyntax.OpCapture:
		return widths(re.Sub[0])
	case resyntax.OpConcat:
		for _, sub := range re.Sub {
			a, b := widths(sub)
			if lo += a; b == unbounded || hi == unbounded {
				hi = unbounded
			} else {
				hi += b
			}
		}
	case resyntax.OpAlternate:
		for i, sub := range re.Sub {
			a, b := widths(sub)
			if i == 0 {
				lo = a
			}
			if lo = min(lo, a); b == unbounded || hi == unbounded {
				hi = unbounded
			} else {
				hi = max(hi, b)
			}
		}
	case resyntax.OpStar:
		return 0, unbounded
	case resyntax.OpPlus:
		lo, _ = widths(re.Sub[0])
		return lo, unbounded
	case resyntax.OpQuest:
		_, hi = widths(re.Sub[0])
	}
	return lo, hi
}

// runeWidths returns the minimum and maximum number of octets of the runes from lo to hi. An invalid octet counts as
// U+FFFD.
func runeWidths(lo, hi rune) (int, int) {
	a, b := utf8.RuneLen(lo), utf8.RuneLen(hi)
	if lo <= utf8.RuneError && utf8.RuneError <= hi || a < 0 {
		a = 1
	}
	if b < 0 {
		b = utf8.UTFMax
	}
	return a, b
}
