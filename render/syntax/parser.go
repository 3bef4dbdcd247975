package syntax

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxDepth      = 64    // of nested braces
	maxExprDepth  = 64    // of nested parentheses and signs
	maxName       = 64    // octets within which the end of a bad ${name} is searched
	maxMessage    = 500   // octets of one error, including what it quotes
	maxOverlooked = 10000 // headers searched for in one file with errors
	maxOperators  = 256   // in one expression, so that recursion over it is safe
)

// Parse parses one source file; positions and errors refer to it by name. The error, if any, is of type Errors and
// contains all of the file's errors. The file is returned even then, with everything that could be read: a statement
// with an error is left out, and its item is Broken.
func Parse(name string, src []byte, d Dialect) (*File, error) {
	return newParser(name, src, d).all()
}

// all parses a whole file.
func (p *parser) all() (*File, error) {
	f := &File{Name: p.name, Dialect: p.dialect, text: p.src}
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
	if lenient.MatchString(p.src) {
		for _, it := range f.Items {
			it.Lenient = true
		}
	} else if at := p.idle(); at.Line > 0 {
		if i := slices.IndexFunc(f.Items, func(it *Item) bool { return it.Kind != Block }); i >= 0 {
			f.Items[i].Idle = at
		}
	}
	return f, p.errs.cut(p.more)
}

// lenient matches a file whose first line is the comment that makes it lenient: it begins with that word, whatever follows.
var lenient = regexp.MustCompile(`^[ \t]*(#+|//+|/\*+)[ \t]*dcs:lenient\b`)

// idleLenient matches such a line anywhere.
var idleLenient = regexp.MustCompile(`(?m)^[ \t]*(#+|//+|/\*+)[ \t]*dcs:lenient\b`)

// idle returns the position of a comment that would make the file lenient if it were its first line, the zero Pos for none.
func (p *parser) idle() Pos {
	if !strings.Contains(p.src, "dcs:lenient") { // few files do, and this is fast
		return Pos{}
	}
	at := idleLenient.FindStringIndex(p.src)
	if at == nil {
		return Pos{}
	}
	return p.pos(1+strings.Count(p.src[:at[0]], "\n"), 1)
}

// ParseText parses the file that a Text item is made from: any text, in which $name, ${name} and $1 are variables and
// $$ is a dollar sign. The error, if any, is of type Errors.
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

// text returns the text of a file.
func text(src []byte) string { return strings.TrimPrefix(string(src), byteOrderMark) }

func newParser(name string, src []byte, d Dialect) *parser {
	p := &parser{name: name}
	p.lexer = lexer{
		src: text(src), line: 1, dialect: d,
		report: p.later, foreign: p.foreign,
	}
	return p
}

// A parser holds the current token and the next one. Functions that read something return false if they could not read
// it. The error has then been reported, and the caller only skips to the beginning of a statement.
type parser struct {
	lexer
	name      string
	tok       token
	peek      token
	prev      token // before tok
	prevLine  int   // line on which prev ends
	prevCol   int
	pending   Errors // in peek: they count once it becomes tok
	errs      Errors
	more      int // number of errors not in errs
	faults    int // number of errors found, including those not reported because their line already had one
	lastLine  int // of the last error
	mute      int // the line with an error that has been reported; 0: none
	depth     int // number of open braces
	exprDepth int
	operators int
	parens    int
	item      ItemKind
	group     int  // number of open groups in the item
	dropped   bool // the current statement ended in an unterminated string: leave it out
	saidEnd   bool // a missing brace at the end of the file has been reported
	unwind    bool // an item began within a body: leave all bodies
	stray     int  // closing braces that may be left over because of that
	bareBrace int  // offset of the last { without a keyword
	alien     int  // line of the last error about a construct of the other dialect

	nodes  *nodes // memory of the tree; nil: its own
	stmts  []Stmt // of the bodies being read
	values []Expr // of the settings being read
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

// later saves an error of the lexer, which is one token ahead.
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

// printable makes a message safe for a terminal and a log, whatever it quotes.
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

// errorf reports an error at the current token, unless the lexer has already reported one there.
func (p *parser) errorf(format string, args ...any) {
	if p.tok.kind == tBad || p.tok.kind == tEOF && p.open {
		p.lastLine = p.tok.line
		p.faults++
		return
	}
	p.errorAt(p.tok.line, p.tok.col, format, args...)
}

const foreignText = "%s needs a .dcs file, and this one is read as the open docsis encoder reads it; %s"

// foreign is called by the lexer for a construct that the Docsis dialect does not have; it reports one per line.
func (p *parser) foreign(line, col int, what, instead string) {
	if p.alien != line {
		p.alien = line
		p.later(line, col, foreignText, what, instead)
	}
}

// onlyDCS reports such a construct at the current token.
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

// errorAtEnd reports an error at the end of the previous token, where something is missing.
func (p *parser) errorAtEnd(format string, args ...any) {
	if p.tok.kind == tBad || p.tok.kind == tEOF && p.open {
		p.lastLine = p.tok.line
		p.faults++
		return
	}
	p.errorAt(p.prevLine, p.prevCol, format, args...)
}

// encoding refuses files that are not text.
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

// valueWord reports whether s is one of the identifiers used between values.
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
