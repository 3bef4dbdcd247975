package library

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"dcs/render/beneath"
	"dcs/render/skeleton"
	"dcs/render/syntax"
)

// MaxFile bounds a file that a template is made from: a source, a certificate, a text, a binary file.
const MaxFile = 64 << 20

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

// isSource tells whether a file of that name is read as templates.
func isSource(name string) bool {
	switch filepath.Ext(name) {
	case ".dcs", ".cfg", ".txt", ".conf":
		return true
	}
	return false
}

// dirs reads all sources under the roots, and then those that are reached by symbolic links only.
func (l *loader) dirs() error {
	scan := &sourceScan{loader: l, walker: walker{roots: l.open}}
	for i, root := range l.roots {
		l.found[root] += 0
		scan.root = i
		err := scan.walker.walk(i, root, ".", scan.visit)
		switch {
		case err != nil && len(l.roots) == 1:
			return fmt.Errorf("library: %w", err)
		case err != nil: // the others serve
			l.cannotRead(root, err)
		}
	}
	scan.followLinks()
	for _, root := range l.roots {
		if l.found[root] == 0 && len(l.roots) > 1 && !l.isUnread(root) {
			l.warn(syntax.Pos{File: root, Line: 1, Col: 1}, "no sources in this directory of the library; is it mounted?")
		}
	}
	return nil
}

// isUnread tells whether a file or a directory could not be read.
func (l *loader) isUnread(path string) bool {
	return slices.ContainsFunc(l.unread, func(e *syntax.Error) bool { return e.Pos.File == path })
}

// sourceScan is one run of loader.dirs.
type sourceScan struct {
	*loader
	walker walker
	root   int
	seen   []fs.FileInfo // directories that were read
	links  []linkedDir
}

// linkedDir is a symbolic link to a directory below a root.
type linkedDir struct {
	root int
	path string
}

func (s *sourceScan) visit(path string, d fs.DirEntry, err error) error {
	root := s.roots[s.root]
	switch {
	case err != nil && path != root:
		s.cannotRead(path, err)
		return fs.SkipDir
	case err != nil:
		return err
	case path != root && strings.HasPrefix(d.Name(), "."):
		if d.IsDir() {
			return fs.SkipDir
		}
	case d.IsDir():
		info, err := d.Info()
		if err == nil {
			s.seen = append(s.seen, info)
		}
		return err
	case !isSource(path) && isSource(strings.ToLower(path)):
		s.warn(syntax.Pos{File: path, Line: 1, Col: 1}, "this file is not read: the endings of sources are written in lower case")
	case d.Type()&fs.ModeSymlink != 0 && !isSource(path):
		s.link(path)
	case isSource(path):
		s.found[root]++
		if s.add(path) != nil {
			s.order = append(s.order, path)
		}
	}
	return nil
}

// link notes a symbolic link to a directory, and refuses one below which sources may lie that are not read: it leads to
// nothing, perhaps for a directory that is not mounted, or out of the roots.
func (s *sourceScan) link(path string) {
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = errDangling
	case err == nil && st.IsDir():
		s.links = append(s.links, linkedDir{s.root, path})
	}
	if err != nil {
		s.cannotRead(path, err)
	}
}

// followLinks reads the directories behind links, each once and unless it was read by its own name.
func (s *sourceScan) followLinks() {
	for i := 0; i < len(s.links); i++ { // more may come on the way
		l := s.links[i]
		s.root = l.root
		name, _ := filepath.Rel(s.roots[l.root], l.path) // it lies there
		_, info, _, err := s.walker.list(l.root, name)
		switch {
		case err != nil:
			s.cannotRead(l.path, err)
		case !slices.ContainsFunc(s.seen, func(a fs.FileInfo) bool { return os.SameFile(a, info) }):
			_ = s.walker.follow(l.root, l.path, name, s.visit) // no root, so that visit has told of it
		}
	}
}

// isBelow tells whether a clean path lies in a directory, at whatever depth.
func isBelow(path, dir string) bool {
	return strings.HasPrefix(path, strings.TrimSuffix(dir, string(filepath.Separator))+string(filepath.Separator))
}

