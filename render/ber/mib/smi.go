package mib

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// This file reads the text of MIB modules, SMIv1 (RFC 1155, 1212, 1215) and SMIv2 (RFC 2578
// to 2580), as far as names, OIDs, types and indices go. Everything else is passed over, so
// that a slip in a vendor's module does not keep its objects out.

// module is what one MIB module says.
type module struct {
	file    string
	line    int // where it begins
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
	known  bool // number is there
}

type smiType struct {
	base     string // INTEGER, OCTET STRING, a convention, …; empty for a SEQUENCE
	table    bool   // SEQUENCE OF
	sequence bool   // SEQUENCE { }, CHOICE { }
	enums    []Enum
	ranges   []Range
}

type smiToken struct {
	kind tokenKind
	text string
	line int
}

type tokenKind uint8

const (
	tokEnd tokenKind = iota
	tokWord
	tokNumber
	tokText // between double quotes
	tokPunct
)

// lexSMI cuts a module's text into tokens. A comment goes from -- to the end of the line, as
// rows of dashes are common and a second -- that ends one is not.
func lexSMI(src string) ([]smiToken, error) {
	var tokens []smiToken
	line := 1
	for i := 0; i < len(src); {
		c := src[i]
		from := i
		switch {
		case c == '\n':
			line++
			i++
			continue
		case c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == 0x1a:
			i++
			continue
		case strings.HasPrefix(src[i:], "--"):
			if n := strings.IndexByte(src[i:], '\n'); n >= 0 {
				i += n
			} else {
				i = len(src)
			}
			continue
		case c == '"':
			n := strings.IndexByte(src[i+1:], '"')
			if n < 0 {
				return nil, fmt.Errorf("%d: the closing quote of this text is missing", line)
			}
			i += n + 2
			tokens = append(tokens, smiToken{tokText, src[from+1 : i-1], line})
			line += strings.Count(src[from:i], "\n")
			continue
		case c == '\'':
			n := strings.IndexByte(src[i+1:], '\'')
			if n < 0 || i+n+2 >= len(src) {
				return nil, fmt.Errorf("%d: the closing quote of this number is missing", line)
			}
			i += n + 3
			base := 0
			switch src[i-1] {
			case 'h', 'H':
				base = 16
			case 'b', 'B':
				base = 2
			}
			text := "0"
			if v, err := strconv.ParseUint(src[from+1:i-2], base, 64); err == nil && base != 0 {
				text = strconv.FormatUint(v, 10)
			}
			tokens = append(tokens, smiToken{tokNumber, text, line})
			continue
		case isLetter(c):
			for i < len(src) && (isLetter(src[i]) || isDigit(src[i]) || src[i] == '_' || src[i] == '-' && !strings.HasPrefix(src[i:], "--")) {
				i++
			}
			tokens = append(tokens, smiToken{tokWord, src[from:i], line})
			continue
		case isDigit(c):
			for i < len(src) && isDigit(src[i]) {
				i++
			}
			tokens = append(tokens, smiToken{tokNumber, src[from:i], line})
			continue
		case strings.HasPrefix(src[i:], "::="):
			i += 3
		case strings.HasPrefix(src[i:], ".."):
			i += 2
		default:
			i++
		}
		tokens = append(tokens, smiToken{tokPunct, src[from:i], line})
	}
	return append(tokens, smiToken{tokEnd, "the end of the file", line}), nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// smiParser reads tokens. The first error sends it to the end, where every loop stops.
type smiParser struct {
	tokens []smiToken // the last one is tokEnd
	at     int
	err    error
}

func (p *smiParser) peek() smiToken { return p.tokens[p.at] }

func (p *smiParser) next() smiToken {
	t := p.tokens[p.at]
	if t.kind != tokEnd {
		p.at++
	}
	return t
}

func (p *smiParser) is(text string) bool {
	t := p.peek()
	return t.text == text && (t.kind == tokPunct || t.kind == tokWord)
}

func (p *smiParser) accept(text string) bool {
	if p.is(text) {
		p.at++
		return true
	}
	return false
}

func (p *smiParser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("%d: %s", p.peek().line, fmt.Sprintf(format, args...))
	}
	p.at = len(p.tokens) - 1
}

// until is the condition of a loop that ends at a token, which it consumes.
func (p *smiParser) until(text string) bool {
	if p.accept(text) {
		return false
	}
	if p.peek().kind == tokEnd {
		p.fail("%q is missing", text)
		return false
	}
	return true
}

func (p *smiParser) expect(text string) {
	if !p.accept(text) {
		p.fail("%q where %q is due", p.peek().text, text)
	}
}

