package skeleton

import (
	"fmt"
	"slices"

	"dcs/render/syntax"
)

// entry is an include by name, with the path to it within a node.
type entry struct {
	at    *syntax.Include
	stack []*syntax.Item // from the node's own item to the included one
}

func (e *entry) item() *syntax.Item { return e.stack[len(e.stack)-1] }

// closer is an include by name that closes an include cycle, with the item chosen by a variable that leads to it.
type closer struct {
	at     *syntax.Include
	chosen *syntax.Item
}

// hop is an include with variables in a node.
type hop struct {
	from, to *node
	stack    []*syntax.Item // of from, at the include
}

// entered records an include by name.
func (c *checker) entered(st *syntax.Include, it *syntax.Item) {
	if c.node == nil {
		c.env.checked[it] = true
		return
	}
	c.node.entries = append(c.node.entries, entry{st, append(slices.Clone(c.stack), it)})
}

// circles reports the include cycles with exactly one include with variables, in the nodes compiled since the last
// call. Cycles with more of them are found at request time.
func (r *reach) circles() {
	for _, h := range r.hops {
		h.from.errs = append(h.from.errs, r.reentries(h.to, h.stack)...)
	}
	r.hops = r.hops[:0]
}

// reentries returns an error for each include by name, in an item of the Choices n, whose target is on the stack.
func (r *reach) reentries(n *node, stack []*syntax.Item) (errs []*syntax.Error) {
	if n.set == nil {
		return nil
	}
	if n.byItem == nil {
		n.byItem = map[*syntax.Item][]entry{}
		for _, edge := range n.edges {
			for _, e := range edge.to.entries {
				n.byItem[e.item()] = append(n.byItem[e.item()], e)
			}
		}
	}
	for i, it := range stack {
		for _, e := range n.byItem[it] {
			if len(errs) == maxErrors || slices.Contains(stack, e.stack[0]) {
				continue
			}
			key := closer{e.at, e.stack[0]}
			err := r.circle[key]
			if err == nil {
				if r.way[e.at] == "" { // one of several paths around the cycle
					r.way[e.at] = path(append(slices.Clone(stack[i:]), e.stack...))
				}
				err = &syntax.Error{Pos: e.at.Pos, Msg: fmt.Sprintf("include %s: include cycle: %s", write(e.at.Target), r.way[e.at])}
				r.circle[key], r.closed[err] = err, e.stack[0]
			}
			errs = append(errs, err)
		}
	}
	return errs
}
