package library

import (
	"regexp"
	resyntax "regexp/syntax"

	"dcs/render/skeleton"
	"dcs/render/syntax"
)

// pattern is the regular expression of a template (Go's syntax, RE2), looked for anywhere
// in a name unless it says ^ or $.
type pattern struct {
	re       *regexp.Regexp
	source   string
	fold     bool // letter case is ignored
	pos      syntax.Pos
	priority int
	index    int // the caller's number for it, none twice in one library

	of    *Template       // what makes the files of its names; nil: fault tells why there are none
	fault *skeleton.Fault // of a broken template
	guess bool            // what the broken template's own pattern is could not be read: this one matches at least as much

	// What holds for every name that matches; letters A to Z in lower case.
	prefix, suffix string
	atStart        bool // every match begins where the name does
	minLen, maxLen int  // in octets; maxLen may be unbounded
	covers         [][]string
}

// compilePattern reads a pattern, which ignores letter case where names do.
func (s *Snapshot) compilePattern(source string, pos syntax.Pos, priority int) (*pattern, error) {
	return compilePattern(source, pos, priority, s.nextIndex(), s.names.Folds())
}

// compilePattern reads a pattern. Its error says what is wrong and where in the pattern;
// pos is only kept for other errors.
func compilePattern(source string, pos syntax.Pos, priority, index int, fold bool) (*pattern, error) {
	p := &pattern{source: source, fold: fold, pos: pos, priority: priority, index: index, maxLen: unbounded}
	var err error
	if p.re, err = regexp.Compile(source); err == nil && fold {
		p.re, err = regexp.Compile(p.text())
	}
	if err != nil {
		return nil, patternError(source, err)
	}
	tree, err := parsePattern(p.text())
	if err != nil {
		return nil, patternError(source, err)
	}
	known := literalsOf(tree)
	var atEnd bool
	p.prefix, p.suffix, p.atStart, atEnd = known.ends()
	lo, hi := widths(tree)
	p.minLen = lo
	if p.atStart && atEnd {
		p.maxLen = hi
	}
	p.covers = addCovers(addCovers(nil, known.head, known.tail), known.covers...)
	return p, nil
}

// text returns the expression that names are matched with.
func (p *pattern) text() string {
	if p.fold {
		return "(?i)" + p.source
	}
	return p.source
}

// parsePattern returns the tree that regexp.Compile makes its program of.
func parsePattern(source string) (*resyntax.Regexp, error) {
	tree, err := resyntax.Parse(source, resyntax.Perl)
	if err != nil {
		return nil, err
	}
	return tree.Simplify(), nil
}

// matches tells if name matches.
func (p *pattern) matches(name []byte) bool {
	n := len(name)
	return n >= p.minLen && (p.maxLen == unbounded || n <= p.maxLen) &&
		n >= len(p.prefix) && equalLower(name[:len(p.prefix)], p.prefix) &&
		n >= len(p.suffix) && equalLower(name[n-len(p.suffix):], p.suffix) &&
		p.re.Match(name)
}

// equalLower tells if b is s but for the case of A to Z. s has none of these; they are of one length.
func equalLower(b []byte, s string) bool {
	for i, c := range b {
		if lower(c) != s[i] {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c-'A' < 26 {
		c += 'a' - 'A'
	}
	return c
}
