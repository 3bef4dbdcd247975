package library

// leastNames is how many names a library must have for its loss to be judged: one template more or less says nothing of
// a smaller one.
const leastNames = 4

// Loss is what a library has lost against the one before it.
type Loss struct {
	Names   int    // that were answered: of templates, static files, patterns
	Gone    int    // of these, that get no file any more
	Example string // one of the latter; empty: there is none
	Empty   bool   // nothing is left
}

// Suspicious tells whether half an answer is more likely than a change that was meant: the library has become empty, or
// lost more than half of its names.
func (l *Loss) Suspicious() bool {
	return l.Names > 0 && l.Empty || l.Names >= leastNames && 2*l.Gone > l.Names
}

// Loss compares next with s. A name that something else answers in next is not lost; a pattern is known by its text.
func (s *Snapshot) Loss(next *Snapshot) Loss {
	l := Loss{Empty: next.Empty()}
	count := func(name string, kept bool) {
		if l.Names++; kept {
			return
		}
		if l.Gone++; l.Gone == 1 || name < l.Example {
			l.Example = name
		}
	}
	for name := range s.literals {
		if s.claims[name] == nil {
			count(name, next.answers(name))
		}
	}
	for name, f := range s.static.files {
		if f.fault == nil && s.literals[name] == nil && s.claims[name] == nil {
			count(name, next.answers(name))
		}
	}
	patterns := map[string]bool{}
	for _, t := range next.templates {
		patterns[t.Pattern] = true
	}
	for _, t := range s.templates {
		if t.Pattern != "" {
			count("~ "+t.Pattern, patterns[t.Pattern])
		}
	}
	return l
}

// answers tells whether a name leads to a file.
func (s *Snapshot) answers(name string) bool {
	switch {
	case s.claims[name] != nil:
		return false
	case s.literals[name] != nil:
		return true
	}
	if f := s.static.files[name]; f.File != nil {
		return f.fault == nil
	}
	best, _ := s.patterns.match([]byte(name))
	return best != nil && best.of != nil
}
