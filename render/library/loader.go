package library

import (
	"path/filepath"
	"slices"

	"dcs/render/beneath"
	"dcs/render/skeleton"
	"dcs/render/syntax"
)

// loader reads a library's files. Once sealed it reads no more, so that what templates
// include when they are learned was checked when they were loaded.
type loader struct {
	roots   []string
	open    *beneath.Roots           // roots, and static directories behind them; nil: a file alone
	files   map[string]*syntax.File  // by clean path; nil: it could not be read
	order   []string                 // the paths of files that are templates themselves
	faulty  map[string]syntax.Errors // what the parser says of files
	unread  syntax.Errors            // why there are files and directories of which not all items are known
	blocks  map[string]*syntax.Item
	twins   map[string]*syntax.Item // the second Block of a name
	assets  map[string][]byte
	lazy    bool // a file alone: what it includes is read when it is asked for
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
		files: map[string]*syntax.File{}, faulty: map[string]syntax.Errors{}, twins: map[string]*syntax.Item{}, blocks: map[string]*syntax.Item{}, assets: map[string][]byte{}, read: map[string]bool{}, found: map[string]int{},
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

// add reads and parses one source, and learns its blocks.
func (l *loader) add(path string) *syntax.File {
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
