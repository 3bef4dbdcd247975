package syntax

import "strings"

// statement reads one statement; the current token is its first word. It returns nil if there is an error in it.
func (p *parser) statement(what string, open Pos) Stmt {
	text := p.text()
	if p.startsItem() {
		p.errorf("%s inside of %s, whose { was opened at %v: items do not nest; is a } missing before it?", text, what, open)
		p.unwind, p.stray = true, p.depth
		return nil
	}
	switch text {
	case "include", "default", "select", "reject", "hash":
		p.onlyDCS(text, "here every setting is written out")
		p.dropped = false
		s, ok := p.keyword(text)
		if !ok || p.dialect == Docsis || p.dropped && text != "select" {
			return nil
		}
		return s
	}
	if !identifier(text) {
		switch trim := strings.TrimRight(text, ":"); {
		case trim != "" && len(trim) < len(text) && identifier(trim):
			p.errorf("keywords take no colon; write %s value;", trim)
		default:
			p.errorf("expected a keyword, got %s; it begins with a letter and holds letters, digits and underscores", p.found())
		}
		p.skipStatement()
		return nil
	}
	if p.item == Text || p.item == Binary {
		p.errorf("a %v holds no settings, so %s is not allowed here; default and reject are", p.item, text)
		p.skipStatement()
		return nil
	}
	if s := p.setting(text); s != nil {
		return s
	}
	return nil
}

// keyword reads a statement other than a setting.
func (p *parser) keyword(text string) (Stmt, bool) {
	at := p.here()
	p.advance()
	switch text {
	case "include":
		return p.include(at)
	case "default":
		return p.defaultValue(at)
	case "select":
		return p.selectStmt(at)
	case "reject":
		if p.tok.kind != tString {
			return p.fail(`expected a quoted reason after reject, as in reject "no such tier";, got %s`)
		}
		s, ok := p.str()
		if !ok || !p.semicolon("reject") {
			return p.fail("")
		}
		return &Reject{Pos: at, Reason: s}, true
	}
	if p.item != Main && p.item != Mta && p.item != Block || p.group > 0 {
		p.errorAt(at.Line, at.Col, "hash is only allowed directly in an Mta { … }: it names the hash object of an MTA file")
		return p.fail("")
	}
	variant := ""
	if p.tok.kind == tWord || p.tok.kind == tString {
		variant = strings.Trim(p.text(), `"`)
	}
	switch variant {
	case "na", "eu", "ietf", "none":
		p.advance()
	default:
		return p.fail("expected na, eu, ietf or none after hash, got %s")
	}
	if !p.semicolon("hash") {
		return p.fail("")
	}
	return &Hash{Pos: at, Variant: variant}, true
}

// fail reports an error, in which %s is replaced by the token found, and skips the statement.
func (p *parser) fail(format string) (Stmt, bool) {
	if format != "" {
		if strings.Contains(format, "%s") {
			p.errorf(format, p.found())
		} else {
			p.errorf("%s", format)
		}
	}
	p.skipStatement()
	return nil, false
}

func (p *parser) include(at Pos) (Stmt, bool) {
	if p.tok.kind != tWord && p.tok.kind != tString && p.tok.kind != tVar {
		return p.fail(`expected a block's name or a quoted file name after include, as in include gold; or include "gold.dcs";, got %s`)
	}
	x, ok := p.primary(false)
	if !ok {
		return p.fail("")
	}
	if p.tok.kind == ',' {
		return p.fail("include takes one name: write an include statement for each")
	}
	if !p.semicolon("include") {
		return p.fail("")
	}
	return &Include{Pos: at, Target: x}, true
}

func (p *parser) defaultValue(at Pos) (Stmt, bool) {
	text := p.text()
	switch {
	case p.tok.kind == tVar:
		return p.fail("default takes the variable's name without the dollar sign, as in default down 512;, got %s")
	case p.tok.kind == '{':
		return p.fail("default { … } is only allowed among the cases of a select; for a variable write default name value;")
	case p.tok.kind != tWord:
		return p.fail("expected a variable's name after default, as in default down 512;, got %s")
	case !isLetter(text[0]) && text[0] != '_' || strings.ContainsAny(text, ".:-'\""):
		return p.fail("%s is not a variable name: it begins with a letter and holds letters, digits and underscores")
	}
	p.advance()
	if p.tok.kind == '=' {
		p.errorf("default takes no = sign; write default %s value;", text)
		p.advance()
	}
	if p.tok.kind == ';' || p.tok.kind == '}' {
		return p.fail("default " + text + ` has no value: write default ` + text + ` value;, in quotes if it is text`)
	}
	x, ok := p.value(false)
	if !ok || !p.semicolon("default") {
		return p.fail("")
	}
	return &Default{Pos: at, Name: text, Value: x}, true
}

