package library

import (
	"path/filepath"
	"slices"

	"dcs/render/syntax"
)

// entry is a source below a root, or a directory that cannot be read, in the order of the walk.
type entry struct {
	path    string
	source  bool
	regular bool // a regular file in a directory without links: its version tells whether it has changed
	version version
	file    *sourceFile
	err     error
}

// readAll reads and parses all sources, but those that have not changed since the load before, and registers them in order. A template
// that needs nothing but its own text is compiled at once. The tree of another is dropped, and parsed again once all have been read: that
// takes a few µs, and the tree six times the memory of the text.
func (l *loader) readAll(entries []*entry) {
	sources := make([]*entry, 0, len(entries))
	l.files = make(map[string]*sourceFile, len(entries))
	for _, e := range entries {
		if _, again := l.files[e.path]; e.source && !again { // again: below two roots, one within the other
			sources = append(sources, e)
			l.files[e.path] = nil
		}
	}
	var dirs [][]*entry
	for i, e := range sources {
		if dir := filepath.Dir(e.path); i == 0 || dir != filepath.Dir(sources[i-1].path) {
			dirs = append(dirs, nil)
		}
		last := &dirs[len(dirs)-1]
		*last = append(*last, e)
	}
	l.share(len(dirs), func(_ *worker, i int) { versionsOf(dirs[i]) })
	before := settled(sources)
	l.share(len(sources), func(w *worker, i int) {
		e := sources[i]
		w.read(e)
		if e.version.changed >= before[e.version.dev] || !e.regular {
			e.version = version{}
		}
	})
	for _, e := range entries {
		switch {
		case e.err != nil && l.files[e.path] == nil:
			l.cannotRead(e.path, e.err)
			continue
		case e.file != nil:
			e.file.version = e.version
			l.register(e.path, e.file)
			l.order = append(l.order, e.path)
		}
	}
}

// read reads and parses a source, unless it is what it was at the load before.
func (w *worker) read(e *entry) {
	old := w.l.before(e.path)
	if old != nil && e.version == old.version && e.version != (version{}) {
		e.file = old
		return
	}
	read := w.l.readRegular
	if e.version != (version{}) {
		read = w.l.readOpen // a stat by path less: 4 to 5 % of a load
	}
	text, now, err := read(e.path)
	if err != nil {
		e.err = err
		return
	}
	if e.version = now; old != nil && old.Is(text) {
		e.file = old
		return
	}
	f, release, err := w.env.Reader().Parse(e.path, text, syntax.DialectOf(e.path))
	defer release()
	e.file = newSource(f, err)
	for i, it := range e.file.Items {
		if e.file.answers(it) {
			e.file.made[i] = w.compile(it, nil, true)
		}
	}
}

// alike reports whether the load before had the same configuration, so that what it has compiled can be taken over.
func (l *loader) alike() bool {
	a, b := &l.cfg, &l.prev.cfg
	return slices.Equal(a.Dirs, b.Dirs) && a.Lenient == b.Lenient && a.MIB == b.MIB && a.Names == b.Names &&
		a.Timestamp == b.Timestamp && a.ModemAddress == b.ModemAddress &&
		slices.Equal(a.Schema.Names(), b.Schema.Names()) && a.Schema.Partial() == b.Schema.Partial()
}

// before returns a copy of a source of the load before, with what became of its items; nil: there is none.
func (l *loader) before(path string) *sourceFile {
	if l.prev == nil {
		return nil
	}
	old := l.prev.files[path]
	if old == nil {
		return nil
	}
	same := *old
	same.made = make([]*compiled, len(old.made))
	if l.takeOver {
		copy(same.made, old.made)
	}
	return &same
}
