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
	errs    syntax.Errors // of the parser
	second  syntax.Errors // of unnamed
	version version       // zero: unknown
	made    []*compiled   // by item; nil: it is not compiled yet, or not for its own sake
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
	return newSource(syntax.Parse(path, text, syntax.DialectOf(path)))
}

// newSource returns a file that was parsed with an error, or nil.
func newSource(f *syntax.File, err error) *sourceFile {
	s := &sourceFile{File: f}
	if err != nil && !errors.As(err, &s.errs) {
		s.errs = syntax.Errors{{Pos: syntax.Pos{File: f.Name, Line: 1, Col: 1}, Msg: err.Error()}}
	}
	s.second = unnamed(s.templates())
	s.made = make([]*compiled, len(f.Items))
	return s
}

// templates returns the items that answer names. A file with errors and no items has a broken one.
func (s *sourceFile) templates() (items []*syntax.Item) {
	if len(s.Items) == 0 && len(s.errs) > 0 {
		return []*syntax.Item{{Pos: s.errs[0].Pos, Broken: true}}
	}
	for _, it := range s.Items {
		if it.Kind != syntax.Block {
			items = append(items, it)
		}
	}
	return items
}

// answers reports whether an item is one to make a template of.
func (s *sourceFile) answers(it *syntax.Item) bool {
	return it.Kind != syntax.Block && !it.Broken && (it.Name != "" || len(s.second) == 0)
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
	var block *syntax.Item
	blocks := 0
	for _, it := range s.Items {
		if it.Kind == syntax.Block {
			block = it
			blocks++
		}
	}
	if blocks == 1 {
		return block, nil
	}
	return nil, fmt.Errorf("%s holds %d Blocks and no Main: include one of the Blocks by its name", s.Name, blocks)
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
