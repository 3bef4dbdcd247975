package library

import (
	"errors"
	"fmt"
	resyntax "regexp/syntax"
	"strings"
)

// patternError returns an error that says what is wrong in source, where, and how to correct it.
func patternError(source string, err error) error {
	var e *resyntax.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("pattern: %w", err)
	}
	at, what, hint := -1, string(e.Code), ""
	if e.Expr != "" {
		at = strings.LastIndex(source, e.Expr)
	}
	switch e.Code {
	case resyntax.ErrMissingParen:
		at, _ = strayParens(source)
		hint = `every ( needs its ); a literal one is \(`
	case resyntax.ErrUnexpectedParen:
		_, at = strayParens(source)
		hint = `every ) needs its ( before it; a literal one is \)`
	case resyntax.ErrMissingBracket:
		hint = `a literal [ is \[`
	case resyntax.ErrInvalidPerlOp:
		switch {
		case strings.HasPrefix(e.Expr, "(?=") || strings.HasPrefix(e.Expr, "(?!") || strings.HasPrefix(e.Expr, "(?<"):
			hint = "RE2 cannot look ahead or behind"
		default:
			hint = "(?P<name>…) captures, (?:…) groups, (?i) ignores case"
		}
	case resyntax.ErrInvalidEscape:
		if len(e.Expr) == 2 && '1' <= e.Expr[1] && e.Expr[1] <= '9' {
			hint = "RE2 has no references back to a capture"
		}
	case resyntax.ErrInvalidNamedCapture:
		hint = "a capture is (?P<name>…), its name made of letters, digits and _"
	case resyntax.ErrMissingRepeatArgument:
		hint = fmt.Sprintf(`there is nothing before it to repeat; a literal one is \%.1s`, e.Expr)
	case resyntax.ErrInvalidRepeatOp:
		hint = "put the first repetition in (?:…)"
	case resyntax.ErrInvalidRepeatSize:
		hint = "{n,m} takes 0 to 1000, the smaller first"
	case resyntax.ErrInvalidCharRange:
		hint = "the smaller character comes first"
	case resyntax.ErrTrailingBackslash:
		at, hint = len(source)-1, `a literal backslash is \\`
	case resyntax.ErrInvalidUTF8:
		at = strings.IndexFunc(source, func(r rune) bool { return r == '\uFFFD' })
	}
	var b strings.Builder
	fmt.Fprintf(&b, "pattern %q: %s", source, what)
	if e.Expr != "" && e.Expr != source && e.Code != resyntax.ErrInvalidUTF8 {
		fmt.Fprintf(&b, ": %q", e.Expr)
	}
	if at >= 0 {
		fmt.Fprintf(&b, " at its octet %d", at+1)
	}
	if hint != "" {
		b.WriteString("; " + hint)
	}
	return errors.New(b.String())
}

// strayParens returns the offsets of the last unclosed ( and of the first unmatched ), -1 for none.
func strayParens(source string) (unclosed, unopened int) {
	var open []int
	unopened = -1
	class := false
	for i := 0; i < len(source); i++ {
		rest := source[i:]
		switch {
		case strings.HasPrefix(rest, `\Q`) && !class:
			end := strings.Index(rest, `\E`)
			if end < 0 {
				end = len(rest)
			}
			i += end
		case rest[0] == '\\':
			i++
		case class && strings.HasPrefix(rest, "[:"):
			i += strings.Index(rest, ":]") + 1
		case class:
			class = rest[0] != ']'
		case rest[0] == '[':
			class = true
			if strings.HasPrefix(source[i+1:], "^") {
				i++
			}
			if strings.HasPrefix(source[i+1:], "]") {
				i++ // a leading ] belongs to the class
			}
		case rest[0] == '(':
			open = append(open, i)
		case rest[0] == ')' && len(open) > 0:
			open = open[:len(open)-1]
		case rest[0] == ')' && unopened < 0:
			unopened = i
		}
	}
	if len(open) == 0 {
		return -1, unopened
	}
	return open[len(open)-1], unopened
}
