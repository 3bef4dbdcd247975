package library

import (
	"cmp"
	"slices"

	"dcs/render/attr"
	"dcs/render/skeleton"
)

// Match is a template that matches a name.
type Match struct {
	Template *Template
	Literal  bool // the name is one of the template's own; else its pattern matches
}

// Matches lists all templates that match a name, first the one that renders the file: literal names before patterns, patterns by
// priority.
func (s *Snapshot) Matches(name string) []Match {
	var out []Match
	if t := s.literals[name]; t != nil {
		out = append(out, Match{Template: t, Literal: true})
	}
	first := len(out)
	for _, t := range s.templates {
		if t.pattern != nil && t.pattern.re.MatchString(name) {
			out = append(out, Match{Template: t})
		}
	}
	slices.SortStableFunc(out[first:], func(a, b Match) int { return cmp.Compare(b.Template.Priority, a.Template.Priority) })
	return out
}

// StaticFile returns the path of the static file of that name; "" if there is none.
func (s *Snapshot) StaticFile(name string) string {
	if f := s.static.files[name]; f.File != nil {
		return f.path
	}
	return ""
}

// Captures returns the names of the groups of the template's pattern and what they matched, by number; both are nil for a literal name.
func (l *Learned) Captures() (names, values []string) {
	if l.Template == nil || l.Template.pattern == nil {
		return nil, nil
	}
	return l.Template.pattern.re.SubexpNames(), l.name.Captures
}

// Trace makes the skeleton of a learned name for a device again, and returns the variables that were read for it.
func (l *Learned) Trace(rec attr.Record, ipv6 bool) (*skeleton.Skeleton, []skeleton.Use, *skeleton.Fault) {
	if l.unusable {
		return nil, nil, l.fault
	}
	n := l.name
	n.IPv6 = ipv6 && l.Template.Families()
	n.Keys = nil
	for _, i := range l.Template.Structural() {
		v, _ := rec.Get(i)
		n.Keys = append(n.Keys, v)
	}
	return l.Template.Trace(n)
}
