package mib

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// This file parses MIB modules in SMIv1 (RFC 1155, 1212, 1215) and SMIv2 (RFC 2578 to 2580), as far
// as names, OIDs, types and indices are concerned. It skips everything else, so that an error
// elsewhere in a vendor's module does not exclude its objects.

// module is a parsed MIB module.
type module struct {
	file    string
	line    int // of the module's first token
	name    string
	imports map[string]string // name to module
	types   map[string]*smiType
	objects []*smiObject
	byName  map[string]*smiObject
	faults  []smiFault
	edition string // see Object
}

// smiFault is what kept a part of a module from being parsed.
type smiFault struct {
	name string // the definition that is left out; empty for none
	err  error  // "LINE: cause"
}

// smiObject is a named node: OBJECT-TYPE, OBJECT IDENTIFIER, MODULE-IDENTITY, …
type smiObject struct {
	name       string
	line       int
	macro      string // "OBJECT IDENTIFIER" for a plain value
	oid        []smiArc
	enterprise string // of a TRAP-TYPE, whose oid is its number alone
	syntax     *smiType
	access     string
	status     string
	index      []string
	implied    bool
	augments   string

	state resolving
	value []uint32
}

type resolving uint8

const (
	untouched resolving = iota
	underway
	resolved
)

type smiArc struct {
	name   string
	number uint32
	known  bool // number is set
}

type smiType struct {
	base     string // INTEGER, OCTET STRING, a convention, …; empty for a SEQUENCE
	table    bool   // SEQUENCE OF
	sequence bool   // SEQUENCE { }, CHOICE { }
	enums    []Enum
	ranges   []Range

	hint, status string // of a TEXTUAL-CONVENTION
}

// parseModules parses the modules in a text. A definition that cannot be parsed is left out, and so are faulty parts of a
// module's head; the module's faults list them. The error is that of a text in which no module begins.
func parseModules(src string) ([]*module, error) {
	tokens, err := lexSMI(strings.TrimPrefix(src, "\ufeff"))
	var modules []*module
	for at := nextModule(tokens, 0); at >= 0; {
		// What stands between modules, or before the first, is ignored.
		next, end := nextModule(tokens, at+1), len(tokens)-1
		if next >= 0 {
			end = next
		}
		own := append(tokens[at:end:end], smiToken{tokEnd, tokens[len(tokens)-1].text, tokens[end].line})
		p := &smiParser{tokens: own}
		m := p.module()
		if next < 0 && err != nil {
			m.faults = append(m.faults, smiFault{"", err})
		}
		modules = append(modules, m)
		at = next
	}
	if len(modules) > 0 {
		return modules, nil
	}
	return nil, err
}

// maxModuleOID is the number of tokens that the OID between a module's name and DEFINITIONS may have.
const maxModuleOID = 64

// nextModule returns the index of the first token of the first module that begins at from or later, -1 for none.
func nextModule(tokens []smiToken, from int) int {
	for i := from; i+1 < len(tokens); i++ {
		if tokens[i].kind != tokWord || tokens[i].text != "DEFINITIONS" || tokens[i+1].text != "::=" && tokens[i+1].text != "IMPLICIT" {
			continue
		}
		at := i - 1
		if at > from && tokens[at].text == "}" { // the OID between the module's name and DEFINITIONS
			for at > from && at > i-maxModuleOID && tokens[at].text != "{" {
				at--
			}
			if tokens[at].text != "{" {
				continue
			}
			at--
		}
		if at >= from {
			return at
		}
	}
	return -1
}

// defines reports whether both modules of a name have the same definitions.
func (m *module) defines(o *module) bool {
	return maps.Equal(m.imports, o.imports) && reflect.DeepEqual(m.types, o.types) &&
		slices.EqualFunc(m.objects, o.objects, func(a, b *smiObject) bool {
			x, y := *a, *b
			x.line, y.line = 0, 0
			return reflect.DeepEqual(&x, &y)
		})
}

func (p *smiParser) module() *module {
	m := &module{
		line:    p.peek().line,
		name:    p.word("a module's name"),
		imports: map[string]string{}, types: map[string]*smiType{}, byName: map[string]*smiObject{},
	}
	p.skipTo("DEFINITIONS")
	p.skipTo("::=")
	p.expect("BEGIN")
	p.recover(m, 0, "")
	if m.name == "" {
		return m
	}
	for p.until("END") {
		from := p.at
		name := ""
		switch {
		case p.accept("IMPORTS"):
			p.imports(m)
		case p.accept("EXPORTS"):
			p.skipTo(";")
		default:
			name = p.peek().text
			p.assignment(m)
		}
		p.recover(m, from, name)
	}
	p.recover(m, len(p.tokens)-1, "")
	return m
}

// maxAgain is how often a module's tokens may be read again after errors, on average. That only ends modules of which nearly
// every definition is broken off.
const maxAgain = 16

// recover notes an error in what began at the token from, the definition of name if that is not empty, and goes on with
// the next definition.
func (p *smiParser) recover(m *module, from int, name string) {
	if p.err == nil {
		return
	}
	m.faults = append(m.faults, smiFault{name, p.err})
	p.err = nil
	last := len(p.tokens) - 1
	if p.again += p.failed - from; p.again > maxAgain*len(p.tokens) && from < last {
		m.faults = append(m.faults, smiFault{"", fmt.Errorf("%d: so many definitions are broken off that the rest of the module is left out", p.tokens[from].line)})
		p.at = last
		return
	}
	for p.at = min(from+1, last); p.peek().kind != tokEnd && !p.is("END") && !p.atDefinition(); {
		p.at++
	}
}

