package skeleton

import (
	"fmt"
	"slices"

	"dcs/render/syntax"
)

// entry is an include by name on the way through a node.
type entry struct {
	at    *syntax.Include
	stack []*syntax.Item // from the node's own to the one that is included
}

func (e *entry) item() *syntax.Item { return e.stack[len(e.stack)-1] }

// closer is an include by name that closes a circle, reached from what a variable may choose.
type closer struct {
	at     *syntax.Include
	chosen *syntax.Item
}

// hop is an include with variables that a node comes to.
type hop struct {
	from, to *node
	stack    []*syntax.Item // of from, where the include stands
}

// entered notes an include by name.
func (c *checker) entered(st *syntax.Include, it *syntax.Item) {
	if c.node == nil {
		c.env.checked[it] = true
		return
	}
	c.node.entries = append(c.node.entries, entry{st, append(slices.Clone(c.stack), it)})
}

// circles finds the circles that one include with variables is a part of, in nodes compiled
// since. Where there are more in it, a request tells.
func (r *reach) circles() {
	for _, h := range r.hops {
		h.from.errs = append(h.from.errs, r.reentries(h.to, h.stack)...)
	}
	r.hops = r.hops[:0]
}

// reentries returns an error for each of the Choices n that includes by name what includes them.
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
				if r.way[e.at] == "" { // one of many ways around
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
