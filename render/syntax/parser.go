package syntax

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	maxDepth      = 64    // of braces in one another
	maxExprDepth  = 64    // of parentheses and signs in one another
	maxName       = 64    // octets in which the end of a bad ${name} is looked for
	maxMessage    = 500   // octets of one error, whatever it quotes
	maxOverlooked = 10000 // headers of one file with errors that are looked for
	maxOperators  = 256   // in one expression, so that whoever walks it may recurse
)

// Parse reads one source file; name is what positions and errors call it. The error, if
// any, is of type Errors and holds all of the file's errors. The file comes back even then,
// with all that could be read: a statement with an error in it is left out, and its item is Broken.
func Parse(name string, src []byte, d Dialect) (*File, error) {
	p := newParser(name, src, d)
	f := &File{Name: name, Dialect: d}
	if p.encoding() {
		p.advance()
		p.advance()
		p.file(f)
	} else {
		f.Unread = true
	}
	f.Unread = f.Unread || p.open
	if len(p.errs) > 0 {
		p.overlooked(f)
	}
	return f, p.errs.cut(p.more)
}

// ParseText reads the file that a Text item is made from: any text, in which $name, ${name}
// and $1 are variables and $$ is a dollar sign. The error, if any, is of type Errors.
func ParseText(name string, src []byte) (*String, error) {
	p := newParser(name, nil, DCS)
	text := string(src)
	s := &String{Pos: p.pos(1, 1)}
	line, start, seen := 1, 0, 0
	s.Parts, _ = p.parts(text, func(i int) (int, int) {
		for {
			n := strings.IndexByte(text[seen:i], '\n')
			if n < 0 {
				seen = i
				return line, i - start + 1
			}
			line++
			seen += n + 1
			start = seen
		}
	}, false)
	return s, p.errs.cut(p.more)
}

func newParser(name string, src []byte, d Dialect) *parser {
	p := &parser{name: name}
	p.lexer = lexer{
		src: strings.TrimPrefix(string(src), "\ufeff"), line: 1, dialect: d,
		report: p.later, foreign: p.foreign,
	}
	return p
}

// A parser holds the current token and the one after it. Functions that read something
// return false when it could not be read: the error is reported then, and the caller's only
// duty is to find its way back to where a statement begins.
type parser struct {
	lexer
	name      string
	tok       token
	peek      token
	prev      token // before tok
	prevLine  int   // where prev ends
	prevCol   int
	pending   Errors // of peek: they count when it becomes tok
	errs      Errors
	more      int // errors beyond those in errs
	faults    int // errors found, those that were not reported for being on the line of another among them
	lastLine  int // of the last error
	mute      int // the line on which an error is reported already; 0 for none
	depth     int // of open braces
	exprDepth int
	operators int
	parens    int
	item      ItemKind
	group     int  // of open groups in the item
	dropped   bool // the current statement ended in a string that has no end: leave it out
	saidEnd   bool // a brace that is missing at the end of the file is reported
	unwind    bool // an item began in a body: leave all bodies
	stray     int  // closing braces that may be left over for that
	bareBrace int  // offset of the last { without a keyword
	alien     int  // line of the last complaint about another dialect's construct
}

func (p *parser) pos(line, col int) Pos { return Pos{File: p.name, Line: line, Col: col} }
func (p *parser) here() Pos             { return p.pos(p.tok.line, p.tok.col) }
func (p *parser) text() string          { return p.src[p.tok.off:p.tok.end] }

func (p *parser) advance() {
	p.prev = p.tok
	p.prevLine, p.prevCol = p.tok.line, p.tok.col+p.tok.end-p.tok.off
	p.tok = p.peek
	for _, e := range p.pending {
		p.errorAt(e.Pos.Line, e.Pos.Col, "%s", e.Msg)
	}
	p.pending = p.pending[:0]
	p.peek = p.next()
}

// later keeps an error of the lexer, which is one token ahead.
func (p *parser) later(line, col int, format string, args ...any) {
	p.pending.Addf(p.pos(line, col), format, args...)
}

func (p *parser) errorAt(line, col int, format string, args ...any) {
	p.lastLine = line
	p.faults++
	switch {
	case line == p.mute:
	case len(p.errs) > MaxErrors:
		p.more++
	default:
		p.errs.Addf(p.pos(line, col), format, args...)
		e := p.errs[len(p.errs)-1]
		e.Msg = printable(e.Msg)
	}
}

// printable makes a message fit for a terminal and a log, whatever it quotes.
func printable(s string) string {
	if len(s) > maxMessage {
		s = s[:maxMessage] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError {
			return '?'
		}
		return r
	}, s)
}

