package mib

import (
	"fmt"
	"strconv"
	"strings"
)

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

// lexSMI splits a module's text into tokens. A comment extends from -- to the end of the line: rows
// of dashes are common, and a second -- that ends a comment is not. The tokens before an error are returned with it.
func lexSMI(src string) (tokens []smiToken, err error) {
	line := 1
scan:
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
				err = fmt.Errorf("%d: the closing quote of this text is missing", line)
				break scan
			}
			i += n + 2
			tokens = append(tokens, smiToken{tokText, src[from+1 : i-1], line})
			line += strings.Count(src[from:i], "\n")
			continue
		case c == '\'':
			n := strings.IndexAny(src[i+1:], "'\n")
			if n < 0 || src[i+1+n] == '\n' || i+n+2 >= len(src) {
				i++
				break // an apostrophe
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
	return append(tokens, smiToken{tokEnd, "the end of the file", line}), err
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// smiParser reads tokens. The first error moves it to the end, where every loop stops.
type smiParser struct {
	tokens []smiToken // the last one is tokEnd
	at     int
	err    error
	failed int // the token of the first error
	again  int // tokens that definitions with errors have passed, and that are read again
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
		p.failed = p.at
	}
	p.at = len(p.tokens) - 1
}

// until is the condition of a loop that runs up to a token, which it consumes.
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
		p.fail("expected %q, got %q", text, p.peek().text)
	}
}

func (p *smiParser) word(what string) string {
	if t := p.peek(); t.kind != tokWord {
		p.fail("expected %s, got %q", what, t.text)
		return ""
	}
	return p.next().text
}

// skipTo skips everything up to and including a token.
func (p *smiParser) skipTo(text string) {
	for p.until(text) {
		p.next()
	}
}

// skipBraces skips { … }. It fails where the next definition begins.
func (p *smiParser) skipBraces() {
	p.expect("{")
	for depth := 1; depth > 0 && p.err == nil; {
		switch {
		case p.accept("{"):
			depth++
		case p.accept("}"):
			depth--
		case p.peek().kind == tokEnd || p.atDefinition():
			p.fail("a closing brace is missing")
		default:
			p.next()
		}
	}
}
