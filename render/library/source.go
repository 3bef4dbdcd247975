package library

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"dcs/render/syntax"
)

// isSource tells whether a file of that name is read as templates.
func isSource(name string) bool {
	switch filepath.Ext(name) {
	case ".dcs", ".cfg", ".txt", ".conf":
		return true
	}
	return false
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
