package library

import (
	"fmt"
	"slices"
	"strings"

	"dcs/render/lint"
	"dcs/render/syntax"
)

// Odd returns what is odd about the templates whose files were enumerated, apart from the files: what no name can reach, and what nothing
// reads.
func (y *Survey) Odd() []lint.Finding {
	out := y.odd
	if y.all == nil {
		return out
	}
	for at, text := range y.all.Unreached() {
		out = append(out, lint.At(lint.ArmUnreachable, lint.Place{Pos: at}, text+": no name leads to this case"))
	}
	return out
}

// look finds what is odd about a template, of which all says whether all its files were enumerated.
func (y *Survey) look(t *Template, all bool) {
	if t.pattern == nil {
		return
	}
	tell := func(id, format string, args ...any) {
		y.odd = append(y.odd, lint.At(id, lint.Place{Pos: t.Item.NamePos}, fmt.Sprintf(format, args...)))
	}
	switch sets := t.pattern.contained(); {
	case slices.ContainsFunc(sets, impossible):
		tell(lint.PatternNoName, "the pattern %q matches no name", t.Pattern)
	case slices.ContainsFunc(sets, blank):
		tell(lint.PatternNoName, "the pattern %q matches only names with a blank", t.Pattern)
	}
	if !all || t.Item.Kind == syntax.Text {
		return
	}
	for i, g := range t.pattern.groups {
		if g != "" && g != "mac" && !y.all.Read[i] {
			tell(lint.CaptureUnread, "nothing reads $%s", g)
		}
	}
}

// contained returns sets of texts, one of each of which is in every name that matches, with marks for its ends.
func (p *pattern) contained() [][]string {
	tree, err := parsePattern(p.text())
	if err != nil {
		return nil
	}
	l := literalsOf(tree)
	return append([][]string{l.exact, l.head, l.tail}, l.covers...)
}

// impossible reports whether each text has something before the start of the name, or after its end.
func impossible(set []string) bool {
	return len(set) > 0 && !slices.ContainsFunc(set, func(s string) bool {
		return strings.LastIndex(s, markStart) <= 0 && (!strings.Contains(s, markEnd) || strings.Index(s, markEnd) == len(s)-1)
	})
}

// blank reports whether each text has a blank.
func blank(set []string) bool {
	return len(set) > 0 && !slices.ContainsFunc(set, func(s string) bool { return !strings.Contains(s, " ") })
}
