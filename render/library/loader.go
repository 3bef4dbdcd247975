package library

import (
	"path/filepath"
	"slices"

	"dcs/render/beneath"
	"dcs/render/skeleton"
	"dcs/render/syntax"
)

// loader reads the sources of a library, or a single source and what it includes. Once sealed it reads nothing more: whatever a template
// includes at run time has been checked at load.
type loader struct {
	roots   []string
	open    *beneath.Roots         // roots, and static directories behind them; nil: a single file
	files   map[string]*sourceFile // by clean path; nil: it could not be read
	order   []string               // the paths of files that are templates themselves
	unread  syntax.Errors          // why there are files and directories of which not all items are known
	blocks  map[string]*syntax.Item
	twins   map[string]*syntax.Item // the second Block of a name
	assets  map[string][]byte
	single  bool // a single file: what it includes is read on demand
	read    map[string]bool
	found   map[string]int // sources by root
	choices *choices
	folded  map[string]string // Blocks by their names in lower case
	sealed  bool
	errs    syntax.Errors
	warning func(at syntax.Pos, msg string)
}

func newLoader(roots, static []string) *loader {
	l := &loader{
		files: map[string]*sourceFile{}, twins: map[string]*syntax.Item{}, blocks: map[string]*syntax.Item{}, assets: map[string][]byte{}, read: map[string]bool{}, found: map[string]int{},
	}
	for _, r := range roots {
		l.roots = append(l.roots, filepath.Clean(r))
	}
	if len(l.roots) > 0 {
		l.open = beneath.Open(slices.Concat(l.roots, static))
	}
	return l
}

// close closes the roots.
func (l *loader) close() {
	if l.open != nil {
		l.open.Close()
	}
}

// add reads and parses a source, and registers its Blocks.
func (l *loader) add(path string) *sourceFile {
	if f, done := l.files[path]; done {
		return f
	}
	src, err := l.readRegular(path)
	if err != nil {
		l.cannotRead(path, err)
		l.files[path] = nil
		return nil
	}
	return l.parse(path, src)
}

// warn passes a warning on.
func (l *loader) warn(at syntax.Pos, msg string) {
	if l.warning != nil && !l.sealed {
		l.warning(at, msg)
	}
}

// env is the environment that templates of this loader are compiled in.
func (l *loader) env(cfg Config) *skeleton.Env {
	return &skeleton.Env{
		MIB: cfg.MIB, Schema: cfg.Schema, Lenient: cfg.Lenient,
		Timestamp: cfg.Timestamp, ModemAddress: cfg.ModemAddress,
		Include: l.include, Candidates: l.candidates, ReadFile: l.asset, Warn: l.warn,
	}
}

// parse parses a source, and registers its Blocks.
func (l *loader) parse(path string, text []byte) *sourceFile {
	f := parseSource(path, text)
	l.errs = append(l.errs, f.errs...)
	if f.Unread && len(f.errs) > 0 {
		l.unread = append(l.unread, f.errs[0])
	}
	l.files[path] = f
	for _, it := range f.items(true) {
		l.addBlock(it)
	}
	return f
}

// addBlock registers a Block under its name, which must be unique.
func (l *loader) addBlock(it *syntax.Item) {
	other := l.blocks[it.Name]
	switch {
	case it.Name == "":
	case other == nil:
		l.blocks[it.Name] = it
	case l.single && slices.Contains(l.order, other.Pos.File): // a single file's own Blocks win over those of its neighbours
	default:
		l.errs.Addf(it.Pos, "Block %s is already defined at %s, so neither can be included; Block names must be unique", it.Name, other.Pos)
		if l.twins[it.Name] == nil {
			l.twins[it.Name] = it
		}
	}
}
