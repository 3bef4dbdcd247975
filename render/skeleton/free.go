package skeleton

import (
	"dcs/render/syntax"
)

// maxFree bounds the names that are told apart of those that an item may read; beyond it
// counts as reading all.
const maxFree = 256

// names are names of variables; nil: all names there are.
type names map[string]bool

func (n names) has(name string) bool { return n == nil || n[name] }

// own is what an item's statements read themselves, and what they may include.
type own struct {
	reads    names
	includes []any // *syntax.Item or *Choices
}

// freeNames tells which variables an item reads with all that it may include, whichever
// way. Each item is looked at once for the whole library.
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

// of returns the names that are read by what n stands for, an item or Choices.
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

// merge gives all of a component what any of them reads.
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

// and returns n with more in it.
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

// own looks through an item's own statements.
func (f *freeNames) own(it *syntax.Item) *own {
	o := f.owns[it]
	if o == nil {
		o = &own{reads: names{}}
		f.owns[it] = o
		f.look(o, it.Body)
	}
	return o
}

// look notes what statements read and include.
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
