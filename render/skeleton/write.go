package skeleton

import (
	"strings"

	"dcs/render/syntax"
)

// write formats an expression in the template language.
func write(e syntax.Expr) string {
	switch e := e.(type) {
	case *syntax.Number:
		return e.Text
	case *syntax.Hex:
		return "0x" + e.Text
	case *syntax.Word:
		return e.Text
	case *syntax.Var:
		return "$" + e.Name
	case *syntax.String:
		var b strings.Builder
		b.WriteByte('"')
		for _, p := range e.Parts {
			if p.Var != nil {
				b.WriteString("${" + p.Var.Name + "}")
				continue
			}
			b.WriteString(strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `$$`).Replace(p.Lit))
		}
		b.WriteByte('"')
		return b.String()
	case *syntax.BinaryOp:
		op := " " + string(e.Op) + " "
		if e.Op == '/' {
			op = "/"
		}
		return operand(e.Left, binding(e)) + op + operand(e.Right, binding(e)+1)
	case *syntax.Negate:
		return "-" + operand(e.X, binding(e)+1)
	case *syntax.List:
		elems := make([]string, len(e.Elems))
		for i, x := range e.Elems {
			elems[i] = write(x)
		}
		return strings.Join(elems, ", ")
	}
	return ""
}

// operand formats an expression, in parentheses if it binds less tightly than least.
func operand(e syntax.Expr, least int) string {
	if binding(e) < least {
		return "(" + write(e) + ")"
	}
	return write(e)
}

// binding returns how tightly an expression binds: sums the least.
func binding(e syntax.Expr) int {
	switch e := e.(type) {
	case *syntax.BinaryOp:
		if e.Op == '+' || e.Op == '-' {
			return 1
		}
		return 2
	case *syntax.Negate:
		return 3
	case *syntax.Number:
		if e.Neg {
			return 3
		}
	}
	return 4
}

// pieces returns the constant pieces of a name with variables. Anything may stand between two of them; an empty first
// or last piece leaves that end open.
func pieces(e syntax.Expr) []string {
	s, ok := e.(*syntax.String)
	if !ok {
		return []string{"", ""}
	}
	out := []string{""}
	for _, p := range s.Parts {
		if p.Var != nil {
			out = append(out, "")
		} else {
			out[len(out)-1] += p.Lit
		}
	}
	return out
}

func itemName(it *syntax.Item) string {
	if it.Name != "" {
		return it.Name
	}
	return it.Pos.File
}
