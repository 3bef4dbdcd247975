package library

import (
	resyntax "regexp/syntax"

	"dcs/render/match"
	"dcs/render/skeleton"
	"dcs/render/syntax"
)

// pattern is the regular expression of a template (Go's syntax, RE2). It matches anywhere in a name unless it contains
// ^ or $.
type pattern struct {
	matcher  *match.Pattern
	groups   []string // names by number; "" for group 0 and nameless ones
	source   string
	fold     bool // letter case is ignored
	pos      syntax.Pos
	priority int
	index    int // the caller's number for it, unique in a library

	of    *Template       // the template for its names; nil: fault says why there is none
	fault *skeleton.Fault // of a broken template
	guess bool            // the pattern of the broken template could not be read: this one matches at least as much

	// Properties of every name that matches; letters A to Z are in lower case.
	prefix, suffix string
	atStart        bool // every match begins at the start of the name
	minLen, maxLen int  // in octets; maxLen may be unbounded
	covers         [][]string
}

// compilePattern compiles a pattern, which ignores letter case if names do.
func (s *Snapshot) compilePattern(source string, pos syntax.Pos, priority int) (*pattern, error) {
	p, err := compilePattern(source, pos, priority, s.nextIndex(), s.names.Folds())
	if err == nil {
		p.matcher.Share(s.matching)
	}
	return p, err
}

// compilePattern compiles a pattern. Its error says what is wrong and where in the pattern; pos is only recorded for
// other errors.
func compilePattern(source string, pos syntax.Pos, priority, index int, fold bool) (*pattern, error) {
	p := &pattern{source: source, fold: fold, pos: pos, priority: priority, index: index, maxLen: unbounded}
	tree, err := resyntax.Parse(p.text(), resyntax.Perl)
	if err != nil && fold {
		if _, own := resyntax.Parse(source, resyntax.Perl); own != nil { // in the words of the source
			err = own
		}
	}
	if err != nil {
		return nil, patternError(source, err)
	}
	p.groups = tree.CapNames()
	p.matcher = match.New(p.text(), len(p.groups)-1)
	tree = tree.Simplify()
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

// text returns the expression that matches names.
func (p *pattern) text() string {
	if p.fold {
		return "(?i)" + p.source
	}
	return p.source
}

// parsePattern returns the syntax tree that regexp.Compile compiles.
func parsePattern(source string) (*resyntax.Regexp, error) {
	tree, err := resyntax.Parse(source, resyntax.Perl)
	if err != nil {
		return nil, err
	}
	return tree.Simplify(), nil
}

// MatchOctets is the maximum memory of the automata that match names, of all patterns of one load together. They are built as names need them.
const MatchOctets = 8 << 20

// find returns where name and its groups match, as by regexp.FindSubmatchIndex, in the memory of at; nil: it does not match.
func (p *pattern) find(at []int, name []byte, s *match.Scratch) []int {
	if !p.mayMatch(name) {
		return nil
	}
	return p.matcher.Find(at, name, s)
}

// matches reports whether name matches. It allocates.
func (p *pattern) matches(name string) bool {
	return p.find(nil, []byte(name), new(match.Scratch)) != nil
}

// mayMatch reports whether name has what all names have that match.
func (p *pattern) mayMatch(name []byte) bool {
	n := len(name)
	return n >= p.minLen && (p.maxLen == unbounded || n <= p.maxLen) &&
		n >= len(p.prefix) && equalLower(name[:len(p.prefix)], p.prefix) &&
		n >= len(p.suffix) && equalLower(name[n-len(p.suffix):], p.suffix)
}

// equalLower reports whether b equals s when A to Z in b are read as a to z. s has no A to Z; both have the same
// length.
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
