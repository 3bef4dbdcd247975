package syntax

import (
	"fmt"
	"strings"
)

// statement reads one statement, the current token being its first word. It returns nil if
// there was an error in it.
func (p *parser) statement(what string, open Pos) Stmt {
	text := p.text()
	if p.startsItem() {
		p.errorf("%s stands inside of %s, whose { was opened at %v: an item cannot stand in another; is the } missing before it?", text, what, open)
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
			p.errorf("a keyword takes no colon: write %s value;", trim)
		default:
			p.errorf("a keyword is expected here, not %s: it begins with a letter and holds letters, digits and underscores", p.found())
		}
		p.skipStatement()
		return nil
	}
	if p.item == Text || p.item == Binary {
		p.errorf("a %v holds no settings, so %s cannot stand here: default, select and reject can", p.item, text)
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
			return p.fail(`a reason in quotes is expected after reject, as in reject "no such tier";, not %s`)
		}
		s, ok := p.str()
		if !ok || !p.semicolon("reject") {
			return p.fail("")
		}
		return &Reject{Pos: at, Reason: s}, true
	}
	if p.item != Main && p.item != Mta && p.item != Block || p.group > 0 {
		p.errorAt(at.Line, at.Col, "hash stands directly in an Mta { … }: it names the hash object of an MTA's file")
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
		return p.fail("na, eu, ietf or none is expected after hash, not %s")
	}
	if !p.semicolon("hash") {
		return p.fail("")
	}
	return &Hash{Pos: at, Variant: variant}, true
}

// fail reports an error, in which %s is the token found instead, and skips the statement.
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
		return p.fail(`a block's name or a file's name in quotes is expected after include, as in include gold; or include "gold.dcs";, not %s`)
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
		return p.fail("default takes the variable's name without the dollar sign, as in default down 512;, not %s")
	case p.tok.kind == '{':
		return p.fail("default { … } stands among the cases of a select only; for a variable write default name value;")
	case p.tok.kind != tWord:
		return p.fail("a variable's name is expected after default, as in default down 512;, not %s")
	case !isLetter(text[0]) && text[0] != '_' || strings.ContainsAny(text, ".:-'\""):
		return p.fail("%s is no variable's name: it begins with a letter and holds letters, digits and underscores")
	}
	p.advance()
	if p.tok.kind == '=' {
		p.errorf("default has no = sign: write default %s value;", text)
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

func (p *parser) selectStmt(at Pos) (Stmt, bool) {
	s := &Select{Pos: at}
	var good bool
	if p.tok.kind == '{' {
		p.errorf("select has no subject: write what is compared with the labels, as in select $tier { … }")
	} else if s.Subject, good = p.expression(false); !good || p.tok.kind != '{' {
		if good {
			p.errorf("a { with the cases is expected after the subject of select, not %s", p.found())
		}
		good = false
		if !p.skipTo('{') {
			return nil, false
		}
	}
	open := p.here()
	if p.depth == maxDepth {
		p.body("select") // says that it is too deep, and skips
		return nil, false
	}
	p.depth++
	p.advance()
	labels := map[string]Pos{}
	for !p.unwind {
		switch p.tok.kind {
		case '}':
			p.depth--
			s.End = p.here()
			p.advance()
			if good && len(s.Cases) == 0 {
				p.errorAt(at.Line, at.Col, "this select has no cases: write label { … } or default { … } between its braces")
				good = false
			}
			return s, good
		case tEOF:
			p.unclosed("select", open)
			p.depth--
			s.End = p.here()
			return s, good && len(s.Cases) > 0
		case ';':
			p.advance()
		default:
			if p.tok.kind == tWord && p.startsItem() {
				p.statement("select", open)
				break
			}
			c, ok := p.selectCase(labels)
			if ok {
				s.Cases = append(s.Cases, c)
			} else {
				good = false
			}
		}
	}
	return s, false
}

// skipTo goes to the token k or to the end of the statement, with which false is returned.
func (p *parser) skipTo(k kind) bool {
	if p.tok.kind == k {
		return true
	}
	p.mute = p.lastLine
	defer func() { p.mute = 0 }()
	for p.tok.kind != k {
		switch p.tok.kind {
		case ';':
			p.advance()
			return false
		case '}', tEOF:
			return false
		}
		if p.tok.cut {
			p.advance()
			return false
		}
		p.advance()
	}
	return true
}

// selectCase reads "label, label { … }" or "default { … }".
func (p *parser) selectCase(labels map[string]Pos) (*Case, bool) {
	c := &Case{Pos: p.here()}
	good := true
	taken := func(key, text string, at Pos) {
		if old, ok := labels[key]; ok {
			p.errorAt(at.Line, at.Col, "%s is a label of this select already, at %v: one of the two would never be chosen", text, old)
			good = false
			return
		}
		labels[key] = at
	}
	if p.tok.kind == tWord && p.text() == "default" && p.peek.kind == '{' {
		c.Default = true
		taken("", "default", c.Pos)
		p.advance()
	} else {
		for good {
			at := p.here()
			x, key, ok := p.label()
			if !ok {
				good = false
				break
			}
			c.Labels = append(c.Labels, x)
			taken("="+key, key, at)
			if p.tok.kind != ',' {
				break
			}
			p.advance()
		}
		if good && p.tok.kind != '{' {
			p.errorf("a { is expected after the label of a case, not %s: write label { … } or label, label { … }", p.found())
			good = false
		}
	}
	if !p.skipTo('{') {
		return nil, false
	}
	what := "default"
	if !c.Default {
		what = "the case"
	}
	c.Body, c.End = p.body(what)
	return c, good
}

// label reads a constant and returns what it is compared by.
func (p *parser) label() (x Expr, key string, ok bool) {
	const want = "a label is a number, a word or a string"
	switch p.tok.kind {
	case '-', tNumber:
		n, ok := p.signed(want)
		if !ok {
			return nil, "", false
		}
		key = fmt.Sprint(n.Value)
		if n.Neg {
			key = "-" + key
		}
		return n, key, true
	case tString:
		at := p.here()
		text, ok := p.literal("a label is constant")
		if !ok || p.prev.cut {
			return nil, "", false
		}
		s := &String{Pos: at}
		if text != "" {
			s.Parts = []Part{{Lit: text}}
		}
		return s, text, true
	case tWord, tHex:
		x, ok = p.primary(false)
		switch x := x.(type) {
		case *Word:
			key = x.Text
		case *Hex:
			key = "0x" + x.Text
		}
		return x, key, ok
	case tVar:
		p.errorf("%s: a label is constant; the variable stands behind select", p.found())
	case '{':
		p.errorf("this case has no label: write label { … } or default { … }")
	default:
		p.errorf("a case is expected here, not %s: write label { … } or default { … }; %s", p.found(), want)
	}
	return nil, "", false
}

// semicolon reads the end of the statement that began with what.
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
		return true // the brace that is missing, too, is reported
	case '}':
		p.missingSemicolon(what)
		return true
	case tWord:
		if p.tok.first && (identifier(p.text()) || p.startsItem()) {
			p.missingSemicolon(what)
			return true
		}
	}
	p.errorf("a ; is expected at the end of %s, not %s", what, p.found())
	return false
}

