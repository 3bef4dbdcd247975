package library

import (
	"cmp"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"dcs/render/beneath"
	"dcs/render/naming"
	"dcs/render/skeleton"
	"dcs/render/syntax"
)

// loader reads the sources of a library, or a single source and what it includes. Once sealed it reads nothing more: whatever a template
// includes at run time has been checked at load.
type loader struct {
	cfg      Config
	names    *naming.Rules
	prev     *loader // of the library before, during the load; nil: none
	takeOver bool    // what prev has compiled
	roots    []string
	open     *beneath.Roots         // roots, and static directories behind them; nil: a single file
	files    map[string]*sourceFile // by clean path; nil: it could not be read
	order    []string               // the paths of files that are templates themselves
	unread   syntax.Errors          // why there are files and directories of which not all items are known
	blocks   map[string]*syntax.Item
	twins    map[string]*syntax.Item // the second Block of a name
	single   bool                    // a single file: what it includes is read on demand
	read     map[string]bool
	found    map[string]int // sources by root
	choices  *choices
	near     func() func(name string) string // hints at a Block's name
	sealed   bool
	errs     syntax.Errors
	warning  func(at syntax.Pos, msg string)

	assetLock sync.Mutex // until it is sealed
	assets    map[asset][]byte

	matching *atomic.Int64 // octets that the automata of patterns may still take
	serving  *skeleton.Env
	workers  []*worker
	queries  queries
	together together
	patterns *patterns
	units    []unit // that answer names
}

func newLoader(cfg Config) *loader {
	l := &loader{
		cfg: cfg, names: cmp.Or(cfg.Names, &naming.Rules{}),
		files: map[string]*sourceFile{}, twins: map[string]*syntax.Item{}, blocks: map[string]*syntax.Item{}, assets: map[asset][]byte{}, read: map[string]bool{}, found: map[string]int{},
	}
	for _, r := range cfg.Dirs {
		l.roots = append(l.roots, filepath.Clean(r))
	}
	if len(l.roots) > 0 {
		l.open = beneath.Open(slices.Concat(l.roots, cfg.Static))
	}
	l.near = sync.OnceValue(func() func(string) string { return nearest(l.blocks) })
	l.serving = l.env()
	if len(l.roots) == 0 {
		return l // a single file is compiled by its caller
	}
	for range cmp.Or(cfg.Parallel, runtime.GOMAXPROCS(0)) {
		l.workers = append(l.workers, newWorker(l, l.serving.Fork()))
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
	src, _, err := l.readRegular(path)
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

// env is the environment that templates of this loader are served in.
func (l *loader) env() *skeleton.Env {
	return &skeleton.Env{
		MIB: l.cfg.MIB, Schema: l.cfg.Schema, Lenient: l.cfg.Lenient,
		Timestamp: l.cfg.Timestamp, ModemAddress: l.cfg.ModemAddress,
		Include: l.include, Candidates: l.candidates, ReadFile: l.readAsset, ReadHead: l.readHead, Path: l.assetPath, Warn: l.warn,
	}
}

// parse parses a source, and registers it.
func (l *loader) parse(path string, text []byte) *sourceFile {
	f := parseSource(path, text)
	l.register(path, f)
	return f
}

// register adds a source with its Blocks and errors.
func (l *loader) register(path string, f *sourceFile) {
	l.errs = append(l.errs, f.errs...)
	if f.Unread && len(f.errs) > 0 {
		l.unread = append(l.unread, f.errs[0])
	}
	l.files[path] = f
	for _, it := range f.Items {
		if it.Kind == syntax.Block {
			l.addBlock(it)
		}
	}
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