func (p *smiParser) word(what string) string {
	if t := p.peek(); t.kind != tokWord {
		p.fail("%q where %s is due", t.text, what)
		return ""
	}
	return p.next().text
}

// skipTo passes over everything up to and including a token.
func (p *smiParser) skipTo(text string) {
	for p.until(text) {
		p.next()
	}
}

// skipBraces passes over { … }.
func (p *smiParser) skipBraces() {
	p.expect("{")
	for depth := 1; depth > 0 && p.err == nil; {
		switch {
		case p.accept("{"):
			depth++
		case p.accept("}"):
			depth--
		case p.next().kind == tokEnd:
			p.fail("a closing brace is missing")
		}
	}
}

// parseModules reads all modules in a text. The error joins a *moduleError for each that is not among them.
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

// nextModule returns where the module after the one that begins at from begins.
func nextModule(tokens []smiToken, from int) int {
	own := true // the first is that of the module itself
	for i := from; i < len(tokens); i++ {
		if tokens[i].kind != tokWord || tokens[i].text != "DEFINITIONS" {
			continue
		}
		if own {
			own = false
			continue
		}
		at := i - 1
		if tokens[at].text == "}" { // its OID stands between the name and the word
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

// defines tells whether the module says the same as another one of its name.
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

// objectType reads the clauses of an OBJECT-TYPE, up to and including ::=.
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

// otherMacro passes over the clauses of another macro, up to and including ::=.
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

// objectValue reads what stands after ::=.
func (p *smiParser) objectValue(o *smiObject) {
	if o.macro == "TRAP-TYPE" {
		o.oid = []smiArc{p.arc()}
		return
	}
	p.expect("{")
	for p.until("}") {
		p.accept(",")
		o.oid = append(o.oid, p.arc())
	}
	if len(o.oid) == 0 {
		p.fail("the OID of %s is empty", o.name)
	}
}

func (p *smiParser) arc() (a smiArc) {
	if p.peek().kind == tokWord {
		a.name = p.next().text
		if !p.accept("(") {
			return a
		}
	}
	t := p.peek()
	n, err := strconv.ParseUint(t.text, 10, 32)
	if t.kind != tokNumber || err != nil {
		p.fail("%q where an arc, 0 to 4294967295, is due", t.text)
		return a
	}
	p.next()
	a.number, a.known = uint32(n), true
	if a.name != "" {
		p.expect(")")
	}
	return a
}

func (p *smiParser) syntax() *smiType {
	t := &smiType{}
	for p.accept("[") {
		p.skipTo("]")
		p.accept("IMPLICIT")
	}
	t.base = p.word("a type")
	switch t.base {
	case "SEQUENCE", "CHOICE":
		t.base = ""
		if p.accept("OF") {
			t.table = true
			p.word("a row's type")
			return t
		}
		t.sequence = true
		p.skipBraces()
		return t
	case "OCTET", "BIT":
		p.expect("STRING")
		t.base += " STRING"
	case "OBJECT":
		p.expect("IDENTIFIER")
		t.base += " IDENTIFIER"
	}
	if p.accept(".") {
		t.base = p.word("a type")
	}
	if p.accept("{") {
		for p.until("}") {
			if p.accept(",") {
				continue
			}
			label := p.word("a label")
			p.expect("(")
			t.enums = append(t.enums, Enum{label, p.integer()})
			p.expect(")")
		}
		slices.SortStableFunc(t.enums, func(a, b Enum) int {
			switch {
			case a.Value < b.Value:
				return -1
			case a.Value > b.Value:
				return 1
			}
			return 0
		})
	}
	if p.accept("(") {
		if p.accept("SIZE") {
			p.expect("(")
			t.ranges = p.ranges()
			p.expect(")")
		} else {
			t.ranges = p.ranges()
		}
	}
	return t
}

// ranges reads up to and including the closing parenthesis.
func (p *smiParser) ranges() (ranges []Range) {
	for p.err == nil {
		lo := p.integer()
		hi := lo
		if p.accept("..") {
			hi = p.integer()
		}
		ranges = append(ranges, Range{lo, hi})
		if p.accept(")") {
			return ranges
		}
		p.expect("|")
	}
	return nil
}

// integer reads a number. One beyond 64 bits is taken as the greatest.
func (p *smiParser) integer() int64 {
	switch {
	case p.accept("MIN"):
		return math.MinInt64
	case p.accept("MAX"):
		return math.MaxInt64
	}
	negative := p.accept("-")
	t := p.peek()
	if t.kind != tokNumber {
		p.fail("%q where a number is due", t.text)
		return 0
	}
	p.next()
	v, err := strconv.ParseInt(t.text, 10, 64)
	if err != nil {
		v = math.MaxInt64
	}
	if negative {
		return -v
	}
	return v
}
