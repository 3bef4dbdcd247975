package library

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"dcs/render/skeleton"
	"dcs/render/syntax"
)

// compile makes templates of all items that have names, and decides which name leads to which.
func (s *Snapshot) compile(l *loader, cfg Config) {
	env := l.env(cfg)
	env.Path = l.assetPath
	var list []*pattern
	for _, e := range l.unread {
		list = append(list, s.claimUnread(l, e))
	}
	for _, path := range l.order {
		list = append(list, s.compileSource(l, env, l.files[path])...)
	}
	for _, path := range l.order {
		l.checkBlocks(env, l.files[path])
	}
	s.patterns = newPatterns(slices.DeleteFunc(list, func(p *pattern) bool { return p == nil }))
	for _, c := range s.patterns.conflicts(conflictBudget) {
		l.errs.Addf(c.b.pos, "the pattern %q and the one at %s both match %q: give one of them a priority, or make them different",
			c.b.source, c.a.pos, c.witness)
	}
	l.seal(env)
}

// compileSource makes templates of the items of one file, and returns their patterns, among them nil.
func (s *Snapshot) compileSource(l *loader, env *skeleton.Env, f *sourceFile) (list []*pattern) {
	items := f.templates()
	second := unnamed(items)
	l.errs = append(l.errs, second...)
	for _, it := range items {
		var p *pattern
		switch {
		case it.Broken:
			p = s.claim(l, it, f.errorIn(it))
		case len(second) > 0 && it.Name == "":
			p = s.claim(l, it, second[0])
		default:
			p = s.item(l, env, it)
		}
		list = append(list, p)
	}
	return list
}

// checkBlocks finds the errors in the Blocks of a file, whether they are included or not.
func (l *loader) checkBlocks(env *skeleton.Env, f *sourceFile) {
	for _, it := range f.items(true) {
		var errs syntax.Errors
		if !it.Broken && errors.As(skeleton.CheckBlock(env, it), &errs) {
			l.errs = append(l.errs, errs...)
		}
	}
}

// conflictBudget limits the search for a name that two patterns match. A conflict that the search misses is reported
// when such a name is requested.
const conflictBudget = 100_000_000 // about 1 to 2 s in the worst case

// nextIndex returns a unique number for a pattern.
func (s *Snapshot) nextIndex() int {
	s.indices++
	return s.indices - 1
}

// item makes a template of an item, or claims its names for a fault. It returns the item's pattern; nil: it has none.
func (s *Snapshot) item(l *loader, env *skeleton.Env, it *syntax.Item) *pattern {
	t := &Template{Priority: it.Priority}
	var groups []string
	if it.Pattern {
		p, err := s.templatePattern(t, it)
		if err != nil {
			l.errs = append(l.errs, err)
			return s.claim(l, it, err)
		}
		groups = p.re.SubexpNames()
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
	if t.pattern == nil {
		s.nameTemplate(l, t, it)
	} else if t.pattern.mayHoldDevice() {
		s.warn(it.NamePos, "the pattern has an @, but names that end in @ and a MAC address are looked up without them, so it matches no such name; use $mac for the address")
	}
	return t.pattern
}

// templatePattern compiles the pattern of an item and gives it to the item's template.
func (s *Snapshot) templatePattern(t *Template, it *syntax.Item) (*pattern, *syntax.Error) {
	p, err := s.compilePattern(it.Name, it.NamePos, it.Priority)
	if err != nil {
		return nil, &syntax.Error{Pos: it.NamePos, Msg: err.Error()}
	}
	groups := p.re.SubexpNames()
	for i, g := range groups {
		if g != "" && slices.Index(groups, g) < i {
			return nil, &syntax.Error{Pos: it.NamePos, Msg: fmt.Sprintf("the pattern has two groups called %s: give them different names", g)}
		}
	}
	t.pattern, t.Pattern, p.of = p, it.Name, t
	t.mac = max(0, p.re.SubexpIndex("mac"))
	return p, nil
}

// nameTemplate gives a template without a pattern its names, unless another template has them.
func (s *Snapshot) nameTemplate(l *loader, t *Template, it *syntax.Item) {
	t.Names = []string{it.Name}
	if it.Name == "" {
		t.Names = l.bareNames(it.Pos.File)
	}
	for i, n := range t.Names {
		t.Names[i] = s.names.Key(n)
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
}

// assetPath returns the path of a file that a template refers to by name, once it has been read.
func (l *loader) assetPath(at syntax.Pos, name string) string {
	for _, path := range l.places(at, name) {
		if _, ok := l.assets[path]; ok {
			return path
		}
	}
	return name
}

// bareNames returns the names under which an item without a name is served.
func (l *loader) bareNames(path string) []string {
	stem := l.relative(path)
	return []string{stem, stem + ".cm", stem + ".bin"}
}

// relative returns the path of a source below its root, without the extension.
func (l *loader) relative(path string) string {
	stem := strings.TrimSuffix(path, filepath.Ext(path))
	for _, r := range l.roots {
		if rel, err := filepath.Rel(r, stem); err == nil && !strings.HasPrefix(rel, "..") {
			return filepath.ToSlash(rel)
		}
	}
	return filepath.Base(stem)
}
