package syntax

import (
	"unsafe"
	"weak"
)

// shed is a body that was parsed again, while it is in memory.
type shed struct {
	first weak.Pointer[Stmt]
	n     int
}

// Shed drops the body of an item that Parse has returned without errors, and returns it; Statements parses it again. It must be called
// before anybody else uses the item.
//
// The tree of a typical template takes 11 KB, the text that it was parsed from 1.7 KB.
func (it *Item) Shed() []Stmt {
	if it.Broken || it.text == "" || len(it.Body) == 0 {
		return nil
	}
	body := it.Body
	it.Body = nil
	return it.remember(body)
}

// remember makes Statements return body for as long as somebody refers to it.
func (it *Item) remember(body []Stmt) []Stmt {
	it.read.Store(&shed{weak.Make(&body[0]), len(body)})
	return body
}

// Statements returns the item's body. After Shed, the body is parsed again unless it is still in memory: it stays there until the next
// garbage collection, or for as long as somebody uses it. Any number of goroutines may call Statements.
func (it *Item) Statements() []Stmt {
	last := it.read.Load()
	if last == nil { // not shed
		return it.Body
	}
	if first := last.first.Value(); first != nil {
		return unsafe.Slice(first, last.n)
	}
	p := newParser(it.Pos.File, nil, it.dialect)
	return it.remember(p.again(it))
}

// again parses the body of an item that was shed.
func (p *parser) again(it *Item) []Stmt {
	p.src = it.text
	p.line, p.lineStart = it.Pos.Line, 1-it.Pos.Col
	p.advance()
	p.advance()
	return p.parseItem(it.Kind, &File{}).Body
}

// A Reader parses the bodies of items again, one after the other, in the same memory. It must not be shared between goroutines; its zero
// value is ready.
type Reader struct{ parser *parser }

// Statements is [Item.Statements] for a caller that needs the body only until the next call, and shares it with nobody.
func (r *Reader) Statements(it *Item) []Stmt {
	last := it.read.Load()
	if last == nil || last.first.Value() != nil {
		return it.Statements()
	}
	p := r.parser
	if p == nil {
		p = newParser(it.Pos.File, nil, it.dialect)
		p.nodes, r.parser = new(nodes), p
	}
	p.nodes.reset()
	*p = parser{
		lexer: lexer{dialect: it.dialect, report: p.report, foreign: p.lexer.foreign}, name: it.Pos.File,
		nodes: p.nodes, stmts: p.stmts[:0], values: p.values[:0],
	}
	return p.again(it)
}
