package syntax

import (
	"fmt"
	"strconv"
	"strings"
)

// dump writes a tree as one s-expression, places and spellings left out: equal dumps, equal trees.
func dump(f *File) string {
	var b strings.Builder
	for i, it := range f.Items {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "(%v", it.Kind)
		switch {
		case it.Pattern:
			fmt.Fprintf(&b, " ~%q", it.Name)
		case it.NamePos != Pos{}:
			fmt.Fprintf(&b, " %q", it.Name)
		}
		if it.HasPriority {
			fmt.Fprintf(&b, " priority=%d", it.Priority)
		}
		if it.From != nil {
			b.WriteString(" from=" + dumpExpr(it.From))
		}
		if it.Resign {
			b.WriteString(" resign")
		}
		if it.HasBody {
			dumpBody(&b, it.Body)
		}
		b.WriteByte(')')
	}
	return b.String()
}

func dumpBody(b *strings.Builder, body []Stmt) {
	b.WriteString(" {")
	for i, s := range body {
		if i > 0 {
			b.WriteByte(' ')
		}
		switch s := s.(type) {
		case *Setting:
			b.WriteString("(" + s.Keyword)
			for _, v := range s.Values {
				b.WriteString(" " + dumpExpr(v))
			}
			if s.Group {
				dumpBody(b, s.Body)
			}
		case *Include:
			b.WriteString("(include " + dumpExpr(s.Target))
		case *Default:
			b.WriteString("(default " + s.Name + " " + dumpExpr(s.Value))
		case *Reject:
			b.WriteString("(reject " + dumpExpr(s.Reason))
		case *Hash:
			b.WriteString("(hash " + s.Variant)
		case *Select:
			b.WriteString("(select " + dumpExpr(s.Subject))
			for _, c := range s.Cases {
				b.WriteString(" (")
				if c.Default {
					b.WriteString("default")
				}
				for i, l := range c.Labels {
					if i > 0 {
						b.WriteByte(',')
					}
					b.WriteString(dumpExpr(l))
				}
				dumpBody(b, c.Body)
				b.WriteByte(')')
			}
		}
		b.WriteByte(')')
	}
	b.WriteByte('}')
}

func dumpExpr(e Expr) string {
	switch e := e.(type) {
	case *Number:
		if e.Neg {
			return "-" + strconv.FormatUint(e.Value, 10)
		}
		return strconv.FormatUint(e.Value, 10)
	case *Hex:
		return "0x" + e.Text
	case *Word:
		return "`" + e.Text + "`"
	case *String:
		out := make([]string, len(e.Parts))
		for i, part := range e.Parts {
			if out[i] = strconv.Quote(part.Lit); part.Var != nil {
				out[i] = dumpExpr(part.Var)
			}
		}
		if len(out) == 1 && e.Parts[0].Var == nil {
			return out[0]
		}
		return "[" + strings.Join(out, " ") + "]"
	case *Var:
		return "$" + e.Name
	case *BinaryOp:
		return "(" + dumpExpr(e.Left) + string(e.Op) + dumpExpr(e.Right) + ")"
	case *Negate:
		return "(-" + dumpExpr(e.X) + ")"
	case *List:
		out := make([]string, len(e.Elems))
		for i, x := range e.Elems {
			out[i] = dumpExpr(x)
		}
		return "<" + strings.Join(out, ",") + ">"
	}
	return fmt.Sprintf("%T?", e)
}

// A printer writes a tree as source again.
type printer struct {
	strings.Builder
	dialect Dialect
}

func printFile(f *File) string {
	p := &printer{dialect: f.Dialect}
	for _, it := range f.Items {
		p.WriteString(it.Kind.String())
		switch {
		case it.Pattern:
			p.WriteString(` ~ "` + strings.ReplaceAll(it.Name, `"`, `\"`) + `"`)
		case it.NamePos != Pos{}:
			p.WriteString(" " + p.quote(it.Name))
		}
		if it.HasPriority {
			fmt.Fprintf(p, " priority %d", it.Priority)
		}
		if it.From != nil {
			p.WriteString(" from ")
			p.expr(it.From, false)
		}
		if it.Resign {
			p.WriteString(" resign")
		}
		if it.HasBody {
			p.body(it.Body)
		}
		p.WriteByte('\n')
	}
	return p.String()
}

