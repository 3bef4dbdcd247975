package library

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"dcs/render/naming"
	"dcs/render/skeleton"
	"dcs/render/syntax"
)

// Load reads a library. An error with a Snapshot is a syntax.Errors with all errors in the library's files; the Snapshot answers names of
// broken items with a fault of reason [skeleton.Broken]. An error without a Snapshot says why a directory cannot be read. Static files
// and templates of prev, which may be nil, are reused if nothing that they were made from has changed.
func Load(cfg Config, prev *Snapshot) (*Snapshot, error) {
	l := newLoader(cfg)
	defer l.close()
	s := newSnapshot(cfg)
	s.loader, l.warning, l.matching = l, s.warn, s.matching
	if prev != nil && prev.loader != nil {
		l.prev = prev.loader
		l.takeOver = l.alike()
	}
	defer func() { l.prev = nil }()
	if err := l.dirs(); err != nil {
		return nil, err
	}
	s.compile(l)
	var old *staticFiles
	if prev != nil {
		old = prev.static
		s.table.counts = prev.table.counts
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

// LoadFile makes a library of a single source: src or, if src is nil, the file at path. Files and Blocks that it includes are searched
// in the directory of path.
func LoadFile(cfg Config, path string, src []byte) (*Snapshot, error) {
	alone := cfg
	alone.Dirs, alone.Static = nil, nil
	l := newLoader(alone)
	l.single = true
	s := newSnapshot(cfg)
	s.loader = l
	s.static = &staticFiles{}
	l.warning, l.matching = s.warn, s.matching
	path = filepath.Clean(path)
	var f *sourceFile
	if src == nil {
		f = l.add(path)
	} else {
		f = l.parse(path, src)
	}
	if f != nil {
		l.order = append(l.order, path)
	}
	s.compile(l)
	s.warned = nil
	sortErrors(s.Warnings)
	return s, l.err()
}

func newSnapshot(cfg Config) *Snapshot {
	s := &Snapshot{
		names: cmp.Or(cfg.Names, &naming.Rules{}), literals: map[string]*Template{}, claims: map[string]*skeleton.Fault{},
		table: newTable(cmp.Or(cfg.Learned, DefaultLearned)), matching: new(atomic.Int64),
	}
	s.matching.Store(MatchOctets)
	return s
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

func (l *loader) err() error {
	if len(l.errs) == 0 {
		return nil
	}
	sortErrors(l.errs)
	reported := make(map[syntax.Error]bool, len(l.errs)) // an error in a Block is found by every template that includes it
	l.errs = slices.DeleteFunc(l.errs, func(e *syntax.Error) bool {
		again := reported[*e]
		reported[*e] = true
		return again
	})
	return l.errs
}

func sortErrors(errs syntax.Errors) {
	slices.SortStableFunc(errs, func(a, b *syntax.Error) int {
		return cmp.Or(strings.Compare(a.Pos.File, b.Pos.File), a.Pos.Line-b.Pos.Line, a.Pos.Col-b.Pos.Col)
	})
}
