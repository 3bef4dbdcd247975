package syntax

import (
	"slices"
	"strings"
)

// parseItem reads an item; the current token is its keyword. An item with an error is Broken.
func (p *parser) parseItem(k ItemKind, f *File) *Item {
	it := &Item{Pos: p.here(), End: p.here(), Kind: k}
	p.item = k
	faults, start := p.faults, p.tok.end
	first := p.tok.off
	defer func() {
		it.Broken = it.Header != "" || p.faults > faults
		it.text, it.dialect = p.src[first:p.prev.end], p.dialect
	}()
	switch {
	case p.dialect == DCS:
	case k != Main:
		p.onlyDCS(k.String(), "here one Main { … } holds everything")
	case len(f.Items) > 0:
		p.onlyDCS("a second Main", "here one Main { … } holds everything")
	}
	p.advance()
	if !p.header(it) {
		it.misread(p.headerFrom(start))
		p.skipHeader()
	} else if p.tok.kind != '{' {
		if k == Text || k == Binary {
			it.End = p.pos(p.prev.line, p.prev.col)
			return it
		}
		p.errorAtEnd("%v has no body; expected {, got %s", k, p.found())
		it.misread(p.headerFrom(start))
		p.skipHeader()
	}
	if p.tok.kind != '{' {
		return it
	}
	it.HasBody = true
	it.Body, it.End = p.body(k.String())
	return it
}

// misread marks an item as one with an error in its header.
func (it *Item) misread(header string) {
	it.Name, it.Pattern, it.Header = "", false, " "+header // never empty
}

// header reads the tokens between an item's keyword and its body.
func (p *parser) header(it *Item) bool {
	k := it.Kind
	named := true
	switch p.tok.kind {
	case '~':
		p.onlyDCS("a pattern", "here it is Main { … }")
		if k == Block {
			p.errorf("a Block is included by its name and cannot have a pattern: write Block name { … }")
			return false
		}
		p.advance()
		if p.tok.kind != tString {
			p.errorf(`expected a quoted pattern after ~, as in %v ~ "^gold-(?P<cpe>[0-9]+)\.bin$"`, k)
			return false
		}
		it.Pattern, it.NamePos = true, p.here()
		it.Name = patternText(p.inner())
		p.advance()
	case tString:
		p.onlyDCS("a name", "here it is Main { … }")
		it.NamePos = p.here()
		name, ok := p.literal("names are literal; a pattern takes a ~ before it, and a dollar sign in a name is $$")
		if !ok {
			return false
		}
		it.Name = name
	case tWord:
		text := p.text()
		switch {
		case k == Block:
			it.Name, it.NamePos = text, p.here()
			p.advance()
		case text == "priority" || text == "from" || text == "resign":
			named = false
		default:
			p.errorf(`the name of a %v is quoted, or follows ~ if it is a pattern; write %v "%s"`, k, k, clip(text))
			return false
		}
	case tVar:
		p.errorf("an item's name cannot be a variable: give a pattern instead, as in %v ~ \"^gold-(?P<cpe>[0-9]+)$\"", k)
		return false
	case tNumber, tHex:
		p.errorf(`the name of a %v is quoted; write %v "%s"`, k, k, p.text())
		return false
	default:
		named = false
	}
	switch {
	case !named && k == Block:
		p.errorf("a Block has a name, by which it is included: write Block name { … }, not %s", p.found())
		return false
	case named && p.prev.cut:
		return false
	case named && it.Name == "":
		p.errorAt(it.NamePos.Line, it.NamePos.Col, "empty name; write the name that is requested, or leave it out to serve the file under its own name")
		return false
	}
	for p.tok.kind == tWord {
		word := p.text()
		switch word {
		case "priority", "from", "resign":
			p.onlyDCS(word, "here it is Main { … }")
			if k == Block {
				p.errorf("a Block is not requested by name and takes no %s: write Block name { … }", word)
				return false
			}
		}
		switch word {
		case "priority":
			if it.HasPriority {
				p.errorf("duplicate priority; keep one")
				return false
			}
			p.advance()
			at := p.here()
			x, ok := p.signed("priority takes a whole number, as in priority 10")
			if !ok {
				return false
			}
			if x.Value > 1<<31-1 {
				p.errorAt(at.Line, at.Col, "priority %s is too large: it is a whole number from -2147483647 to 2147483647", x.Text)
				return false
			}
			it.HasPriority, it.Priority = true, int(x.Value)
			if x.Neg {
				it.Priority = -it.Priority
			}
		case "from":
			if k != Text && k != Binary {
				p.errorf("only Text and Binary are made from a file: a %v has a body; put what several share in a Block and include it", k)
				return false
			}
			if it.From != nil {
				p.errorf("duplicate from; an item is made from one file")
				return false
			}
			p.advance()
			if p.tok.kind != tString {
				p.errorf(`expected a quoted file name after from, as in from "router.tmpl", got %s`, p.found())
				return false
			}
			s, ok := p.str()
			if !ok {
				return false
			}
			it.From = &String{Pos: s.Pos, Parts: slices.Clone(s.Parts)} // out of a Reader's memory
		case "resign":
			if k != Binary {
				p.errorf("only a Binary takes resign: a %v is signed whenever it is rendered", k)
				return false
			}
			it.Resign = true
			p.advance()
		default:
			if k == Text || k == Binary {
				return p.needsFrom(it)
			}
			p.errorf("unexpected %s: expected {, after a quoted name and priority N if there are any", p.found())
			return false
		}
	}
	return p.needsFrom(it)
}

func (p *parser) needsFrom(it *Item) bool {
	if it.From == nil && (it.Kind == Text || it.Kind == Binary) {
		p.errorAtEnd(`a %v is made from a file, whose name is missing: write %v "name" from "file"`, it.Kind, it.Kind)
		return false
	}
	return true
}

// skipHeader skips to the body, if there is one, of an item with an error in its header.
func (p *parser) skipHeader() {
	p.mute = p.lastLine
	defer func() { p.mute = 0 }()
	for {
		switch p.tok.kind {
		case '{', '}', ';', tEOF:
			return
		case tWord:
			if _, ok := itemKind(p.text()); ok && p.tok.first {
				return
			}
		}
		p.advance()
	}
}

// patternText resolves \" in a pattern and leaves all other escapes to the regular expression.
func patternText(raw string) string {
	if !strings.Contains(raw, `\"`) {
		return raw
	}
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		if raw[i] == '\\' && i+1 < len(raw) {
			if raw[i+1] != '"' {
				b.WriteByte('\\')
			}
			i++
		}
		b.WriteByte(raw[i])
	}
	return b.String()
}