// errorf reports an error at the current token. A token that the lexer complained about is
// not complained about again.
func (p *parser) errorf(format string, args ...any) {
	if p.tok.kind == tBad || p.tok.kind == tEOF && p.open {
		p.lastLine = p.tok.line
		p.faults++
		return
	}
	p.errorAt(p.tok.line, p.tok.col, format, args...)
}

const foreignText = "%s needs a .dcs file, and this one is read as the open docsis encoder reads it; %s"

// foreign is the lexer's complaint about a construct that the Docsis dialect has not, one a line.
func (p *parser) foreign(line, col int, what, instead string) {
	if p.alien != line {
		p.alien = line
		p.later(line, col, foreignText, what, instead)
	}
}

// onlyDCS is the parser's, about the current token.
func (p *parser) onlyDCS(what, instead string) {
	if p.dialect == Docsis && p.alien != p.tok.line {
		p.alien = p.tok.line
		p.errorAt(p.tok.line, p.tok.col, foreignText, what, instead)
	}
}

// found describes the current token for an error.
func (p *parser) found() string {
	text := clip(p.text())
	switch p.tok.kind {
	case tEOF:
		return "the end of the file"
	case tString:
		return "the string " + text
	case tNumber, tHex:
		return "the number " + text
	case tVar:
		return "the variable " + text
	}
	return fmt.Sprintf("%q", text)
}

// errorAtEnd reports an error behind the token before the current one: something is missing there.
func (p *parser) errorAtEnd(format string, args ...any) {
	if p.tok.kind == tBad || p.tok.kind == tEOF && p.open {
		p.lastLine = p.tok.line
		p.faults++
		return
	}
	p.errorAt(p.prevLine, p.prevCol, format, args...)
}

// encoding refuses what is no text at all.
func (p *parser) encoding() bool {
	const save = "save it as UTF-8 or plain ASCII"
	switch {
	case strings.HasPrefix(p.src, "\xff\xfe"), strings.HasPrefix(p.src, "\xfe\xff"):
		p.errorAt(1, 1, "this file is UTF-16, not text of one octet a character: %s", save)
		return false
	}
	if n := strings.IndexByte(p.src, 0); n >= 0 {
		line := strings.Count(p.src[:n], "\n") + 1
		p.errorAt(line, n-strings.LastIndexByte(p.src[:n], '\n'), "a NUL octet: this is no text (dcs decode turns a boot file into text; if it is UTF-16, %s)", save)
		return false
	}
	return true
}

const itemList = "Main, Modem, Mta, CableHome, Text, Binary and Block"

func itemKind(word string) (ItemKind, bool) {
	for k, name := range itemNames {
		if len(word) == len(name) && strings.EqualFold(word, name) {
			return ItemKind(k), true
		}
	}
	return 0, false
}

func (p *parser) file(f *File) {
	outside := false // something outside of the items was reported since the last of them
	unwound := false // the next item began inside of another
	for {
		switch p.tok.kind {
		case tEOF:
			if len(f.Items) == 0 && len(p.errs) == 0 {
				f.Unread = true // a file that was cut at its beginning looks so
				what := "a template is Main { NetworkAccess 1; … }, a block to include is Block name { … }"
				if p.dialect == Docsis {
					what = "it should hold Main { NetworkAccess 1; … }"
				}
				if strings.TrimSpace(p.src) == "" {
					p.errorf("this file is empty: %s", what)
				} else {
					p.errorf("this file holds nothing but comments: %s", what)
				}
			}
			return
		case ';':
			p.advance()
			continue
		case '}':
			switch {
			case p.stray > 0:
				p.stray--
			case !outside:
				p.errorf("this } closes nothing: delete it, or look for a } too many before it%s", closedAt(f))
				outside = true
				f.blame()
			}
			p.advance()
			continue
		case tWord:
			if k, ok := itemKind(p.text()); ok {
				outside = false
				if !unwound {
					p.stray = 0
				}
				f.Items = append(f.Items, p.parseItem(k, f))
				unwound = p.leave()
				continue
			}
		}
		f.blame()
		misspelled := p.misspelled()
		if !outside {
			outside = true
			switch {
			case p.tok.kind == tWord && (p.peek.kind == '{' || p.peek.kind == '~'):
				p.errorf("%s is no item: a file holds %s%s", clip(p.text()), p.items(), closedAt(f))
			default:
				p.errorf("%s stands outside of any item: a file holds %s%s", p.found(), p.items(), closedAt(f))
			}
		}
		if p.tok.kind == '{' {
			p.bareBrace = p.tok.off
		}
		p.item = Main
		p.skipStatement()
		if misspelled != nil {
			f.Items = append(f.Items, misspelled)
		}
		unwound = p.leave()
	}
}

// blame marks the last item as broken: what stands behind it may have been meant to stand in it.
func (f *File) blame() {
	if n := len(f.Items); n > 0 {
		f.Items[n-1].Broken = true
	}
}

