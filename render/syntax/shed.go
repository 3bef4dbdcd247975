package syntax

import "weak"

// Shed drops the body of an item that Parse has returned without errors; Statements parses it again. Nobody else may be using the item.
//
// The tree of a typical template takes 11 KB, the text that it was parsed from 1.7 KB.
func (it *Item) Shed() {
	if !it.Broken && it.text != "" {
		it.Body = nil
	}
}

// Statements returns the item's body. After Shed, the body is parsed again unless it is still in memory: it stays there until the next
// garbage collection, or for as long as somebody uses it. Any number of goroutines may call Statements.
func (it *Item) Statements() []Stmt {
	if it.Body != nil || !it.HasBody || it.text == "" {
		return it.Body
	}
	if last := it.read.Load(); last != nil {
		if body := last.Value(); body != nil {
			return *body
		}
	}
	p := newParser(it.Pos.File, nil, it.dialect)
	p.src = it.text
	p.line, p.lineStart = it.Pos.Line, 1-it.Pos.Col
	p.advance()
	p.advance()
	body := p.parseItem(it.Kind, &File{}).Body
	last := weak.Make(&body)
	it.read.Store(&last)
	return body
}
