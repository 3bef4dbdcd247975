package skeleton

import (
	"dcs/render/syntax"
)

// maxFree is the maximum number of variable names recorded for an item; an item that reads more counts as reading all.
const maxFree = 256

// names is a set of variable names; nil: all names.
type names map[string]bool

func (n names) has(name string) bool { return n == nil || n[name] }

// own is what an item's own statements read and include.
type own struct {
	reads    names
	includes []any // *syntax.Item or *Choices
}

// freeNames finds the variables that an item reads, including those read by anything that it may include. Each item is
// analysed once per library.
type freeNames struct {
	env   *Env
	owns  map[*syntax.Item]*own
	free  map[any]names
	graph condensation[any]
}

func newFreeNames(env *Env) *freeNames {
	f := &freeNames{env: env, owns: map[*syntax.Item]*own{}, free: map[any]names{}}
	f.graph = condensation[any]{next: f.next, done: f.merge}
	return f
}

// of returns the names read by n, which is a *syntax.Item or *Choices.
func (f *freeNames) of(n any) names {
	f.graph.reach(n)
	return f.free[n]
}

func (f *freeNames) next(n any) []any {
	if it, ok := n.(*syntax.Item); ok {
		return f.own(it).includes
	}
	items := n.(*Choices).Items
	out := make([]any, len(items))
	for i, it := range items {
		out[i] = it
	}
	return out
}

// merge gives all nodes of a component the union of the names that they read.
func (f *freeNames) merge(component []any) {
	all := names{}
	for _, n := range component {
		if it, ok := n.(*syntax.Item); ok {
			all = all.and(f.own(it).reads)
		}
		for _, to := range f.next(n) {
			if in, done := f.free[to]; done {
				all = all.and(in)
			}
		}
	}
	for _, n := range component {
		f.free[n] = all
	}
}

// and adds the names of more to n and returns it.
func (n names) and(more names) names {
	if n == nil || more == nil {
		return nil
	}
	for name := range more {
		n[name] = true
	}
	if len(n) > maxFree {
		return nil
	}
	return n
}

// own analyses an item's own statements.
func (f *freeNames) own(it *syntax.Item) *own {
	o := f.owns[it]
	if o == nil {
		o = &own{reads: names{}}
		f.owns[it] = o
		f.look(o, it.Statements())
	}
	return o
}

// look records what statements read and include.
func (f *freeNames) look(o *own, stmts []syntax.Stmt) {
	read := func(v *syntax.Var) { o.reads[v.Name] = true }
	syntax.Walk(stmts, func(st syntax.Stmt) bool {
		syntax.Exprs(st, func(e syntax.Expr) { syntax.Vars(e, read) })
		in, ok := st.(*syntax.Include)
		if !ok {
			return true
		}
		if it := f.env.included(in); it != nil {
			o.includes = append(o.includes, it)
		} else if _, constant := in.Target.(*syntax.Word); !constant {
			for _, ch := range f.env.Candidates(in.Pos, pieces(in.Target)) {
				o.includes = append(o.includes, ch)
			}
		}
		return true
	})
}
