package naming

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
)

// endless returns an error if repeating a replacement provably never ends, whatever the name. Rules that never end for some names
// only are found when such a name is requested.
func endless(re *regexp.Regexp, to []piece) error {
	if re.MatchString("") {
		return errors.New("repeat never ends: match matches every name")
	}
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return err // unreachable: it has been compiled
	}
	core, atStart, atEnd := trimAnchors(tree)
	if slices.ContainsFunc(core, asserts) {
		return nil // whether it matches depends on the surrounding text
	}
	for i, p := range to {
		// re matches such a text anywhere in a name, unless an anchor ties the match to one end of the name.
		if atStart && i > 0 || atEnd && i < len(to)-1 {
			continue
		}
		if text := p.to.append(nil, []byte(p.text)); p.group < 0 && re.Match(text) {
			return fmt.Errorf("repeat never ends: match matches %q, which to inserts", text)
		}
		if p.group >= 0 && p.to == asIs && spans(core, p.group) {
			return errors.New("repeat never ends: to inserts all that match matches")
		}
	}
	return nil
}

// trimAnchors returns the parts of an expression without a leading ^ and a trailing $, and whether those were there.
func trimAnchors(tree *syntax.Regexp) (core []*syntax.Regexp, atStart, atEnd bool) {
	core = []*syntax.Regexp{tree}
	if tree.Op == syntax.OpConcat {
		core = tree.Sub
	}
	if len(core) > 0 && core[0].Op == syntax.OpBeginText {
		atStart, core = true, core[1:]
	}
	if n := len(core) - 1; n >= 0 && core[n].Op == syntax.OpEndText {
		atEnd, core = true, core[:n]
	}
	return core, atStart, atEnd
}

// asserts reports whether an expression contains an assertion, such as ^ or \b.
func asserts(tree *syntax.Regexp) bool {
	switch tree.Op {
	case syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return true
	}
	return slices.ContainsFunc(tree.Sub, asserts)
}

// spans reports whether a group is the whole match.
func spans(core []*syntax.Regexp, group int) bool {
	for group != 0 && len(core) == 1 && core[0].Op == syntax.OpCapture {
		if core[0].Cap == group {
			return true
		}
		core = core[0].Sub
	}
	return group == 0
}