func (p *printer) body(body []Stmt) {
	p.WriteString(" {\n")
	for _, s := range body {
		end := ";\n"
		switch s := s.(type) {
		case *Setting:
			p.WriteString(s.Keyword)
			for _, v := range s.Values {
				p.WriteByte(' ')
				p.expr(v, false)
			}
			if s.Group {
				p.body(s.Body)
				end = "\n"
			}
		case *Include:
			p.WriteString("include ")
			p.expr(s.Target, false)
		case *Default:
			p.WriteString("default " + s.Name + " ")
			p.expr(s.Value, false)
		case *Reject:
			p.WriteString("reject ")
			p.expr(s.Reason, false)
		case *Hash:
			p.WriteString("hash " + s.Variant)
		case *Select:
			p.WriteString("select ")
			p.expr(s.Subject, false)
			p.WriteString(" {\n")
			for _, c := range s.Cases {
				if c.Default {
					p.WriteString("default")
				}
				for i, l := range c.Labels {
					if i > 0 {
						p.WriteString(", ")
					}
					p.expr(l, false)
				}
				p.body(c.Body)
				p.WriteByte('\n')
			}
			p.WriteByte('}')
			end = "\n"
		}
		p.WriteString(end)
	}
	p.WriteByte('}')
}

func (p *printer) quote(s string) string { return `"` + p.escape(s) + `"` }

func (p *printer) escape(s string) string {
	s = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)
	if p.dialect == DCS {
		s = strings.ReplaceAll(s, "$", "$$")
	}
	return s
}

func (p *printer) expr(e Expr, inside bool) {
	switch e := e.(type) {
	case *Number, *Hex, *Word:
		p.WriteString(strings.Trim(dumpExpr(e), "`"))
	case *String:
		p.WriteByte('"')
		for _, part := range e.Parts {
			if part.Var != nil {
				p.WriteString("${" + part.Var.Name + "}")
			} else {
				p.WriteString(p.escape(part.Lit))
			}
		}
		p.WriteByte('"')
	case *Var:
		p.WriteString("${" + e.Name + "}")
	case *BinaryOp:
		if inside {
			p.WriteByte('(')
		}
		p.expr(e.Left, true)
		p.WriteString(" " + string(e.Op) + " ")
		p.expr(e.Right, true)
		if inside {
			p.WriteByte(')')
		}
	case *Negate:
		p.WriteString("-(")
		p.expr(e.X, false)
		p.WriteByte(')')
	case *List:
		for i, x := range e.Elems {
			if i > 0 {
				p.WriteString(", ")
			}
			p.expr(x, false)
		}
	}
}

// positions calls f with every place in the tree.
func positions(file *File, f func(Pos)) {
	for _, it := range file.Items {
		f(it.Pos)
		if (it.NamePos != Pos{}) {
			f(it.NamePos)
		}
		if it.From != nil {
			exprPositions(it.From, f)
		}
		bodyPositions(it.Body, f)
		f(it.End)
	}
}

func bodyPositions(body []Stmt, f func(Pos)) {
	for _, s := range body {
		f(s.Position())
		switch s := s.(type) {
		case *Setting:
			for _, v := range s.Values {
				exprPositions(v, f)
			}
			bodyPositions(s.Body, f)
			f(s.End)
		case *Include:
			exprPositions(s.Target, f)
		case *Default:
			exprPositions(s.Value, f)
		case *Reject:
			exprPositions(s.Reason, f)
		case *Select:
			exprPositions(s.Subject, f)
			for _, c := range s.Cases {
				f(c.Pos)
				for _, l := range c.Labels {
					exprPositions(l, f)
				}
				bodyPositions(c.Body, f)
				f(c.End)
			}
			f(s.End)
		}
	}
}

func exprPositions(e Expr, f func(Pos)) {
	f(e.Position())
	switch e := e.(type) {
	case *String:
		for _, part := range e.Parts {
			if part.Var != nil {
				f(part.Var.Pos)
			}
		}
	case *BinaryOp:
		exprPositions(e.Left, f)
		exprPositions(e.Right, f)
	case *Negate:
		exprPositions(e.X, f)
	case *List:
		for _, x := range e.Elems {
			exprPositions(x, f)
		}
	}
}
