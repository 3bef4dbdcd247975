package library

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"dcs/render/skeleton"
	"dcs/render/syntax"
)

// compile makes templates of all items that have names, and decides which name leads to which.
func (s *Snapshot) compile(l *loader) {
	var list []*pattern
	for _, e := range l.unread {
		list = append(list, s.claimUnread(l, e))
	}
	l.compile()
	s.literals = make(map[string]*Template, len(l.units))
	for _, path := range l.order {
		list = append(list, s.compileSource(l, l.files[path])...)
	}
	l.checkBlocks()
	list = slices.DeleteFunc(list, func(p *pattern) bool { return p == nil })
	if l.prev != nil {
		s.patterns = l.prev.patterns.again(list)
	}
	if s.patterns == nil {
		s.patterns = newPatterns(list)
		s.patterns.clashes = s.patterns.conflicts(conflictBudget)
	}
	l.patterns = s.patterns
	for _, c := range s.patterns.clashes {
		l.errs.Addf(c.b.pos, "the pattern %q and the one at %s both match %q: give one of them a priority, or make them different",
			c.b.source, c.a.pos, c.witness)
	}
	l.seal()
}

// compileSource names the templates of one file, and returns their patterns, among them nil.
func (s *Snapshot) compileSource(l *loader, f *sourceFile) (list []*pattern) {
	l.errs = append(l.errs, f.second...)
	next := 0 // in f.made
	for _, it := range f.templates() {
		var p *pattern
		switch {
		case it.Broken:
			p = s.claim(l, it, f.errorIn(it))
		case !f.answers(it):
			p = s.claim(l, it, f.second[0])
		default:
			for f.Items[next] != it {
				next++
			}
			p = s.item(l, it, f.made[next])
		}
		list = append(list, p)
	}
	return list
}

// conflictBudget limits the search for a name that two patterns match. A conflict that the search misses is reported
// when such a name is requested.
const conflictBudget = 100_000_000 // about 1 to 2 s in the worst case

// nextIndex returns a unique number for a pattern.
func (s *Snapshot) nextIndex() int {
	s.indices++
	return s.indices - 1
}

// item names the template of an item, or claims its names for a fault. It returns the item's pattern; nil: it has none.
func (s *Snapshot) item(l *loader, it *syntax.Item, c *compiled) *pattern {
	for i := range c.warnings {
		s.warn(c.warnings[i].Pos, c.warnings[i].Msg)
	}
	if c.template == nil {
		l.errs = append(l.errs, c.errs...)
		return s.claim(l, it, c.errs[0])
	}
	t := &Template{Template: c.template.In(l.serving), Priority: it.Priority}
	s.templates = append(s.templates, t)
	if c.pattern == nil {
		s.nameTemplate(l, t, it, c)
		return nil
	}
	p := *c.pattern
	p.index, p.of = s.nextIndex(), t
	t.pattern, t.Pattern = &p, it.Name
	t.mac = max(0, slices.Index(p.groups, "mac"))
	return &p
}

// templatePattern compiles the pattern of an item.
func (l *loader) templatePattern(it *syntax.Item) (*pattern, *syntax.Error) {
	p, err := compilePattern(it.Name, it.NamePos, it.Priority, 0, l.names.Folds())
	if err != nil {
		return nil, &syntax.Error{Pos: it.NamePos, Msg: err.Error()}
	}
	p.matcher.Share(l.matching)
	for i, g := range p.groups {
		if g != "" && slices.Index(p.groups, g) < i {
			return nil, &syntax.Error{Pos: it.NamePos, Msg: fmt.Sprintf("the pattern has two groups called %s: give them different names", g)}
		}
	}
	return p, nil
}

// namesOf returns the names of an item without a pattern.
func (l *loader) namesOf(it *syntax.Item) []string {
	names := []string{it.Name}
	if it.Name == "" {
		names = l.bareNames(it.Pos.File)
	}
	for i, n := range names {
		names[i] = l.names.Key(n)
	}
	return names
}

// nameTemplate gives a template without a pattern its names, unless another template has them.
func (s *Snapshot) nameTemplate(l *loader, t *Template, it *syntax.Item, c *compiled) {
	t.Names = c.names
	for _, n := range t.Names {
		if other := s.literals[n]; other != nil {
			l.errs.Addf(it.Pos, "the name %q is given to the template at %s already", n, other.Pos())
			s.claimNames([]string{n}, &skeleton.Fault{Reason: skeleton.Ambiguous, Pos: it.Pos, What: n, Text: l.errs[len(l.errs)-1].Msg})
			continue
		}
		s.literals[n] = t
	}
	if c.literal != nil {
		l.errs = append(l.errs, c.literal)
	}
}

// assetPath returns the path of a file that a template refers to by name, once it has been read.
func (l *loader) assetPath(at syntax.Pos, name string) string {
	if !l.sealed {
		l.assetLock.Lock()
		defer l.assetLock.Unlock()
	}
	for _, path := range l.places(at, name) {
		if _, ok := l.assets[asset{path: path}]; ok {
			return path
		}
	}
	return name
}

// bareNames returns the names under which an item without a name is served.
func (l *loader) bareNames(path string) []string {
	stem := l.relative(path)
	names := []string{stem, stem + ".cm", stem + ".bin"}
	if ext := filepath.Ext(path); strings.EqualFold(ext, ".cfg") { // as provisioning systems that use the open encoder name its output
		names = append(names, stem+ext)
	}
	return names
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
