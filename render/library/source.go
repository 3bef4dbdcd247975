package library

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"

	"dcs/render/syntax"
)

// sourceFile is one parsed file of a library.
type sourceFile struct {
	*syntax.File
	errs syntax.Errors // of the parser
}

// isSource reports whether a file of that name is read as a source of templates.
func isSource(name string) bool {
	switch filepath.Ext(name) {
	case ".dcs", ".cfg", ".txt", ".conf":
		return true
	}
	return false
}

// parseSource parses a file.
func parseSource(path string, text []byte) *sourceFile {
	f, err := syntax.Parse(path, text, syntax.DialectOf(path))
	s := &sourceFile{File: f}
	if err != nil && !errors.As(err, &s.errs) {
		s.errs = syntax.Errors{{Pos: syntax.Pos{File: path, Line: 1, Col: 1}, Msg: err.Error()}}
	}
	return s
}

// items returns the items of one kind or the other: Blocks, or what answers names.
func (s *sourceFile) items(blocks bool) []*syntax.Item {
	var out []*syntax.Item
	for _, it := range s.Items {
		if (it.Kind == syntax.Block) == blocks {
			out = append(out, it)
		}
	}
	return out
}

// templates returns the items that answer names. A file with errors and no items has a broken one.
func (s *sourceFile) templates() []*syntax.Item {
	if len(s.Items) == 0 && len(s.errs) > 0 {
		return []*syntax.Item{{Pos: s.errs[0].Pos, Broken: true}}
	}
	return s.items(false)
}

// unnamed returns an error for each item without a name after the first one: all of them would be served under the file's name, so
// that none is.
func unnamed(items []*syntax.Item) (errs syntax.Errors) {
	var first *syntax.Item
	for _, it := range items {
		switch {
		case it.Name != "" || it.Header != "":
		case first == nil:
			first = it
		default:
			errs.Addf(it.Pos, "a second item without a name; the one at %s gets the file's name, so name this one", first.Pos)
		}
	}
	return errs
}

// body returns the item that including the file inserts: its Main, or its only Block.
func (s *sourceFile) body() (*syntax.Item, error) {
	for _, it := range s.Items {
		if it.Kind <= syntax.CableHome {
			return it, nil
		}
	}
	blocks := s.items(true)
	if len(blocks) == 1 {
		return blocks[0], nil
	}
	return nil, fmt.Errorf("%s holds %d Blocks and no Main: include one of the Blocks by its name", s.Name, len(blocks))
}

// errorIn returns the parser's first error in a broken item or after it, else the file's first error.
func (s *sourceFile) errorIn(it *syntax.Item) *syntax.Error {
	best := &syntax.Error{Pos: it.Pos, Msg: "this file has errors"}
	for i, e := range s.errs {
		after := cmp.Or(e.Pos.Line-it.Pos.Line, e.Pos.Col-it.Pos.Col) >= 0
		if i == 0 || after {
			best = e
		}
		if after {
			break
		}
	}
	return best
}
