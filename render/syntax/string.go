package syntax

import "strings"

// inner returns the text between the quotes of the current token.
func (p *parser) inner() string {
	s := p.src[p.tok.off+int(p.tok.lq) : p.tok.end-int(p.tok.rq)]
	if p.tok.cut {
		s = strings.TrimSuffix(s, "\r")
	}
	return s
}

// str reads a string with variables.
func (p *parser) str() (*String, bool) {
	s := p.nodes.str(String{Pos: p.here()})
	line, col := p.tok.line, p.tok.col+int(p.tok.lq)
	inner := p.inner()
	if strings.IndexByte(inner, '\\') < 0 && (p.dialect == Docsis || strings.IndexByte(inner, '$') < 0) {
		if inner != "" {
			s.Parts = p.nodes.part(Part{Lit: inner})
		}
		p.advance()
		return s, true
	}
	var ok bool
	s.Parts, ok = p.parts(inner, func(i int) (int, int) { return line, col + i }, true)
	if !ok {
		return nil, false
	}
	p.advance()
	return s, true
}

// literal reads a string that cannot contain variables; why is the reason for the error.
func (p *parser) literal(why string) (string, bool) {
	at, errs := p.here(), len(p.errs)
	s, ok := p.str()
	if ok {
		if text, ok := s.Literal(); ok {
			return text, true
		}
		for _, part := range s.Parts {
			if part.Var != nil {
				at = part.Var.Pos
				break
			}
		}
	} else if len(p.errs) > errs {
		at, p.errs = p.errs[errs].Pos, p.errs[:errs]
	}
	p.errorAt(at.Line, at.Col, "variable in a string that cannot hold one: %s", why)
	return "", false
}

// parts splits a string at its variables. place returns the position of the octet i of s; it is called in ascending
// order of i.
func (p *parser) parts(s string, place func(i int) (line, col int), escapes bool) ([]Part, bool) {
	special := "$\\"
	switch {
	case !escapes:
		special = "$"
	case p.dialect == Docsis:
		special = "\\"
	}
	var parts []Part
	var lit strings.Builder
	good := true
	rest := 0 // s is processed up to here
	for {
		i := strings.IndexAny(s[rest:], special)
		if i < 0 {
			break
		}
		i += rest
		lit.WriteString(s[rest:i])
		rest = i + 1
		switch {
		case s[i] == '\\':
			if rest < len(s) && (s[rest] == '"' || s[rest] == '\\') {
				lit.WriteByte(s[rest])
				rest++
			} else {
				lit.WriteByte('\\')
			}
		case rest < len(s) && s[rest] == '$':
			lit.WriteByte('$')
			rest++
		default:
			name, n, msg := scanVar(s[i:])
			line, col := place(i)
			rest = i + n
			if name == "" {
				p.errorAt(line, col, "%s", msg)
				good = false
				break
			}
			if lit.Len() > 0 {
				parts = append(parts, Part{Lit: lit.String()})
				lit.Reset()
			}
			parts = append(parts, Part{Var: &Var{Pos: p.pos(line, col), Name: name}})
		}
	}
	lit.WriteString(s[rest:])
	if lit.Len() > 0 {
		parts = append(parts, Part{Lit: lit.String()})
	}
	return parts, good
}
