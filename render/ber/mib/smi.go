package mib

import (
	"errors"
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
}

// parseModules parses all modules in a text. The error joins a *moduleError for each module that
// could not be parsed.
func parseModules(src string) ([]*module, error) {
	tokens, err := lexSMI(strings.TrimPrefix(src, "\ufeff"))
	if err != nil {
		return nil, err
	}
	p := &smiParser{tokens: tokens}
	var modules []*module
	var errs []error
	for p.peek().kind != tokEnd {
		from := p.at
		m := p.module()
		if p.err == nil {
			modules = append(modules, m)
			continue
		}
		errs = append(errs, &moduleError{m.name, p.err})
		p.err, p.at = nil, nextModule(tokens, from)
	}
	return modules, errors.Join(errs...)
}

// nextModule returns the index of the first token of the module after the one at from.
func nextModule(tokens []smiToken, from int) int {
	own := true // the first DEFINITIONS is the module's own
	for i := from; i < len(tokens); i++ {
		if tokens[i].kind != tokWord || tokens[i].text != "DEFINITIONS" {
			continue
		}
		if own {
			own = false
			continue
		}
		at := i - 1
		if tokens[at].text == "}" { // the OID between the module's name and DEFINITIONS
			for at > from && tokens[at].text != "{" {
				at--
			}
			at--
		}
		if at > from {
			return at
		}
	}
	return len(tokens) - 1
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
	for p.until("END") {
		switch {
		case p.accept("IMPORTS"):
			p.imports(m)
		case p.accept("EXPORTS"):
			p.skipTo(";")
		default:
			p.assignment(m)
		}
	}
	return m
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
			p.otherMacro(o)
		}
		p.objectValue(o)
		if p.err == nil && m.byName[name] == nil {
			m.objects = append(m.objects, o)
			m.byName[name] = o
		}
	}
}

func (p *smiParser) typeAssignment() *smiType {
	if !p.accept("TEXTUAL-CONVENTION") {
		return p.syntax()
	}
	p.skipTo("SYNTAX")
	return p.syntax()
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
			p.next()
		}
	}
}

// otherMacro skips the clauses of another macro, up to and including ::=.
func (p *smiParser) otherMacro(o *smiObject) {
	for p.until("::=") {
		switch {
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
			p.next()
		}
	}
}
