package check

import (
	"os"
	"regexp"
	"strings"

	"dcs/render/library"
	"dcs/render/syntax"
)

// differences returns notes on files in the open encoder's language that yield other octets here, or that it refuses. What it accepts and
// DCS refuses is an error.
func differences(snap *library.Snapshot) syntax.Errors {
	var notes syntax.Errors
	var statements func([]syntax.Stmt)
	var value func(syntax.Expr)
	value = func(x syntax.Expr) {
		switch x := x.(type) {
		case *syntax.String:
			if text, ok := x.Literal(); ok && strings.Contains(text, `\`) {
				notes.Addf(x.Pos, "the open encoder turns the backslash in this string into a space; here it stays")
			}
		case *syntax.List:
			for _, v := range x.Elems {
				value(v)
			}
		}
	}
	statements = func(body []syntax.Stmt) {
		for _, st := range body {
			if st, ok := st.(*syntax.Setting); ok {
				for _, v := range st.Values {
					value(v)
				}
				statements(st.Body)
			}
		}
	}
	for _, t := range snap.Templates() {
		if syntax.DialectOf(t.Pos().File) == syntax.Docsis {
			statements(t.Item.Statements())
			if src, err := os.ReadFile(t.Pos().File); err == nil {
				if line, col := foreignComment(string(src)); line > 0 {
					notes.Addf(syntax.Pos{File: t.Pos().File, Line: line, Col: col}, "the open encoder refuses this comment; it reads /* */ alone")
				}
			}
		}
	}
	return notes
}

// inSource matches what may hold a #, and the first comment that is not /* */.
var inSource = regexp.MustCompile(`"(?:[^"\\]|\\(?s:.))*"|/\*(?s:.*?)\*/|#|//`)

// foreignComment returns the line and the column, in octets, of the first comment that begins with # or //; zeros: there is none.
func foreignComment(src string) (line, col int) {
	for _, at := range inSource.FindAllStringIndex(src, -1) {
		if found := src[at[0]:at[1]]; found == "#" || found == "//" {
			return strings.Count(src[:at[0]], "\n") + 1, at[0] - strings.LastIndexByte(src[:at[0]], '\n')
		}
	}
	return 0, 0
}
