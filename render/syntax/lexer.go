package syntax

import (
	"strings"
	"unicode/utf8"
)

// kind is the kind of a token; that of punctuation is its ASCII character.
type kind byte

const (
	tEOF kind = iota
	tWord
	tNumber // digits, possibly with k, M or G
	tHex    // 0x and any letters and digits that follow
	tString // including its quotes
	tVar    // $name, ${name} or $1, well-formed
	tBad    // not a valid token; already reported
)

type token struct {
	kind      kind
	off, end  int
	line, col int
	first     bool // first on its line
	gap       bool // white space or a comment precedes it
	cut       bool // a string without a closing quote; already reported
	lq, rq    int8 // octets of a string's opening and closing quote
}

// lexer turns the source into tokens, one by one. Tokens are offsets into src.
type lexer struct {
	src       string
	off       int
	line      int
	lineStart int
	dialect   Dialect
	open      bool // a comment is unterminated: nothing else that is missing at the end is reported
	report    func(line, col int, format string, args ...any)
	foreign   func(line, col int, what, instead string) // reports a construct that the Docsis dialect does not have
}

func (l *lexer) errorf(off int, format string, args ...any) {
	l.report(l.line, off-l.lineStart+1, format, args...)
}

// next returns the next token; at the end it keeps returning tEOF.
func (l *lexer) next() token {
	start, line := l.off, l.line
	l.space()
	t := token{off: l.off, line: l.line, col: l.off - l.lineStart + 1}
	t.gap = l.off > start || start == 0
	t.first = l.line > line || start == 0
	if l.off == len(l.src) {
		t.end = l.off
		return t
	}
	switch c := l.src[l.off]; {
	case wordChar[c]:
		l.word(&t)
	case c == '"':
		l.quoted(&t, 1, `"`)
	case c == '$':
		l.variable(&t)
	case strings.IndexByte("{};,()+-*/~=", c) >= 0:
		t.kind, t.end = kind(c), l.off+1
	case c == '\'':
		l.errorf(l.off, `strings are written in double quotes; write "…" instead of '…'`)
		l.quoted(&t, 1, "'")
	default:
		if n, closing := smartQuote(l.src[l.off:]); n > 0 {
			l.errorf(l.off, `typographic quote, probably from a word processor; strings are written in plain double quotes, "`)
			l.quoted(&t, n, closing...)
			break
		}
		l.junk(&t)
	}
	l.off = t.end
	return t
}

// space skips white space and comments.
func (l *lexer) space() {
	src := l.src
	for l.off < len(src) {
		switch c := src[l.off]; c {
		case '\n':
			l.off++
			l.line++
			l.lineStart = l.off
		case ' ', '\t', '\r', '\v', '\f':
			l.off++
		case '#':
			l.toLineEnd()
		case '/':
			switch {
			case strings.HasPrefix(src[l.off:], "//"):
				l.toLineEnd()
			case strings.HasPrefix(src[l.off:], "/*"):
				l.comment()
			default:
				return
			}
		case '*':
			if !strings.HasPrefix(src[l.off:], "*/") {
				return
			}
			l.errorf(l.off, "unmatched */: comments do not nest, the first */ ends them")
			l.off += 2
		case 0xa0:
			l.errorf(l.off, "a no-break space (octet a0) outside of quotes: write a plain space")
			l.off++
		case 0xc2:
			if !strings.HasPrefix(src[l.off:], "\u00a0") {
				return
			}
			l.errorf(l.off, "a no-break space (octets c2 a0) outside of quotes: write a plain space")
			l.off += 2
		default:
			return
		}
	}
}

func (l *lexer) toLineEnd() {
	if n := strings.IndexByte(l.src[l.off:], '\n'); n >= 0 {
		l.off += n
	} else {
		l.off = len(l.src)
	}
}

func (l *lexer) comment() {
	body := l.src[l.off+2:]
	n := strings.Index(body, "*/")
	if n < 0 {
		l.errorf(l.off, "unterminated comment; close it with */")
		l.open = true
		n = len(body)
	} else {
		n += 2
	}
	start := l.off + 2
	l.off = start + n
	for rest := l.src[start:l.off]; ; {
		i := strings.IndexByte(rest, '\n')
		if i < 0 {
			break
		}
		l.line++
		start += i + 1
		l.lineStart = start
		rest = rest[i+1:]
	}
}

