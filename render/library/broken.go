package library

import (
	"fmt"
	"math"
	"regexp"
	"strings"

	"dcs/render/skeleton"
	"dcs/render/syntax"
)

// A name of a broken item gets an error, never the file of the next best template. So a broken item keeps its names: literal ones are
// claimed, and its pattern leads to a fault.

// claim claims the names of a broken item for a fault. It returns the item's pattern; nil: it has none.
func (s *Snapshot) claim(l *loader, it *syntax.Item, why *syntax.Error) *pattern {
	fault := &skeleton.Fault{Reason: skeleton.Broken, Pos: why.Pos, Text: why.Msg}
	if why.Pos != it.Pos {
		fault.Text += fmt.Sprintf(" (needed by the template at %v)", it.Pos)
	}
	s.broken++
	switch {
	case it.Header != "":
		return s.claimHeader(l, it, fault)
	case it.Name == "":
		s.claimNames(l.bareNames(it.Pos.File), fault)
		return nil
	case !it.Pattern:
		s.claimNames([]string{it.Name}, fault)
		return nil
	}
	p, err := s.compilePattern(it.Name, it.NamePos, it.Priority)
	if err != nil {
		return s.claimPrefixes([]string{literalPrefix(it.Name)}, it.Priority, fault)
	}
	p.fault = fault
	return p
}

// maxWords is the maximum number of words in a header that are taken as names.
const maxWords = 32

// claimHeader claims the names that an item with an error in its header may have: the file's own names, and all names that start with
// a word of the header. A pattern without a literal start may match any name.
func (s *Snapshot) claimHeader(l *loader, it *syntax.Item, fault *skeleton.Fault) *pattern {
	words := strings.FieldsFunc(it.Header, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_./", c))
	})
	s.claimNames(l.bareNames(it.Pos.File), fault)
	s.claimNames(words, fault)
	if strings.Contains(it.Header, "$") || strings.Contains(it.Header, "~") && (!strings.Contains(it.Header, "^") || alternates(it.Header)) || len(words) > maxWords {
		words = []string{""}
	}
	if len(words) == 0 {
		return nil
	}
	return s.claimPrefixes(words, math.MaxInt, fault)
}

// claimUnread claims the names that an unreadable file or directory may have: those of the file's unnamed item, and all names that only
// patterns match, as it may contain a pattern of any priority.
func (s *Snapshot) claimUnread(l *loader, why *syntax.Error) *pattern {
	fault := &skeleton.Fault{
		Reason: skeleton.Broken, Pos: why.Pos,
		Text: why.Msg + "; its templates are unknown, so no pattern answers a name until it can be read",
	}
	s.broken++
	if path := why.Pos.File; isSource(path) {
		s.claimNames(l.bareNames(path), fault)
		if syntax.DialectOf(path) == syntax.Docsis {
			return nil // it holds one Main, which is served under the file's name
		}
	}
	return s.claimPrefixes([]string{""}, math.MaxInt, fault)
}

// claimNames claims names for a fault. The first fault of a name wins.
func (s *Snapshot) claimNames(names []string, fault *skeleton.Fault) {
	for _, n := range names {
		if key := s.names.Key(n); s.claims[key] == nil {
			s.claims[key] = fault
		}
	}
}

// claimPrefixes returns a pattern that claims all names that start with one of the prefixes, in upper or lower case.
func (s *Snapshot) claimPrefixes(prefixes []string, priority int, fault *skeleton.Fault) *pattern {
	quoted := make([]string, len(prefixes))
	for i, p := range prefixes {
		quoted[i] = regexp.QuoteMeta(strings.ToValidUTF8(p, ""))
	}
	source := "^(?i:" + strings.Join(quoted, "|") + ")"
	p, err := s.compilePattern(source, fault.Pos, priority)
	if err != nil { // a prefix that is too long
		return s.claimPrefixes([]string{""}, priority, fault)
	}
	p.fault, p.guess = fault, true
	return p
}

// literalPrefix returns the literal text at the start of every name that a pattern matches, even if the pattern is invalid; "" if it has
// none.
func literalPrefix(source string) string {
	rest, anchored := strings.CutPrefix(strings.TrimPrefix(source, "(?i)"), "^")
	if !anchored || alternates(rest) {
		return ""
	}
	rest, _, _ = strings.Cut(strings.ToValidUTF8(rest, "."), "\uFFFD") // invalid UTF-8 may have been anything
	end := strings.IndexAny(rest, `\.[](){}*+?|^$`)
	if end < 0 {
		return rest
	}
	if end > 0 && strings.IndexByte("{*?", rest[end]) >= 0 {
		end-- // a name may lack the octet before it
	}
	return rest[:end]
}

// alternates reports whether there is a | outside of all parentheses.
func alternates(source string) bool {
	depth := 0
	for _, c := range source {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == '|' && depth <= 0:
			return true
		}
	}
	return false
}

// Broken returns the number of templates with errors and of files that cannot be read. Their names are answered with errors.
func (s *Snapshot) Broken() int { return s.broken }

// Empty reports whether no name gets a file.
func (s *Snapshot) Empty() bool { return len(s.templates) == 0 && len(s.static.files) == 0 }
