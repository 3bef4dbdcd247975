package library

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"dcs/render/skeleton"
	"dcs/render/syntax"
)

// compile makes templates of all items that have names, and settles which name means which.
func (s *Snapshot) compile(l *loader, cfg Config) {
	env := l.env(cfg)
	env.Path = l.assetPath
	var list []*pattern
	add := func(p *pattern) {
		if p != nil {
			list = append(list, p)
		}
	}
	for _, e := range l.unread {
		add(s.claimUnread(l, e))
	}
	for _, path := range l.order {
		items := templates(l.files[path])
		if errs := l.faulty[path]; len(l.files[path].Items) == 0 && len(errs) > 0 {
			items = []*syntax.Item{{Pos: errs[0].Pos, Broken: true}} // it was to hold something
		}
		rival := l.rival(items)
		for _, it := range items {
			switch {
			case it.Broken:
				add(s.claim(l, it, l.errorIn(it)))
			case rival != nil && it.Name == "":
				add(s.claim(l, it, rival))
			default:
				add(s.item(l, env, it))
			}
		}
	}
	for _, path := range l.order {
		for _, it := range l.files[path].Items {
			if it.Kind != syntax.Block || it.Broken {
				continue
			}
			var errs syntax.Errors
			if errors.As(skeleton.CheckBlock(env, it), &errs) {
				l.errs = append(l.errs, errs...)
			}
		}
	}
	s.patterns = newPatterns(list)
	for _, c := range s.patterns.conflicts(conflictBudget) {
		l.errs.Addf(c.b.pos, "the pattern %q and the one at %s both match %q: give one of them a priority, or make them different",
			c.b.source, c.a.pos, c.witness)
	}
	l.seal(env)
}

// conflictBudget bounds the search for a name that two patterns match; what it does not
// find is told when such a name is asked for.
const conflictBudget = 100_000_000 // some 1 to 2 s at the worst

// templates returns the items of a file that names are answered from.
func templates(f *syntax.File) []*syntax.Item {
	var out []*syntax.Item
	for _, it := range f.Items {
		if it.Kind != syntax.Block {
			out = append(out, it)
		}
	}
	return out
}

// rival reports each item without a name behind a file's first, and returns the first such error: all of them want the
// file's own name, and none gets it.
func (l *loader) rival(items []*syntax.Item) *syntax.Error {
	var bare *syntax.Item
	var first *syntax.Error
	for _, it := range items {
		switch {
		case it.Name != "" || it.Header != "":
		case bare == nil:
			bare = it
		default:
			l.errs.Addf(it.Pos, "a second item without a name: the one at %s has the file's; name this one", bare.Pos)
			if first == nil {
				first = l.errs[len(l.errs)-1]
			}
		}
	}
	return first
}

// nextIndex returns a number for a pattern that no other has.
func (s *Snapshot) nextIndex() int {
	s.indices++
	return s.indices - 1
}

// item makes a template of an item, or withholds its names. It returns the item's pattern, if it has one.
func (s *Snapshot) item(l *loader, env *skeleton.Env, it *syntax.Item) *pattern {
	t := &Template{Priority: it.Priority}
	var groups []string
	if it.Pattern {
		p, err := s.compilePattern(it.Name, it.NamePos, it.Priority)
		if err != nil {
			l.errs.Addf(it.NamePos, "%v", err)
			return s.claim(l, it, l.errs[len(l.errs)-1])
		}
		t.pattern, t.Pattern, p.of = p, it.Name, t
		groups = p.re.SubexpNames()
		for i, g := range groups {
			if g != "" && slices.Index(groups, g) < i {
				l.errs.Addf(it.NamePos, "the pattern has two groups called %s: give them different names", g)
				return s.claim(l, it, l.errs[len(l.errs)-1])
			}
		}
		t.mac = max(0, p.re.SubexpIndex("mac"))
	}
	made, err := skeleton.New(env, it, groups)
	if err != nil {
		var errs syntax.Errors
		errors.As(err, &errs)
		l.errs = append(l.errs, errs...)
		return s.claim(l, it, firstError(err, it))
	}
	t.Template = made
	s.templates = append(s.templates, t)
	if t.pattern != nil {
		if t.pattern.mayHoldDevice() {
			s.warn(it.NamePos, "the pattern has an @, but a name that ends in @ and a MAC address is looked up without them: it matches no such name; $mac is the address")
		}
		return t.pattern
	}
	t.Names = []string{s.names.Key(it.Name)}
	if it.Name == "" {
		t.Names = l.bareNames(it.Pos.File)
		for i, n := range t.Names {
			t.Names[i] = s.names.Key(n)
		}
	}
	s.warnName(it.NamePos, t.Names[0])
	for _, n := range t.Names {
		if other := s.literals[n]; other != nil {
			l.errs.Addf(it.Pos, "the name %q is given to the template at %s already", n, other.Pos())
			s.claimNames([]string{n}, &skeleton.Fault{Reason: skeleton.Ambiguous, Pos: it.Pos, What: n, Text: l.errs[len(l.errs)-1].Msg})
			continue
		}
		s.literals[n] = t
	}
	if err := t.Literal(t.Names); err != nil {
		l.errs = append(l.errs, err)
	}
	return nil
}

// assetPath returns the path of a file that a template names and that has been read.
func (l *loader) assetPath(at syntax.Pos, name string) string {
	for _, path := range l.places(at, name) {
		if _, ok := l.assets[path]; ok {
			return path
		}
	}
	return name
}

// bareNames returns the names that an item without one is served under.
func (l *loader) bareNames(path string) []string {
	stem := l.relative(path)
	return []string{stem, stem + ".cm", stem + ".bin"}
}

// relative returns a source's path below its root, without the ending.
func (l *loader) relative(path string) string {
	stem := strings.TrimSuffix(path, filepath.Ext(path))
	for _, r := range l.roots {
		if rel, err := filepath.Rel(r, stem); err == nil && !strings.HasPrefix(rel, "..") {
			return filepath.ToSlash(rel)
		}
	}
	return filepath.Base(stem)
}