// word reads a number, a hexadecimal string or a word.
func (l *lexer) word(t *token) {
	src, i := l.src, l.off
	t.kind = tWord
	if isDigit(src[i]) {
		if dashedMAC(src[i:]) {
			t.end = i + len("00-11-22-33-44-55")
			return
		}
		for i < len(src) && isDigit(src[i]) {
			i++
		}
		digits := i
		for i < len(src) && isAlnum(src[i]) {
			i++
		}
		switch {
		case digits == l.off+1 && src[l.off] == '0' && i > digits && src[digits]|0x20 == 'x':
			t.kind, t.end = tHex, i
			return
		case i < len(src) && (src[i] == '.' || src[i] == ':'):
		case i == digits, i == digits+1 && (src[digits] == 'k' || src[digits] == 'M' || src[digits] == 'G'):
			t.kind, t.end = tNumber, i
			return
		}
	}
	for ; i < len(src); i++ {
		switch c := src[i]; {
		case wordChar[c]:
		case c == '-':
			// "MODULE-NAME::label" is one word; "a - b" and "a-$b" are not
			if i == l.off || i+1 == len(src) || !isAlnum(src[i+1]) {
				t.end = i
				return
			}
		case (c == '"' || c == '\'') && i > l.off && src[i-1] == '.':
			n := closing(src[i+1:], c)
			if n < 0 {
				l.errorf(i, "unterminated quoted index; write %s", example(c))
				t.kind, t.cut = tBad, true
				l.off = i
				l.toLineEnd()
				t.end = l.off
				return
			}
			if l.dialect == DCS && strings.IndexByte(src[i:i+n+1], '$') >= 0 {
				l.errorf(i+strings.IndexByte(src[i:], '$'), `variables do not expand in a quoted index: write the whole OID as a string, "label.'$name'"`)
				t.kind = tBad
			}
			i += n + 1
		case c == '(' && isLetter(src[l.off]):
			t.end = i + enumNumber(src[i:])
			return
		default:
			t.end = i
			return
		}
	}
	t.end = i
}

// enumNumber returns the length of the number in parentheses that s begins with, as in createAndGo(4); 0: there is none.
func enumNumber(s string) int {
	i := 1
	if strings.HasPrefix(s[i:], "-") {
		i++
	}
	digits := i
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	if i == digits || i == len(s) || s[i] != ')' {
		return 0
	}
	return i + 1
}

func example(quote byte) string {
	if quote == '"' {
		return `label."text"`
	}
	return "label.'text'"
}

// closing returns the offset of quote in s, or -1 if it is not there before the end of the line.
func closing(s string, quote byte) int {
	for i := 0; i < len(s) && s[i] != '\n'; i++ {
		if s[i] == quote {
			return i
		}
	}
	return -1
}

// quoted reads a string whose opening quote has n octets, up to one of the closing quotes
// or the end of the line.
func (l *lexer) quoted(t *token, n int, closing ...string) {
	src := l.src
	t.kind, t.lq = tString, int8(n)
	for i := l.off + n; i < len(src) && src[i] != '\n'; i++ {
		if src[i] == '\\' && i+1 < len(src) && (src[i+1] == '"' || src[i+1] == '\\') {
			i++
			continue
		}
		for _, q := range closing {
			if strings.HasPrefix(src[i:], q) {
				t.rq, t.end = int8(len(q)), i+len(q)
				return
			}
		}
	}
	start := l.off
	l.toLineEnd()
	t.cut, t.end = true, l.off
	line := strings.TrimRight(src[start:t.end], "\r \t")
	if src[start] != '"' {
		return
	}
	if len(line) > 2 && (strings.HasSuffix(line, `\"`) || strings.HasSuffix(line, `\";`)) {
		l.errorf(start, `unterminated string: no closing quote on its line; \" is a quote inside of the string; a backslash at its end is written \\`)
		return
	}
	l.errorf(start, `unterminated string: no closing quote on its line; close it with ", and write a quote inside of it as \"`)
}

func (l *lexer) variable(t *token) {
	name, n, msg := scanVar(l.src[l.off:])
	if l.dialect == Docsis {
		if name == "" {
			n = 1
			l.errorf(l.off, "dollar sign outside of quotes; strings are written in double quotes")
			t.kind = tBad
		} else {
			l.foreign(l.line, l.off-l.lineStart+1, "a variable", "here write the value itself")
			t.kind = tVar
		}
		t.end = l.off + n
		return
	}
	t.kind = tVar
	if name == "" {
		t.kind = tBad
		if strings.HasPrefix(l.src[l.off:], "$$") {
			n, msg = 2, "$$ is a dollar sign inside of quotes only; a variable is written $name"
		}
		l.errorf(l.off, "%s", msg)
	}
	t.end = l.off + n
}

// junk reports characters that begin no token, and skips those that adjoin them.
func (l *lexer) junk(t *token) {
	src := l.src
	r, n := utf8.DecodeRuneInString(src[l.off:])
	switch {
	case r == utf8.RuneError && n == 1:
		l.errorf(l.off, `the octet %02x is not allowed outside of quotes; put text in double quotes`, src[l.off])
	case r < ' ' || r == 0x7f:
		l.errorf(l.off, "the control character %02x is not allowed outside of quotes; delete it", r)
	default:
		l.errorf(l.off, `the character %q is not allowed outside of quotes; put text in double quotes`, r)
	}
	i := l.off + n
	for i < len(src) && strings.IndexByte(" \t\r\n;{}(),\"'$", src[i]) < 0 {
		i++
	}
	t.kind, t.end = tBad, i
}
