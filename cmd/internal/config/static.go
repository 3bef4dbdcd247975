package config

import (
	"errors"
	"slices"

	"github.com/goccy/go-yaml/ast"
)

// staticDirs returns the field for a list of directories, each a path or a block {dir: …, resign: on}.
func staticDirs(dirs, resign *[]string) field {
	type setting struct{ Dirs, Resign []string }
	f := paths(dirs)
	f.want = `a list of directories, each a path or a block such as "{dir: /srv/tftp, resign: on}"`
	f.reset = func() { *dirs, *resign = nil, nil }
	f.value = func() any { return setting{*dirs, *resign} }
	add := f.add
	named := func(path string, anew bool) error {
		if slices.Contains(*dirs, path) && slices.Contains(*resign, path) != anew {
			return errors.New("directory listed both with and without resign")
		}
		return add(path, "")
	}
	f.add = func(s, dir string) error { return named(resolve(s, dir), false) }
	f.block = func(r *reader, n ast.Node) {
		var path []string
		anew := false
		one := paths(&path)
		one.list, one.word, one.want = false, "path", "a path"
		inner := &reader{name: r.name, dir: r.dir, keys: []Key{{Name: "dir", field: one}, {Name: "resign", field: boolean(&anew)}}}
		for _, pair := range pairsOf(n) {
			inner.pair(pair)
		}
		switch {
		case len(inner.errs) > 0:
		case len(path) == 0:
			inner.fail(n, "static: missing dir, the path of a directory")
		default:
			if err := named(path[0], anew); err != nil {
				inner.fail(n, "static: %s", err)
			} else if anew {
				*resign = append(*resign, path[0])
			}
		}
		r.errs = append(r.errs, inner.errs...)
	}
	return f
}
