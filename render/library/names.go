package library

// leastNames is how many names a library must have for its loss to be judged: one template more or less says nothing of
// a smaller one.
const leastNames = 4

// Loss is what a library has lost against an earlier one.
type Loss struct {
	Names   int    // that were answered: of templates, static files, patterns
	Gone    int    // of these, that get no file any more, or the file of a pattern that stood below them before
	Example string // one of the latter; empty: there is none
	Empty   bool   // nothing is left
	Emptied string // a directory of the configuration that had files and has none; empty: there is none
}

// Suspicious tells whether half an answer is more likely than a change that was meant: the library or one of its
// directories has become empty, or more than half of the names are lost.
func (l *Loss) Suspicious() bool {
	return l.Names > 0 && l.Empty || l.Emptied != "" || l.Names >= leastNames && 2*l.Gone > l.Names
}

// Names is what a library answers, and how many files its directories have. It does not keep the library in memory.
type Names struct {
	names    []string
	patterns map[string]bool // by their text
	dirs     map[string]int
}

// Names returns what s answers.
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

// Loss compares next with what was answered before. A name is not lost if next has it as a literal name or a static
// file, or if a pattern answers it that is new in next. It is lost to a pattern that was there before: that is the next best
// file, which a directory that is not mounted would give to all. A pattern is known by its text.
func (n *Names) Loss(next *Snapshot) Loss {
	l := Loss{Empty: next.Empty()}
	count := func(name string, kept bool) {
		if l.Names++; kept {
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

// answers tells whether a name leads to a file, other than by a pattern of old.
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
	best, _ := s.patterns.match([]byte(name))
	return best != nil && best.of != nil && !old[best.of.Pattern]
}