// shut tells whether a path lies in a directory that cannot be read, so that it is not known whether there is such a file.
func (l *loader) shut(path string) bool {
	return slices.ContainsFunc(l.unread, func(e *syntax.Error) bool { return isBelow(path, e.Pos.File) })
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

// cannotRead notes a file or a directory that cannot be read, or not whole.
func (l *loader) cannotRead(path string, err error) {
	e := &syntax.Error{Pos: syntax.Pos{File: path, Line: 1, Col: 1}, Msg: unwrapPath(err).Error()}
	l.errs, l.unread = append(l.errs, e), append(l.unread, e)
}

// readRegular reads a file. What is none, such as a named pipe, is not opened: that may wait forever.
func (l *loader) readRegular(path string) ([]byte, error) {
	data, err := l.readOpen(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		err = &fs.PathError{Op: "read", Path: path, Err: unwrapPath(err)}
	}
	return data, err
}

func (l *loader) readOpen(path string) ([]byte, error) {
	switch st, err := os.Stat(path); { // a link is followed
	case errors.Is(err, fs.ErrNotExist) && isLink(path):
		return nil, errDangling
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, notRegular(st)
	}
	f, err := l.openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular(): // another has taken its place
		return nil, notRegular(st)
	}
	var data bytes.Buffer
	size := st.Size()
	if size <= MaxFile {
		data.Grow(int(size) + bytes.MinRead) // so that it does not grow at the end
		_, err = data.ReadFrom(io.LimitReader(f, MaxFile+1))
		size = int64(data.Len())
	}
	if err == nil && size > MaxFile {
		err = fmt.Errorf("it has %d octets, the limit is %d", size, MaxFile)
	}
	return data.Bytes(), err
}

// openFile opens a file beneath the roots. One that a template names elsewhere is the operator's choice, and is opened as it is.
func (l *loader) openFile(path string) (*os.File, error) {
	if l.open != nil {
		if dir, name, found := l.open.Find(filepath.Clean(path)); found {
			return l.open.OpenFile(dir, name)
		}
	}
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
}

// errDangling tells why the target of a symbolic link cannot be read.
var errDangling = errors.New("the symbolic link leads to nothing")

// isLink tells whether path itself is a symbolic link.
func isLink(path string) bool {
	st, err := os.Lstat(path)
	return err == nil && st.Mode()&fs.ModeSymlink != 0
}

// fileType names what is no regular file.
func fileType(m fs.FileMode) string {
	switch m.Type() {
	case fs.ModeDir:
		return "this is a directory"
	case fs.ModeNamedPipe:
		return "this is a named pipe"
	case fs.ModeSocket:
		return "this is a socket"
	}
	return "this is a device"
}

func (l *loader) parse(path string, src []byte) *syntax.File {
	f, err := syntax.Parse(path, src, syntax.DialectOf(path))
	if err != nil {
		var errs syntax.Errors
		if !errors.As(err, &errs) {
			errs = syntax.Errors{{Pos: syntax.Pos{File: path, Line: 1, Col: 1}, Msg: err.Error()}}
		}
		l.errs = append(l.errs, errs...)
		l.faulty[path] = errs
		if f.Unread {
			l.unread = append(l.unread, errs[0])
		}
	}
	l.files[path] = f
	for _, it := range f.Items {
		if it.Kind != syntax.Block || it.Name == "" {
			continue
		}
		if other := l.blocks[it.Name]; other != nil {
			if l.lazy && slices.Contains(l.order, other.Pos.File) {
				continue // a file alone has its own Block, whatever stands beside it
			}
			l.errs.Addf(it.Pos, "Block %s is at %s already, so neither can be included: a library's blocks have different names", it.Name, other.Pos)
			if l.twins[it.Name] == nil {
				l.twins[it.Name] = it
			}
			continue
		}
		l.blocks[it.Name] = it
	}
	return f
}