// misspelled returns the item that the current token, no item's keyword, may have been meant to begin, if a body follows;
// else nil.
func (p *parser) misspelled() *Item {
	header := p.headerFrom(p.tok.off)
	if !strings.HasPrefix(strings.TrimLeft(p.src[p.tok.off+len(header):], " \t\r\n"), "{") {
		return nil
	}
	it := &Item{Pos: p.here(), End: p.here(), Broken: true}
	it.misread(header)
	return it
}

// headerFrom returns what stands from an offset to the next brace, or to the end of the line.
func (p *parser) headerFrom(off int) string {
	text := p.src[off:]
	if n := strings.IndexAny(text, "{\n"); n >= 0 {
		text = text[:n]
	}
	return text
}

// headers finds what looks like the beginning of an item, or like its pattern.
var headers = regexp.MustCompile(`\b(?:Main|Modem|Mta|CableHome|Text|Binary)\b\s*["~{]|~\s*"`)

// overlooked adds to a file with errors a broken item for each header in its text that no item begins with: a quote that
// has no other, or a brace, may have swallowed it.
func (p *parser) overlooked(f *File) {
	known := map[Pos]bool{}
	for _, it := range f.Items {
		known[it.Pos] = true
	}
	line, start, seen := 1, 0, 0 // of the line, and up to where its end was looked for
	found := headers.FindAllStringIndex(p.src, maxOverlooked+1)
	f.Unread = f.Unread || len(found) > maxOverlooked
	for _, at := range found {
		for {
			n := strings.IndexByte(p.src[seen:at[0]], '\n')
			if n < 0 {
				break
			}
			line++
			seen += n + 1
			start = seen
		}
		seen = at[0]
		it := &Item{Pos: p.pos(line, at[0]-start+1), Broken: true}
		if !known[it.Pos] {
			it.End = it.Pos
			it.misread(p.headerFrom(at[1] - 1))
			f.Items = append(f.Items, it)
		}
	}
}

// leave makes the parser ready for the next item, and tells whether this item already began.
func (p *parser) leave() (unwound bool) {
	unwound = p.unwind
	p.unwind, p.depth, p.group = false, 0, 0
	return unwound
}

func (p *parser) items() string {
	if p.dialect == Docsis {
		return "one Main, and everything else stands between its { and }"
	}
	return itemList + ", and everything else stands between their { and }"
}

// closedAt says where the last item ended: a brace too many closed it too early, perhaps.
func closedAt(f *File) string {
	if len(f.Items) == 0 {
		return ""
	}
	it := f.Items[len(f.Items)-1]
	return fmt.Sprintf(" (%v ended at %v)", it.Kind, it.End)
}

// parseItem reads an item, the current token being its keyword. One with an error in it is Broken.
func (p *parser) parseItem(k ItemKind, f *File) *Item {
	it := &Item{Pos: p.here(), End: p.here(), Kind: k}
	p.item = k
	faults, start := p.faults, p.tok.end
	defer func() {
		it.Broken = it.Header != "" || p.faults > faults
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
		p.errorAtEnd("%v has no body: a { is expected here, not %s", k, p.found())
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

// misread makes an item one whose header has an error.
func (it *Item) misread(header string) {
	it.Name, it.Pattern, it.Header = "", false, " "+header // never empty
}

// header reads what stands between an item's keyword and its body.
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
			p.errorf(`a pattern in quotes is expected after ~, as in %v ~ "^gold-(?P<cpe>[0-9]+)\.bin$"`, k)
			return false
		}
		it.Pattern, it.NamePos = true, p.here()
		it.Name = patternText(p.inner())
		p.advance()
	case tString:
		p.onlyDCS("a name", "here it is Main { … }")
		it.NamePos = p.here()
		name, ok := p.literal("a name is a literal one, a pattern takes a ~ before it; a dollar sign in a name is $$")
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
			p.errorf(`the name of a %v stands in quotes, or after ~ if it is a pattern: write %v "%s"`, k, k, clip(text))
			return false
		}
	case tVar:
		p.errorf("an item's name cannot be a variable: give a pattern instead, as in %v ~ \"^gold-(?P<cpe>[0-9]+)$\"", k)
		return false
	case tNumber, tHex:
		p.errorf(`the name of a %v stands in quotes: write %v "%s"`, k, k, p.text())
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
		p.errorAt(it.NamePos.Line, it.NamePos.Col, "this name is empty: write what is asked for, or leave the name out and the file is served under its own")
		return false
	}
	for p.tok.kind == tWord {
		word := p.text()
		switch word {
		case "priority", "from", "resign":
			p.onlyDCS(word, "here it is Main { … }")
			if k == Block {
				p.errorf("a Block is not asked for by name and takes no %s: write Block name { … }", word)
				return false
			}
		}
		switch word {
		case "priority":
			if it.HasPriority {
				p.errorf("a second priority: keep one of the two")
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
				p.errorf("only Text and Binary are made from a file: a %v has a body, and what several share stands in a Block that they include", k)
				return false
			}
			if it.From != nil {
				p.errorf("a second from: an item is made from one file")
				return false
			}
			p.advance()
			if p.tok.kind != tString {
				p.errorf(`a file's name in quotes is expected after from, as in from "router.tmpl", not %s`, p.found())
				return false
			}
			s, ok := p.str()
			if !ok {
				return false
			}
			it.From = s
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
			p.errorf("%s means nothing here: a { is expected, after a name in quotes and priority N if need be", p.found())
			return false
		}
	}
	return p.needsFrom(it)
}

