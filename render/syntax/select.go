package syntax

import "fmt"

func (p *parser) selectStmt(at Pos) (Stmt, bool) {
	s := &Select{Pos: at}
	var good bool
	if p.tok.kind == '{' {
		p.errorf("select has no subject; write what is compared with the labels, as in select $tier { … }")
	} else if s.Subject, good = p.expression(false); !good || p.tok.kind != '{' {
		if good {
			p.errorf("expected { after the subject of select, got %s", p.found())
		}
		good = false
		if !p.skipTo('{') {
			return nil, false
		}
	}
	open := p.here()
	if p.depth == maxDepth {
		p.body("select") // reports the depth, and skips
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
				p.errorAt(at.Line, at.Col, "select has no cases; write label { … } or default { … } between its braces")
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

// skipTo skips to the token k and returns true or, without one, skips to the end of the statement and returns false.
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
			p.errorAt(at.Line, at.Col, "duplicate label %s, already used at %v; only one of the two can be chosen", text, old)
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
			p.errorf("expected { after the label of a case, got %s; write label { … } or label, label { … }", p.found())
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

// label reads a constant, and returns the key that it is compared by.
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
		p.errorf("%s: labels are constant; the variable belongs after select", p.found())
	case '{':
		p.errorf("case without a label; write label { … } or default { … }")
	default:
		p.errorf("expected a case, got %s; write label { … } or default { … }; %s", p.found(), want)
	}
	return nil, "", false
}
