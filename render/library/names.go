package library

// leastNames is the number of names from which on the share of lost names is judged: in a smaller library, a single template is a
// large share.
const leastNames = 4

// Loss compares a library with an earlier one.
type Loss struct {
	Names   int    // names answered before: of templates, static files and patterns
	Gone    int    // those that now get no file, or only that of a pattern that existed before
	Example string // one of Gone; empty: none
	Empty   bool   // the library is empty
	Emptied string // a directory of the configuration that had files and has none any more; empty: none
}

// Suspicious reports whether an incomplete library is more likely than an intended change: the library or one of its directories has
// become empty, or more than half of the names are gone.
func (l *Loss) Suspicious() bool {
	return l.Names > 0 && l.Empty || l.Emptied != "" || l.Names >= leastNames && 2*l.Gone > l.Names
}

// Names records which names a library answers, and how many files its directories have, without a reference to the library.
type Names struct {
	names    []string
	patterns map[string]bool // by their text
	dirs     map[string]int
}

// Names returns the names that s answers.
func (s *Snapshot) Names() *Names {
	n := &Names{patterns: map[string]bool{}, dirs: s.dirs}
	for name := range s.literals {
		if s.claims[name] == nil {
			n.names = append(n.names, name)
		}
	}
	for name, f := range s.static.files {
		if f.fault == nil && s.literals[name] == nil && s.claims[name] == nil {
			n.names = append(n.names, name)
		}
	}
	for _, t := range s.templates {
		if t.Pattern != "" {
			n.patterns[t.Pattern] = true
		}
	}
	return n
}

// Loss compares next with n. A name is still answered if next has it as a literal name or a static file, or if a pattern that is new in
// next matches it. A pattern that existed before does not count: it is the fallback that every name would get if a directory were not
// mounted. Patterns are compared by their text.
func (n *Names) Loss(next *Snapshot) Loss {
	l := Loss{Empty: next.Empty()}
	count := func(name string, answered bool) {
		if l.Names++; answered {
			return
		}
		if l.Gone++; l.Gone == 1 || name < l.Example {
			l.Example = name
		}
	}
	for _, name := range n.names {
		count(name, next.answers(name, n.patterns))
	}
	patterns := map[string]bool{}
	for _, t := range next.templates {
		patterns[t.Pattern] = true
	}
	for p := range n.patterns {
		count("~ "+p, patterns[p])
	}
	for dir, files := range n.dirs {
		if now, still := next.dirs[dir]; files > 0 && still && now == 0 && (l.Emptied == "" || dir < l.Emptied) {
			l.Emptied = dir
		}
	}
	return l
}

// answers reports whether a name gets a file other than by one of the old patterns.
func (s *Snapshot) answers(name string, old map[string]bool) bool {
	switch {
	case s.claims[name] != nil:
		return false
	case s.literals[name] != nil:
		return true
	}
	if f := s.static.files[name]; f.File != nil {
		return f.fault == nil
	}
	best, _ := s.patterns.match([]byte(name), new(search))
	return best != nil && best.of != nil && !old[best.of.Pattern]
}
