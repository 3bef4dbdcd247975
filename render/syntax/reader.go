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

// remember makes Statements return body for as long as somebody refers to it.
func (it *Item) remember(body []Stmt) []Stmt {
	it.read.Store(&shed{weak.Make(&body[0]), len(body)})
	return body
}

// Statements returns the item's body. One that a [Reader] has dropped is parsed again unless it is still in memory: it stays there until
// the next garbage collection, or for as long as somebody uses it. Any number of goroutines may call Statements.
func (it *Item) Statements() []Stmt {
	last := it.read.Load()
	if last == nil { // not dropped
		return it.Body
	}
	if first := last.first.Value(); first != nil {
		return unsafe.Slice(first, last.n)
	}
	p := newParser(it.Pos.File, nil, it.dialect)
	return it.remember(p.again(it))
}

// again parses the body of an item that was dropped.
func (p *parser) again(it *Item) []Stmt {
	p.src = it.text
	p.line, p.lineStart = it.Pos.Line, 1-it.Pos.Col
	p.advance()
	p.advance()
	return p.parseItem(it.Kind, &File{}).Body
}

// A Reader parses files, and the bodies of items again, one after the other in the same memory. It must not be shared between goroutines;
// its zero value is ready.
type Reader struct{ parser *parser }

// Parse is [Parse] for a caller that calls release before it calls r again or lets others use the file. That drops the bodies of the items;
// Statements parses them again. If there is an error, the file has its own memory, and keeps them.
//
// The tree of a typical template takes 11 KB, the text that it was parsed from 1.7 KB.
func (r *Reader) Parse(name string, src []byte, d Dialect) (f *File, release func(), err error) {
	p := r.next(name, d)
	p.src = text(src)
	if f, err = p.all(); err != nil { // what could be read of an item with errors is kept
		f, err = Parse(name, src, d)
		return f, func() {}, err
	}
	return f, func() {
		for _, it := range f.Items {
			if len(it.Body) > 0 {
				it.Body = nil
				it.read.Store(new(shed))
			}
		}
	}, nil
}

// next returns the parser for another text, in the memory of the one before.
func (r *Reader) next(name string, d Dialect) *parser {
	p := r.parser
	if p == nil {
		p = newParser(name, nil, d)
		p.nodes, r.parser = new(nodes), p
	}
	p.nodes.reset()
	*p = parser{
		lexer: lexer{line: 1, dialect: d, report: p.report, foreign: p.lexer.foreign}, name: name,
		nodes: p.nodes, stmts: p.stmts[:0], values: p.values[:0],
	}
	return p
}

// Statements is [Item.Statements] for a caller that needs the body only until the next call, and shares it with nobody.
func (r *Reader) Statements(it *Item) []Stmt {
	last := it.read.Load()
	if last == nil || last.first.Value() != nil {
		return it.Statements()
	}
	return r.next(it.Pos.File, it.dialect).again(it)
}
