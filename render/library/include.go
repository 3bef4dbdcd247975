package library

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"dcs/render/syntax"
)

// include finds the target of an include: a Block, or the item of a file.
func (l *loader) include(at syntax.Pos, name string, word bool) (*syntax.Item, error) {
	if it := l.block(at, name); it != nil {
		return it, l.unusable(it)
	}
	if word {
		return nil, fmt.Errorf("no Block has this name%s; write a file's name in quotes", l.near()(name))
	}
	for _, path := range l.places(at, name) {
		f := l.files[path]
		if f == nil && l.single && !l.sealed && isSource(path) {
			if _, err := os.Stat(path); err == nil {
				f = l.add(path)
			}
		}
		if f != nil {
			it, err := f.body()
			if err == nil {
				err = l.unusable(it)
			}
			return it, err
		}
		if _, known := l.files[path]; known || l.shut(path) {
			return nil, fmt.Errorf("%s cannot be read", path)
		}
	}
	return nil, fmt.Errorf("no Block has this name%s, and no file beside this one or in the library", l.near()(name))
}

// unusable returns why an item cannot be included: it has errors, or another Block has its name.
func (l *loader) unusable(it *syntax.Item) error {
	switch other := l.twins[it.Name]; {
	case it.Broken:
		return fmt.Errorf("the item at %v has errors of its own", it.Pos)
	case it.Kind == syntax.Block && other != nil:
		return fmt.Errorf("there are two, at %v and at %v; give them different names", l.blocks[it.Name].Pos, other.Pos)
	}
	return nil
}

// block finds a Block by name. For a single file, the sources next to it are searched, too.
func (l *loader) block(at syntax.Pos, name string) *syntax.Item {
	it := l.blocks[name]
	dir := filepath.Dir(at.File)
	if it != nil || !l.single || l.sealed || l.read[dir] {
		return it
	}
	l.read[dir] = true
	paths, _ := filepath.Glob(filepath.Join(globQuote(dir), "*.dcs")) // the pattern is well formed
	for _, p := range paths {
		l.neighbour(p)
	}
	return l.blocks[name]
}

// neighbour reads a source next to the one that is compiled, and registers its Blocks. Its errors do not count unless
// it is included.
func (l *loader) neighbour(path string) {
	errs := l.errs
	l.add(path)
	l.errs = errs
}

// nearest returns a function that hints at a Block whose name differs from a name in letter case only.
func nearest(blocks map[string]*syntax.Item) func(name string) string {
	folded := map[string]string{}
	for b := range blocks {
		if f := strings.ToLower(b); folded[f] == "" || b < folded[f] {
			folded[f] = b
		}
	}
	return func(name string) string {
		if b := folded[strings.ToLower(name)]; b != "" {
			return fmt.Sprintf(" (there is %s)", b)
		}
		return ""
	}
}

// places lists the paths that a file name in a source may refer to: next to that source, then below each root.
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

// globQuote escapes s for filepath.Glob.
func globQuote(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

// asset is a file that templates refer to.
type asset struct {
	path string
	head bool // its first octets alone, of a firmware image
}

// readAsset reads a file that a template refers to.
func (l *loader) readAsset(at syntax.Pos, name string) ([]byte, error) {
	return l.findAsset(at, name, false)
}

// readHead reads the head of a firmware image that a template refers to.
func (l *loader) readHead(at syntax.Pos, name string) ([]byte, error) {
	return l.findAsset(at, name, true)
}

func (l *loader) findAsset(at syntax.Pos, name string, head bool) ([]byte, error) {
	if !l.sealed {
		l.assetLock.Lock()
		defer l.assetLock.Unlock()
	}
	for _, path := range l.places(at, name) {
		of := asset{path, head}
		if data, ok := l.assets[of]; ok {
			return data, nil
		}
		if l.sealed {
			continue
		}
		read := l.readRegular
		if head {
			read = l.readBeginning
		}
		data, _, err := read(path)
		switch {
		case l.shut(path):
			return nil, fmt.Errorf("%s cannot be read", path)
		case errors.Is(err, fs.ErrNotExist):
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, unwrapPath(err))
		}
		if l.prev != nil && bytes.Equal(l.prev.assets[of], data) {
			data = l.prev.assets[of] // one copy for both libraries
		}
		l.assets[of] = data
		return data, nil
	}
	return nil, fmt.Errorf("no file %q beside this one or in the library", name)
}
