package syntax

import "fmt"

// body reads statements up to the closing brace; the current token is the opening one. It returns the position of the
// closing one.
func (p *parser) body(what string) (stmts []Stmt, end Pos) {
	from := len(p.stmts)
	end = p.statements(what)
	stmts, p.stmts = p.nodes.body(p.stmts[from:]), p.stmts[:from]
	return stmts, end
}

// statements appends what body reads to p.stmts.
func (p *parser) statements(what string) (end Pos) {
	open := p.here()
	if p.depth == maxDepth {
		p.errorf("braces nest deeper than %d levels; close some before this {", maxDepth)
		p.skipBraces()
		return p.pos(p.prev.line, p.prev.col)
	}
	p.depth++
	p.advance()
	for !p.unwind {
		switch p.tok.kind {
		case '}':
			p.depth--
			end = p.here()
			p.advance()
			return end
		case tEOF:
			p.unclosed(what, open)
			p.depth--
			return p.here()
		case ';':
			p.advance()
		case tWord:
			if s := p.statement(what, open); s != nil {
				p.stmts = append(p.stmts, s)
			}
		case '{':
			if p.prev.kind != '{' || p.prev.off != p.bareBrace {
				p.errorf("no keyword before this {; write the group's name, as in UsServiceFlow { … }")
			}
			p.bareBrace = p.tok.off
			p.nested("the group")
		default:
			p.errorf("expected a keyword, got %s; a statement is written Keyword value;", p.found())
			p.skipStatement()
		}
	}
	return p.here()
}

// nested reads the body of a group.
func (p *parser) nested(what string) ([]Stmt, Pos) {
	p.group++
	stmts, end := p.body(what)
	p.group--
	return stmts, end
}

// unclosed reports, at the end of the file, the brace that is still open.
func (p *parser) unclosed(what string, open Pos) {
	if p.saidEnd {
		return
	}
	p.saidEnd = true
	around := ""
	if p.depth > 1 {
		around = fmt.Sprintf(", nor are the %d around it", p.depth-1)
	}
	if p.depth == 2 {
		around = ", nor is the one around it"
	}
	p.errorf("unexpected end of file: the { of %s opened at %v is not closed%s; add a }", what, open, around)
}

// skipBraces skips to after the closing brace that matches the current token, without recursion.
func (p *parser) skipBraces() {
	for n := 0; ; p.advance() {
		switch p.tok.kind {
		case '{':
			n++
		case '}':
			n--
			if n == 0 {
				p.advance()
				return
			}
		case tEOF:
			// The depth is the error to report, not the missing brace.
			p.saidEnd = true
			return
		}
	}
}

// skipStatement skips to the beginning of the next statement, after an error in this one. Further errors on the error's
// line are taken for its consequences.
func (p *parser) skipStatement() {
	p.mute = p.lastLine
	for n := 0; ; n++ {
		switch p.tok.kind {
		case tEOF, '}':
			p.mute = 0
			return
		case ';':
			p.mute = 0
			p.advance()
			return
		case '{':
			p.nested("the group")
			p.mute = 0
			return
		case tWord:
			if n > 0 && p.tok.first && (p.startsStatement() || p.startsItem()) {
				p.mute = 0
				return
			}
		case tString, tBad:
			if p.tok.cut {
				p.advance()
				p.afterCut()
				p.mute = 0
				return
			}
		}
		p.advance()
	}
}

// afterCut reads the semicolon after a string that swallowed the rest of its line. Without one, the statement ends as
// well: it is the quote that is missing.
func (p *parser) afterCut() {
	if p.tok.kind == ';' {
		p.advance()
	}
}

// startsStatement reports whether the current token, a word in the place of a value, is more likely the keyword of
// another statement: an identifier that something follows, and none of the words used between the values of an SNMP
// object or a GenericTLV.
func (p *parser) startsStatement() bool {
	if !identifier(p.text()) || valueWord(p.text()) {
		return false
	}
	switch p.peek.kind {
	case '{':
		return true
	case tWord, tNumber, tHex, tString, tVar, '(':
		return p.tok.first && !p.peek.first
	case '-':
		return p.tok.first && p.peek.gap
	}
	return false
}
