// Package library loads directories of templates and files, and finds the one that a name asks for.
package library

import (
	"cmp"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"dcs/render/attr"
	"dcs/render/ber/mib"
	"dcs/render/naming"
	"dcs/render/skeleton"
	"dcs/render/syntax"
)

// Config says what to load and how to read it.
type Config struct {
	Dirs    []string // of templates; all sources below them belong to the library
	Static  []string // of files that are served as they are
	Resign  []string // those of Static whose boot files get new MICs, under the secret of the modem's CMTS
	Lenient bool     // keywords resolve as in the open encoder, with a warning
	MIB     *mib.Index
	Schema  *attr.Schema // the attributes that devices may have; nil: none
	// Names says how the names that are asked for are read, and with that which names of the library are one. Nil: slashes alone
	// mean nothing.
	Names *naming.Rules

	Timestamp    bool // every modem's file gets TLV 19
	ModemAddress bool // every modem's file gets TLV 20 or 59

	Learned int // octets that the names learned may take; 0: [DefaultLearned]
}

// A Snapshot is a library as it was loaded. It is immutable but for the table of learned
// names, which needs no lock to read; any number of goroutines may use it.
type Snapshot struct {
	Warnings syntax.Errors // what was read as written but may not be meant

	names     *naming.Rules
	warned    map[syntax.Error]bool // while it is loaded
	templates []*Template
	literals  map[string]*Template
	claims    map[string]*skeleton.Fault // names that get no file, whatever else has them
	patterns  *patterns
	indices   int // given to patterns so far
	broken    int
	static    *staticFiles
	dirs      map[string]int // of the configuration, with how many files each has
	table     *table
}

// A Template is one entry of a library that files are made from.
type Template struct {
	*skeleton.Template
	Names    []string // the names that it is served under; nil if Pattern is set
	Pattern  string
	Priority int

	pattern *pattern
	mac     int // the number of the pattern's group called mac; 0: none

	resigned bool // it is made of a static file
}

// Pos returns where the template stands.
func (t *Template) Pos() syntax.Pos { return t.Item.Pos }

// Load reads a library. The error is a syntax.Errors with all that is wrong in its files; the Snapshot beside it answers
// what a broken item would have answered with a fault of the reason skeleton.Broken. Without a Snapshot the error tells
// why a directory cannot be read.
func Load(cfg Config, prev *Snapshot) (*Snapshot, error) {
	l := newLoader(cfg.Dirs, cfg.Static)
	defer l.close()
	s := newSnapshot(cfg)
	l.warning = s.warn
	if err := l.dirs(); err != nil {
		return nil, err
	}
	s.compile(l, cfg)
	var old *staticFiles
	if prev != nil {
		old = prev.static
		misses, evicted := prev.Learning()
		s.table.misses.Store(misses)
		s.table.evicted.Store(evicted)
	}
	s.static = loadStatic(cfg, s.names, old)
	s.claimTwins(l)
	s.dirs = map[string]int{}
	for _, counts := range []map[string]int{l.found, s.static.found} {
		for dir, n := range counts {
			s.dirs[dir] += n
		}
	}
	for name, f := range s.static.files {
		if t := s.literals[name]; t != nil {
			s.warn(t.Pos(), "the static file "+f.path+" has this template's name, and is not served")
		}
	}
	s.warnStatic()
	s.warned = nil
	sortErrors(s.Warnings)
	return s, l.err()
}

// LoadFile makes a library of one source: src, or what the file at path holds if src is
// nil. What it includes is looked for beside it.
func LoadFile(cfg Config, path string, src []byte) (*Snapshot, error) {
	l := newLoader(nil, nil)
	l.lazy = true
	s := newSnapshot(cfg)
	s.static = &staticFiles{}
	l.warning = s.warn
	var f *syntax.File
	if path = filepath.Clean(path); src == nil {
		f = l.add(path)
	} else {
		f = l.parse(path, src)
	}
	if f != nil {
		l.order = append(l.order, path)
	}
	s.compile(l, cfg)
	s.warned = nil
	sortErrors(s.Warnings)
	return s, l.err()
}

func newSnapshot(cfg Config) *Snapshot {
	return &Snapshot{
		names: cmp.Or(cfg.Names, &naming.Rules{}), literals: map[string]*Template{}, claims: map[string]*skeleton.Fault{},
		table: newTable(cmp.Or(cfg.Learned, DefaultLearned)),
	}
}

func (s *Snapshot) warn(at syntax.Pos, msg string) {
	w := syntax.Error{Pos: at, Msg: msg}
	if s.warned[w] {
		return
	}
	if s.warned == nil {
		s.warned = map[syntax.Error]bool{}
	}
	s.warned[w] = true
	s.Warnings = append(s.Warnings, &w)
}

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

func (l *loader) err() error {
	if len(l.errs) == 0 {
		return nil
	}
	sortErrors(l.errs)
	told := make(map[syntax.Error]bool, len(l.errs)) // what many templates include is told once
	l.errs = slices.DeleteFunc(l.errs, func(e *syntax.Error) bool {
		again := told[*e]
		told[*e] = true
		return again
	})
	return l.errs
}

func sortErrors(errs syntax.Errors) {
	slices.SortStableFunc(errs, func(a, b *syntax.Error) int {
		return cmp.Or(strings.Compare(a.Pos.File, b.Pos.File), a.Pos.Line-b.Pos.Line, a.Pos.Col-b.Pos.Col)
	})
}

// Templates returns the library's templates, in the order of their files. They must not be changed.
func (s *Snapshot) Templates() []*Template { return s.templates }

// Waiting returns how many templates wait for attributes that the schema did not have yet. Nothing is made of them.
func (s *Snapshot) Waiting() int {
	n := 0
	for _, t := range s.templates {
		if t.Waiting() {
			n++
		}
	}
	return n
}

// StaticFiles returns how many files of static directories are served.
func (s *Snapshot) StaticFiles() int { return s.static.served }