// atDefinition reports whether a definition begins at the next token: "name OBJECT-TYPE", "Name ::= TYPE", …
func (p *smiParser) atDefinition() bool {
	if len(p.tokens)-p.at < 4 {
		return false
	}
	t := p.tokens[p.at : p.at+4]
	if t[0].kind != tokWord || t[1].kind != tokWord && t[1].kind != tokPunct {
		return false
	}
	upper := t[0].text[0] >= 'A' && t[0].text[0] <= 'Z'
	switch t[1].text {
	case "::=":
		return upper && t[2].kind == tokWord
	case "OBJECT-TYPE", "OBJECT-IDENTITY", "MODULE-IDENTITY", "NOTIFICATION-TYPE", "TRAP-TYPE", "OBJECT-GROUP", "NOTIFICATION-GROUP",
		"MODULE-COMPLIANCE", "AGENT-CAPABILITIES":
		return t[2].text != "," && t[2].text != "FROM" && t[2].text != "}"
	case "OBJECT":
		return !upper && t[2].text == "IDENTIFIER" && t[3].text == "::="
	}
	return false
}

func (p *smiParser) imports(m *module) {
	var names []string
	for p.until(";") {
		switch {
		case p.accept("FROM"):
			from := p.word("a module's name")
			for _, name := range names {
				m.imports[name] = from
			}
			names = names[:0]
			if p.is("{") {
				p.skipBraces() // the module's OID
			}
		case p.accept(","):
		case len(names) == 0 && p.atDefinition():
			p.fail(`";" is missing after IMPORTS`)
		default:
			names = append(names, p.word("a name or FROM"))
		}
	}
}

func (p *smiParser) assignment(m *module) {
	line := p.peek().line
	name := p.word("a definition")
	switch {
	case p.accept("MACRO"):
		p.skipTo("END")
	case p.accept("::="):
		m.types[name] = p.typeAssignment()
	default:
		o := &smiObject{name: name, line: line, macro: p.word("what " + name + " is")}
		switch {
		case o.macro == "OBJECT" && p.accept("IDENTIFIER"):
			o.macro = "OBJECT IDENTIFIER"
			p.expect("::=")
		case o.macro == "OBJECT-TYPE":
			p.objectType(o)
		default:
			p.otherMacro(m, o)
		}
		p.objectValue(o)
		if p.err != nil {
			return
		}
		if first := m.byName[name]; first == nil {
			m.objects = append(m.objects, o)
			m.byName[name] = o
		} else if !slices.Equal(first.oid, o.oid) {
			m.faults = append(m.faults, smiFault{"", fmt.Errorf("%d: %s is defined again, with another OID than in line %d, which counts", line, name, first.line)})
		}
	}
}

func (p *smiParser) typeAssignment() *smiType {
	if !p.accept("TEXTUAL-CONVENTION") {
		return p.syntax()
	}
	hint, status := "", ""
	for p.until("SYNTAX") {
		switch {
		case p.accept("DISPLAY-HINT"):
			hint = p.peek().text
		case p.accept("STATUS"):
			status = p.peek().text
		case p.atDefinition():
			p.fail("SYNTAX is missing")
		}
		p.next()
	}
	t := p.syntax()
	t.hint, t.status = hint, status
	return t
}

// objectType parses the clauses of an OBJECT-TYPE, up to and including ::=.
func (p *smiParser) objectType(o *smiObject) {
	for p.until("::=") {
		switch {
		case p.accept("SYNTAX"):
			o.syntax = p.syntax()
		case p.accept("WRITE-SYNTAX"):
			p.syntax()
		case p.accept("ACCESS"), p.accept("MAX-ACCESS"):
			o.access = p.word("an access")
		case p.accept("STATUS"):
			o.status = p.word("a status")
		case p.accept("INDEX"):
			p.expect("{")
			for p.until("}") {
				switch {
				case p.accept(","):
				case p.accept("IMPLIED"):
					o.implied = true
				default:
					o.index = append(o.index, p.word("an index object"))
				}
			}
		case p.accept("AUGMENTS"):
			p.expect("{")
			o.augments = p.word("a row")
			p.expect("}")
		case p.is("{"):
			p.skipBraces()
		default:
			p.clause(o)
		}
	}
}

// clause skips a token of a clause. It fails where the next definition begins, so that no object takes another's OID: in
// the text of a description whose closing quote is missing, too.
func (p *smiParser) clause(o *smiObject) {
	switch t := p.peek(); {
	case p.atDefinition():
		p.fail("the OID of %s is missing", o.name)
	case t.kind == tokText && strings.Contains(t.text, "::=") && definition().MatchString(t.text):
		p.fail("the closing quote of this text is missing, for it holds another definition")
	default:
		p.next()
	}
}

// otherMacro skips the clauses of another macro, up to and including ::=.
func (p *smiParser) otherMacro(m *module, o *smiObject) {
	for p.until("::=") {
		switch {
		case p.accept("LAST-UPDATED"):
			m.edition = edition(p.peek().text)
		case o.macro == "TRAP-TYPE" && p.accept("ENTERPRISE"):
			braced := p.accept("{")
			o.enterprise = p.word("an enterprise")
			if braced {
				p.expect("}")
			}
		case p.accept("STATUS"):
			if status := p.word("a status"); o.status == "" {
				o.status = status
			}
		default:
			p.clause(o)
		}
	}
}

// edition returns a LAST-UPDATED, YYYYMMDDHHMMZ or with two digits of the year (RFC 2578, section 2), as YYYYMMDDHHMM; "" if it is none.
func edition(s string) string {
	s = strings.TrimSuffix(s, "Z")
	if len(s) == 10 {
		s = "19" + s
	}
	if len(s) != 12 || strings.Trim(s, "0123456789") != "" {
		return ""
	}
	return s
}
