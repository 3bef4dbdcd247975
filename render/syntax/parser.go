package syntax

import (
	"fmt"
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
		p.errorAt(line, n-strings.LastIndexByte(p.src[:n], '\n'), "NUL octet: not a text file (dcs decode turns a boot file into text; if it is UTF-16, %s)", save)
		return false
	}
	return true
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
