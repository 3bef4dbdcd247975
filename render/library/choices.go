package library

import (
	"cmp"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"dcs/render/skeleton"
	"dcs/render/syntax"
)

// choices finds the possible targets of includes with variables. Includes that are written the same share the result.
type choices struct {
	blocks named
	files  named
	made   map[string]*skeleton.Choices // by where, and the pieces; nil: there are none
	of     int                          // how many files and blocks there were
}

// named indexes items by name: a Block's, or a file's path.
type named struct {
	items map[string]*syntax.Item
	names []string // sorted
	tails []string // the same, reversed and sorted
}

func newNamed(items map[string]*syntax.Item) named {
	n := named{items: items}
	for name := range items {
		n.names = append(n.names, name)
		n.tails = append(n.tails, reversed(name))
	}
	slices.Sort(n.names)
	slices.Sort(n.tails)
	return n
}

func reversed(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}

// within calls f with all names that have the prefix and the suffix, and possibly with others.
func (n *named) within(prefix, suffix string, f func(name string)) {
	switch {
	case prefix != "" || suffix == "":
		at, _ := slices.BinarySearch(n.names, prefix)
		for ; at < len(n.names) && strings.HasPrefix(n.names[at], prefix); at++ {
			f(n.names[at])
		}
	default:
		tail := reversed(suffix)
		at, _ := slices.BinarySearch(n.tails, tail)
		for ; at < len(n.tails) && strings.HasPrefix(n.tails[at], tail); at++ {
			f(reversed(n.tails[at]))
		}
	}
}

// candidates lists the possible targets of an include whose name consists of pieces with variables between them.
func (l *loader) candidates(at syntax.Pos, pieces []string) []*skeleton.Choices {
	l.neighbours(at, filepath.Dir(at.File), pieces)
	return l.index().find(l.roots, at, pieces)
}

// find is candidates, with what is below roots or next to the source.
func (c *choices) find(roots []string, at syntax.Pos, pieces []string) []*skeleton.Choices {
	dir := filepath.Dir(at.File)
	key := strings.Join(pieces, "\x00")
	var out []*skeleton.Choices
	add := func(where string, find func() []*syntax.Item) {
		ch, done := c.made[where+"\x00"+key]
		if !done {
			if items := find(); len(items) > 0 {
				slices.SortFunc(items, byPlace)
				ch = &skeleton.Choices{Items: slices.Compact(items)}
			}
			c.made[where+"\x00"+key] = ch
		}
		if ch != nil {
			out = append(out, ch)
		}
	}
	add("block", func() (found []*syntax.Item) {
		c.blocks.within(pieces[0], pieces[len(pieces)-1], func(name string) {
			if fits(name, pieces) {
				found = append(found, c.blocks.items[name])
			}
		})
		return found
	})
	add("root", func() (found []*syntax.Item) {
		for _, r := range roots {
			found = c.below(found, r, pieces)
		}
		return found
	})
	if len(roots) == 0 || !anywhere(pieces) {
		add("dir\x00"+dir, func() []*syntax.Item { return c.below(nil, dir, pieces) })
	}
	return out
}

// index returns all possible targets. Items with errors are left out; including one at run time is a fault. The index grows only for a single
// file, as more sources are read.
func (l *loader) index() *choices {
	if l.choices == nil || l.choices.of != len(l.files)+len(l.blocks) {
		l.choices = l.newChoices()
	}
	return l.choices
}

func (l *loader) newChoices() *choices {
	files := map[string]*syntax.Item{}
	for path, f := range l.files {
		if f == nil {
			continue
		}
		if it, err := f.body(); err == nil && !it.Broken {
			files[path] = it
		}
	}
	blocks := maps.Clone(l.blocks)
	maps.DeleteFunc(blocks, func(_ string, it *syntax.Item) bool { return it.Broken })
	return &choices{blocks: newNamed(blocks), files: newNamed(files), made: map[string]*skeleton.Choices{}, of: len(l.files) + len(l.blocks)}
}

// below appends the items of the files whose paths relative to dir match the pieces.
func (c *choices) below(found []*syntax.Item, dir string, pieces []string) []*syntax.Item {
	prefix, suffix := pieces[0], pieces[len(pieces)-1]
	switch {
	case strings.HasPrefix(prefix, ".."):
		prefix = ""
	case prefix != "" && dir != ".":
		prefix = strings.TrimSuffix(dir, "/") + "/" + prefix
	}
	if suffix = strings.TrimLeft(suffix, "./"); strings.Contains(suffix, "..") {
		suffix = ""
	}
	c.files.within(prefix, suffix, func(path string) {
		if rel, err := filepath.Rel(dir, path); err == nil && fits(rel, pieces) {
			found = append(found, c.files.items[path])
		}
	})
	return found
}

// anywhere reports whether the pieces match the same files next to any file as below the roots: the name begins with a
// variable, and none of the pieces, with what follows it, can stand for "../" or a part of it.
func anywhere(pieces []string) bool {
	if pieces[0] != "" {
		return false
	}
	for _, p := range pieces[1 : len(pieces)-1] {
		if p != "" && (p[0] == '.' || p[0] == '/') {
			return false
		}
	}
	last := pieces[len(pieces)-1]
	name := strings.TrimLeft(last, "./")
	return name == last || !isSource(name) // ".dcs" ends a name, "/a.dcs" may be one
}

func byPlace(a, b *syntax.Item) int {
	return cmp.Or(strings.Compare(a.Pos.File, b.Pos.File), a.Pos.Line-b.Pos.Line, a.Pos.Col-b.Pos.Col)
}

// neighbours reads the sources next to a single file that a name with variables may refer to.
func (l *loader) neighbours(at syntax.Pos, dir string, pieces []string) {
	if !l.single || l.sealed {
		return
	}
	l.block(at, "") // reads the Blocks next to it
	glob := make([]string, len(pieces))
	for i, p := range pieces {
		glob[i] = globQuote(p)
	}
	pattern := filepath.Join(globQuote(dir), strings.Join(glob, "*"))
	if l.read[pattern] {
		return
	}
	l.read[pattern] = true
	paths, _ := filepath.Glob(pattern) // well formed
	for _, p := range paths {
		if isSource(p) {
			l.neighbour(p)
		}
	}
}

// fits reports whether name consists of the pieces with anything between them.
func fits(name string, pieces []string) bool {
	first, last := pieces[0], pieces[len(pieces)-1]
	if len(name) < len(first)+len(last) || !strings.HasPrefix(name, first) || !strings.HasSuffix(name, last) {
		return false
	}
	name = name[len(first) : len(name)-len(last)]
	for _, p := range pieces[1 : len(pieces)-1] {
		i := strings.Index(name, p)
		if i < 0 {
			return false
		}
		name = name[i+len(p):]
	}
	return true
}

// seal ends loading: nothing is read after it, and what only the checks use is dropped.
func (l *loader) seal() {
	l.sealed, l.choices, l.workers, l.units = true, nil, nil, nil
	l.together.worker, l.queries.same, l.queries.made = nil, nil, nil
	l.warning = nil // it refers to the snapshot
	l.serving.Seal()
}