// semicolon reads the end of a statement that began with what.
func (p *parser) semicolon(what string) bool {
	if p.prev.cut {
		p.dropped = true
		p.afterCut()
		return true
	}
	if p.tok.kind == ';' {
		p.advance()
		return true
	}
	if p.touching() {
		return false
	}
	switch p.tok.kind {
	case tEOF:
		return true // the missing brace is reported anyway
	case '}':
		p.missingSemicolon(what)
		return true
	case tWord:
		if p.tok.first && (identifier(p.text()) || p.startsItem()) {
			p.missingSemicolon(what)
			return true
		}
	}
	p.errorf("expected ; at the end of %s, got %s", what, p.found())
	return false
}

// missingSemicolon reports a missing semicolon at its place.
func (p *parser) missingSemicolon(what string) {
	p.errorAtEnd("%s has no ; at its end; add it here, before %s", clip(what), p.found())
}

// setting reads "Keyword value…;" or "Keyword value… { … }".
func (p *parser) setting(keyword string) *Setting {
	s := p.nodes.setting(Setting{Pos: p.here(), Keyword: keyword})
	from := len(p.values)
	ok := p.operands(s)
	s.Values, p.values = p.nodes.values(p.values[from:]), p.values[:from]
	if !ok {
		return nil
	}
	return s
}

// operands reads what follows the keyword of a setting, and appends the values to p.values. It returns false if there is an error in it.
func (p *parser) operands(s *Setting) bool {
	keyword, from := s.Keyword, len(p.values)
	p.advance()
	for {
		switch p.tok.kind {
		case ';':
			s.End = p.here()
			p.advance()
			return true
		case '{':
			s.Group = true
			s.Body, s.End = p.nested(keyword)
			return true
		case '}':
			p.missingSemicolon(keyword)
			s.End = p.pos(p.prevLine, p.prevCol)
			return true
		case tEOF:
			s.End = p.here()
			return true
		case '=':
			if p.prev.kind != '=' {
				p.errorf("settings take no = sign; write %s value;", clip(keyword))
			}
			p.advance()
			continue
		case tWord:
			if len(p.values) > from && p.startsStatement() || p.tok.first && p.startsItem() {
				p.missingSemicolon(keyword)
				s.End = p.pos(p.prevLine, p.prevCol)
				return true
			}
		}
		if len(p.values) > from && p.touching() {
			p.skipStatement()
			return false
		}
		x, ok := p.value(true)
		if !ok {
			p.skipStatement()
			return false
		}
		p.values = append(p.values, x)
		if p.prev.cut {
			s.End = p.pos(p.prevLine, p.prevCol)
			p.afterCut()
			return false
		}
	}
}

// touching reports two values without a space between them, which were probably meant as one.
func (p *parser) touching() bool {
	if p.tok.gap || !operand(p.prev.kind) || !operand(p.tok.kind) {
		return false
	}
	before, after := p.src[p.prev.off:p.prev.end], p.text()
	switch {
	case p.tok.kind == tBad:
		p.lastLine = p.tok.line
	case p.prev.kind == tWord && p.tok.kind == tString:
		return false // String"text" is no less clear than String "text"
	case p.prev.kind == tString || p.tok.kind == tString:
		p.errorf(`a string touches the next value; put a space between them, or write a quote inside of a string as \"`)
	case p.prev.kind == tVar && (after == "k" || after == "M" || after == "G"):
		p.errorf("suffixes follow digits only; write %s * 1%s", before, after)
	case p.prev.kind == tVar || p.tok.kind == tVar:
		p.errorf(`variables inside of a word expand in quotes only; write "%s%s"`, clip(before), clip(after))
	default:
		p.errorf("two values touch; put a space between %s and %s, or quotes around both", clip(before), clip(after))
	}
	return true
}

func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

func operand(k kind) bool { return k >= tWord && k <= tBad }
