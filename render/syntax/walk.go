package syntax

// Walk calls f for each statement in stmts and, if f returns true, for those in its braces or cases.
func Walk(stmts []Stmt, f func(Stmt) bool) {
	for _, st := range stmts {
		if !f(st) {
			continue
		}
		switch st := st.(type) {
		case *Setting:
			Walk(st.Body, f)
		case *Select:
			for _, cs := range st.Cases {
				Walk(cs.Body, f)
			}
		}
	}
}

// Exprs calls f for each expression of a statement, except the labels of cases, which are constant, and the expressions
// of the statements in its braces or cases.
func Exprs(st Stmt, f func(Expr)) {
	switch st := st.(type) {
	case *Setting:
		for _, e := range st.Values {
			f(e)
		}
	case *Default:
		f(st.Value)
	case *Reject:
		f(st.Reason)
	case *Select:
		f(st.Subject)
	case *Include:
		f(st.Target)
	}
}

// Vars calls f for each variable in an expression.
func Vars(e Expr, f func(*Var)) {
	switch e := e.(type) {
	case *Var:
		f(e)
	case *String:
		for _, p := range e.Parts {
			if p.Var != nil {
				f(p.Var)
			}
		}
	case *BinaryOp:
		Vars(e.Left, f)
		Vars(e.Right, f)
	case *Negate:
		Vars(e.X, f)
	case *List:
		for _, x := range e.Elems {
			Vars(x, f)
		}
	}
}