func (p *parser) needsFrom(it *Item) bool {
	if it.From == nil && (it.Kind == Text || it.Kind == Binary) {
		p.errorAtEnd(`a %v is made from a file, which is not named: write %v "name" from "file"`, it.Kind, it.Kind)
		return false
	}
	return true
}

// skipHeader goes to the body of an item whose header has an error, if a body comes.
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

// body reads statements up to the closing brace, the current token being the opening one.
// It returns the place of the closing one.
func (p *parser) body(what string) (stmts []Stmt, end Pos) {
	open := p.here()
	if p.depth == maxDepth {
		p.errorf("braces in one another more than %d deep: nothing in a boot file needs that, so close some before this {", maxDepth)
		p.skipBraces()
		return nil, p.pos(p.prev.line, p.prev.col)
	}
	p.depth++
	p.advance()
	for !p.unwind {
		switch p.tok.kind {
		case '}':
			p.depth--
			end = p.here()
			p.advance()
			return stmts, end
		case tEOF:
			p.unclosed(what, open)
			p.depth--
			return stmts, p.here()
		case ';':
			p.advance()
		case tWord:
			if s := p.statement(what, open); s != nil {
				stmts = append(stmts, s)
			}
		case '{':
			if p.prev.kind != '{' || p.prev.off != p.bareBrace {
				p.errorf("this { has no keyword before it: write the group's name, as in UsServiceFlow { … }")
			}
			p.bareBrace = p.tok.off
			p.nested("the group")
		default:
			p.errorf("a keyword is expected here, not %s: a statement is written Keyword value;", p.found())
			p.skipStatement()
		}
	}
	return stmts, p.here()
}

// nested reads the body of a group.
func (p *parser) nested(what string) ([]Stmt, Pos) {
	p.group++
	stmts, end := p.body(what)
	p.group--
	return stmts, end
}

// unclosed reports at the end of the file the brace that is still open.
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
	p.errorf("the file ends, and the { of %s that was opened at %v is not closed%s: a } is missing", what, open, around)
}

// skipBraces goes behind the closing brace that belongs to the current token, without recursion.
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
			// the depth is the error to mend, not the end
			p.saidEnd = true
			return
		}
	}
}

// skipStatement goes to where the next statement begins, after an error in this one. More
// errors on the error's line are taken for its consequences.
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

// afterCut takes the semicolon after a string that swallowed the rest of its line; without
// one, the statement ends all the same: the quote is what is missing.
func (p *parser) afterCut() {
	if p.tok.kind == ';' {
		p.advance()
	}
}

// startsStatement tells whether the current token, a word where a value may stand, is rather
// the keyword of another statement: an identifier with something to follow it, and none of
// the words that stand between the values of an SNMP object or a GenericTLV.
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

// startsItem tells whether the current token begins an item, as nothing else does.
func (p *parser) startsItem() bool {
	switch p.text() {
	case "Main", "Modem", "Mta", "CableHome":
		return p.peek.kind == '{' || p.peek.kind == '~' || p.peek.kind == tString
	case "Text", "Binary":
		return p.peek.kind == '~' || p.peek.kind == tString && p.dialect == DCS
	case "Block":
		return p.peek.kind == tWord || p.peek.kind == tString
	}
	return false
}

func identifier(s string) bool {
	if !isLetter(s[0]) {
		return false
	}
	for i := range len(s) {
		if !isAlnum(s[i]) {
			return false
		}
	}
	return true
}

// valueWord tells whether s is one of the identifiers that stand between values.
func valueWord(s string) bool {
	switch strings.ToLower(s) {
	case "integer", "integer32", "unsigned32", "gauge", "gauge32", "counter", "counter32", "counter64", "timeticks",
		"ipaddress", "objectid", "string", "octetstring", "hexstring", "decimalstring", "bitstring", "bits", "bigint",
		"unsignedbigint", "float", "double", "short", "char", "opaque", "null",
		"tlvcode", "tlvlength", "tlvvalue", "tlvstring", "tlvstringzero", "tlvtype":
		return true
	}
	return false
}
