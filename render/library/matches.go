package library

import (
	"cmp"
	"slices"
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
		if t.pattern != nil && t.pattern.matches(name) {
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