// unwrapPath takes the path off an error that is shown behind that path.
func unwrapPath(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// include finds what an include means: a Block, or the one item that a file holds.
func (l *loader) include(at syntax.Pos, name string, word bool) (*syntax.Item, error) {
	if it := l.block(at, name); it != nil {
		return it, l.unusable(it)
	}
	if word {
		return nil, fmt.Errorf("no Block has this name%s; a file's name stands in quotes", l.near(name))
	}
	for _, path := range l.places(at, name) {
		f := l.files[path]
		if f == nil && l.lazy && !l.sealed && isSource(path) {
			if _, err := os.Stat(path); err == nil {
				f = l.add(path)
			}
		}
		if f != nil {
			it, err := body(f)
			if err == nil {
				err = l.unusable(it)
			}
			return it, err
		}
		if _, known := l.files[path]; known || l.shut(path) {
			return nil, fmt.Errorf("%s cannot be read", path)
		}
	}
	return nil, fmt.Errorf("no Block has this name%s, and no file beside this one or in the library", l.near(name))
}

// unusable tells why an item cannot be included: an error stands in it, or another Block has its name.
func (l *loader) unusable(it *syntax.Item) error {
	switch other := l.twins[it.Name]; {
	case it.Broken:
		return fmt.Errorf("what stands at %v has errors of its own", it.Pos)
	case it.Kind == syntax.Block && other != nil:
		return fmt.Errorf("there are two, at %v and at %v; give them different names", l.blocks[it.Name].Pos, other.Pos)
	}
	return nil
}

// block finds a Block by name. For a file alone, the sources beside it may hold it.
func (l *loader) block(at syntax.Pos, name string) *syntax.Item {
	it := l.blocks[name]
	dir := filepath.Dir(at.File)
	if it != nil || !l.lazy || l.sealed || l.read[dir] {
		return it
	}
	l.read[dir] = true
	paths, _ := filepath.Glob(filepath.Join(globQuote(dir), "*.dcs")) // the pattern is well formed
	for _, p := range paths {
		l.neighbour(p)
	}
	return l.blocks[name]
}

// neighbour reads a source beside the one that is compiled, and learns its blocks; what is
// wrong with it is its own affair, unless it is included.
func (l *loader) neighbour(path string) {
	errs := l.errs
	l.add(path)
	l.errs = errs
}

// near names the Block that differs from a name in its letters' case only.
func (l *loader) near(name string) string {
	if l.folded == nil {
		l.folded = map[string]string{}
		for b := range l.blocks {
			if f := strings.ToLower(b); l.folded[f] == "" || b < l.folded[f] {
				l.folded[f] = b
			}
		}
	}
	if b := l.folded[strings.ToLower(name)]; b != "" {
		return fmt.Sprintf(" (there is %s)", b)
	}
	return ""
}

// places lists where a name may lie: beside the file that asks, then under each root.
func (l *loader) places(at syntax.Pos, name string) []string {
	if filepath.IsAbs(name) {
		return []string{filepath.Clean(name)}
	}
	out := []string{filepath.Join(filepath.Dir(at.File), name)}
	for _, r := range l.roots {
		if p := filepath.Join(r, name); !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// body returns what including a file brings in: its Main, or its only Block.
func body(f *syntax.File) (*syntax.Item, error) {
	var main, block *syntax.Item
	blocks := 0
	for _, it := range f.Items {
		switch {
		case it.Kind == syntax.Block:
			block = it
			blocks++
		case it.Kind <= syntax.CableHome && main == nil:
			main = it
		}
	}
	switch {
	case main != nil:
		return main, nil
	case blocks == 1:
		return block, nil
	}
	return nil, fmt.Errorf("%s holds %d Blocks and no Main: include one of the Blocks by its name", f.Name, blocks)
}

// globQuote writes s so that filepath.Glob takes it for itself.
func globQuote(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

// asset reads a file that a template names.
func (l *loader) asset(at syntax.Pos, name string) ([]byte, error) {
	for _, path := range l.places(at, name) {
		if data, ok := l.assets[path]; ok {
			return data, nil
		}
		if l.sealed {
			continue
		}
		data, err := l.readRegular(path)
		switch {
		case l.shut(path):
			return nil, fmt.Errorf("%s cannot be read", path)
		case errors.Is(err, fs.ErrNotExist):
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, unwrapPath(err))
		}
		l.assets[path] = data
		return data, nil
	}
	return nil, fmt.Errorf("no file %q beside this one or in the library", name)
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
