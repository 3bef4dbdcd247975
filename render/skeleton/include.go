package skeleton

import (
	"slices"
	"strings"

	"dcs/render/syntax"
	"dcs/render/tlv"
)

func (c *compiler) include(st *syntax.Include, parent *tlv.Def, sc *scope) {
	target := c.pass.decide(st, c.eval(st.Target, sc, false), sc)
	if !target.constant() {
		c.undecided(st.Pos, "include", "include "+write(st.Target), &target)
		c.pass.choices(st, parent, sc)
		return
	}
	_, word := st.Target.(*syntax.Word)
	it, err := c.env.Include(st.Pos, target.plain(), word)
	if err != nil {
		c.errorf(st.Pos, "include %s: %v", write(st.Target), err)
		return
	}
	c.enter(st, it, parent, sc)
}

// enter compiles an included item.
func (c *compiler) enter(st *syntax.Include, it *syntax.Item, parent *tlv.Def, sc *scope) {
	if i := slices.Index(c.stack, it); i >= 0 {
		c.errorf(st.Pos, "include %s: include cycle: %s", write(st.Target), path(append(c.stack[i:len(c.stack):len(c.stack)], it)))
		return
	}
	if len(c.stack) > maxIncludes {
		c.errorf(st.Pos, "include %s: includes nest deeper than %d levels", write(st.Target), maxIncludes)
		return
	}
	if !c.pass.inline(st, it, parent, sc) {
		return
	}
	c.stack = append(c.stack, it)
	c.item(it, parent, sc)
	c.stack = c.stack[:len(c.stack)-1]
}

// path formats a chain of includes.
func path(items []*syntax.Item) string {
	names := make([]string, len(items))
	for i, it := range items {
		names[i] = itemName(it)
	}
	return strings.Join(names, " → ")
}