// missingSemicolon reports it where it should stand.
func (p *parser) missingSemicolon(what string) {
	p.errorAtEnd("%s has no ; at its end: write it here, before %s", clip(what), p.found())
}

// setting reads "Keyword value…;" or "Keyword value… { … }".
func (p *parser) setting(keyword string) *Setting {
	s := &Setting{Pos: p.here(), Keyword: keyword}
	p.advance()
	for {
		switch p.tok.kind {
		case ';':
			s.End = p.here()
			p.advance()
			return s
		case '{':
			s.Group = true
			s.Body, s.End = p.nested(keyword)
			return s
		case '}':
			p.missingSemicolon(keyword)
			s.End = p.pos(p.prevLine, p.prevCol)
			return s
		case tEOF:
			s.End = p.here()
			return s
		case '=':
			if p.prev.kind != '=' {
				p.errorf("a setting has no = sign: write %s value;", clip(keyword))
			}
			p.advance()
			continue
		case tWord:
			if len(s.Values) > 0 && p.startsStatement() || p.tok.first && p.startsItem() {
				p.missingSemicolon(keyword)
				s.End = p.pos(p.prevLine, p.prevCol)
				return s
			}
		}
		if len(s.Values) > 0 && p.touching() {
			p.skipStatement()
			return nil
		}
		x, ok := p.value(true)
		if !ok {
			p.skipStatement()
			return nil
		}
		s.Values = append(s.Values, x)
		if p.prev.cut {
			s.End = p.pos(p.prevLine, p.prevCol)
			p.afterCut()
			return nil
		}
	}
}

// touching reports two values without a space between them, which are one value in their
// writer's mind.
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
		p.errorf(`a string touches the value beside it: put a space between them, or write a quote inside of a string as \"`)
	case p.prev.kind == tVar && (after == "k" || after == "M" || after == "G"):
		p.errorf("a suffix belongs to digits: write %s * 1%s", before, after)
	case p.prev.kind == tVar || p.tok.kind == tVar:
		p.errorf(`a variable inside of a word expands in quotes only: write "%s%s"`, clip(before), clip(after))
	default:
		p.errorf("two values touch: put a space between %s and %s, or quotes around both", clip(before), clip(after))
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
