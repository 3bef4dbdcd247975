package check

import (
	"strings"

	"dcs/render/library"
	"dcs/render/mic"
	"dcs/render/skeleton"
	"dcs/render/syntax"
	"dcs/render/tlv"
)

// oddities returns warnings about files that are the same for all devices.
func oddities(snap *library.Snapshot) syntax.Errors {
	var all syntax.Errors
	secret := mic.NewSecret(nil)
	for _, t := range snap.Templates() {
		if len(t.Names) == 0 || t.Kind == skeleton.PlainFile {
			continue
		}
		name := []byte(t.Names[0])
		skel, fault := snap.Skeleton(snap.Find(name), nil, false)
		if fault != nil || !skel.Static() {
			continue
		}
		tree, err := tlv.DecodeAs(skel.Dialect(), skel.File(secret))
		if err != nil {
			all.Addf(t.Pos(), "the resulting file cannot be read: %v", err)
			continue
		}
		for _, w := range tlv.Check(tree) {
			all.Addf(t.Pos(), "%s", w.Text)
		}
	}
	return all
}

// differences returns notes on files in the open encoder's language that yield other octets here. What it accepts and DCS
// refuses is an error.
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
		}
	}
	return notes
}
