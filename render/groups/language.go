package groups

import (
	"math"
	"regexp/syntax"
	"unicode"
	"unicode/utf8"
)

// lang is what is known of the texts of an expression.
type lang struct {
	list           []string // all of them; nil: too many
	digits         bool     // they consist of decimal digits
	min, max       int64    // as numbers, if digits; the empty text is 0
	minLen, maxLen int
	example        string // a short one
}

const maxList = 64

// exactly is the language of one text.
func exactly(text string) lang {
	l := lang{list: []string{text}, digits: true, minLen: len(text), maxLen: len(text), example: text}
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			l.digits = false
			break
		}
		l.min = scale(l.min, 1, int64(c-'0'))
	}
	l.max = l.min
	return l
}

// language analyses an expression as it was parsed; fold means that no text has a letter A to Z.
func language(re *syntax.Regexp, fold bool) lang {
	switch re.Op {
	case syntax.OpLiteral:
		l := exactly("")
		for _, r := range re.Rune {
			l = l.then(runeLanguage(r, re.Flags&syntax.FoldCase != 0, fold))
		}
		return l
	case syntax.OpCharClass:
		return class(re.Rune, fold)
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return lang{minLen: 1, maxLen: utf8.UTFMax, example: "a"}
	case syntax.OpCapture:
		return language(re.Sub[0], fold)
	case syntax.OpConcat:
		l := exactly("")
		for _, sub := range re.Sub {
			l = l.then(language(sub, fold))
		}
		return l
	case syntax.OpAlternate:
		l := language(re.Sub[0], fold)
		for _, sub := range re.Sub[1:] {
			l = l.or(language(sub, fold))
		}
		return l
	case syntax.OpStar:
		return language(re.Sub[0], fold).repeat(0, -1)
	case syntax.OpPlus:
		return language(re.Sub[0], fold).repeat(1, -1)
	case syntax.OpQuest:
		return language(re.Sub[0], fold).repeat(0, 1)
	case syntax.OpRepeat:
		return language(re.Sub[0], fold).repeat(re.Min, re.Max)
	}
	return exactly("") // of no width
}

// runeLanguage is the language of one character, in either case if folds.
func runeLanguage(r rune, folds, lower bool) lang {
	if !folds || unicode.SimpleFold(r) == r || lower && r < utf8.RuneSelf {
		if lower && 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return exactly(string(r))
	}
	l := exactly(string(r))
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		l = l.or(exactly(string(f)))
	}
	return l
}

// class is the language of one character of a class. lower means that no text has a letter A to Z.
func class(ranges []rune, lower bool) lang {
	l := lang{minLen: utf8.UTFMax, digits: len(ranges) > 0}
	n, example := 0, rune(-1)
	for i := 0; i+1 < len(ranges); i += 2 {
		lo, hi := ranges[i], ranges[i+1]
		if lower && 'A' <= lo && hi <= 'Z' {
			continue // their lower case is in the class, too
		}
		l.minLen, l.maxLen = min(l.minLen, width(lo)), max(l.maxLen, width(hi))
		if lo <= utf8.RuneError && utf8.RuneError <= hi {
			l.minLen = 1 // an octet that is not valid UTF-8 is read as U+FFFD
		}
		l.digits = l.digits && lo >= '0' && hi <= '9'
		n += int(hi-lo) + 1
		for _, r := range []rune{lo, '0', '1', 'a'} { // the last that is in the class
			if r == lo && example >= 0 {
				continue
			}
			if lo <= r && r <= hi {
				example = r
			}
		}
	}
	if n == 0 {
		return lang{} // it matches nothing
	}
	l.example = string(example)
	if l.digits {
		l.min, l.max = int64(ranges[0]-'0'), int64(ranges[len(ranges)-1]-'0')
	}
	if n > 2*maxList {
		return l
	}
	for i := 0; i+1 < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1] && len(l.list) <= maxList; r++ {
			if !lower || r < 'A' || r > 'Z' {
				l.list = append(l.list, string(r))
			}
		}
	}
	if len(l.list) > maxList {
		l.list = nil
	}
	return l
}

// width returns the number of octets of a character.
func width(r rune) int {
	if n := utf8.RuneLen(r); n > 0 {
		return n
	}
	return utf8.UTFMax
}

// then is the language of l's texts followed by m's.
func (l lang) then(m lang) lang {
	out := lang{
		digits: l.digits && m.digits, minLen: l.minLen + m.minLen, maxLen: min(Unbounded, l.maxLen+m.maxLen), example: l.example + m.example,
		min: scale(l.min, m.minLen, m.min), max: scale(l.max, m.maxLen, m.max),
	}
	if l.list != nil && m.list != nil && len(l.list)*len(m.list) <= maxList {
		for _, s := range l.list {
			for _, t := range m.list {
				out.list = append(out.list, s+t)
			}
		}
	}
	return out
}

// or is the language of the texts of both.
func (l lang) or(m lang) lang {
	out := lang{
		digits: l.digits && m.digits, minLen: min(l.minLen, m.minLen), maxLen: max(l.maxLen, m.maxLen), example: l.example,
		min: min(l.min, m.min), max: max(l.max, m.max),
	}
	if l.list != nil && m.list != nil && len(l.list)+len(m.list) <= maxList {
		out.list = append(append(out.list, l.list...), m.list...)
	}
	if out.example == "" {
		out.example = m.example
	}
	return out
}

// repeat is the language of lo to hi texts of l in a row; hi is -1 for any number.
func (l lang) repeat(lo, hi int) lang {
	out := exactly("")
	for range lo {
		out = out.then(l)
	}
	if hi < 0 {
		most := int64(math.MaxInt64)
		if l.max == 0 {
			most = 0
		}
		return lang{digits: out.digits && l.digits, min: out.min, max: most, minLen: out.minLen, maxLen: Unbounded, example: out.example + l.example}
	}
	for more := out; lo < hi; lo++ {
		more = more.then(l)
		out = out.or(more)
	}
	return out
}

// scale returns a followed by b, a number of so many digits, as one number; [math.MaxInt64] if it does not fit.
func scale(a int64, digits int, b int64) int64 {
	for ; digits > 0 && a > 0; digits-- {
		if a > math.MaxInt64/10 {
			return math.MaxInt64
		}
		a *= 10
	}
	if b > math.MaxInt64-a {
		return math.MaxInt64
	}
	return a + b
}
