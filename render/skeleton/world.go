package skeleton

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dcs/render/syntax"
)

// A world is the values that the items around an include give the variables that the included items read. Equal worlds
// share one *world.
type world struct {
	any  bool // any variable may have any value
	vars map[string]*bound
	// The first template with this world. Its groups are those in the world's key, and errors name the template.
	of     *syntax.Item
	groups []string
}

// bound is the value of a default, computed in the default's scope.
type bound struct {
	val        val
	errs       []*syntax.Error // found when it was computed; reported where it is read
	attributes bool            // computing it read an attribute
	missing                    // the undefined variables that computing it read
}

// missing is the undefined variables that were read and may yet be attributes.
type missing struct {
	waits bool  // there is at least one
	lacks names // those that an unknown surrounding item may still define
}

func (m *missing) join(o *missing) {
	m.waits = m.waits || o.waits
	for name := range o.lacks {
		if m.lacks == nil {
			m.lacks = names{}
		}
		m.lacks[name] = true
	}
}

// worldAt returns the world that sc and the pattern's groups make for the variables in free.
func (c *checker) worldAt(sc *scope, free names) *world {
	r := c.env.reach
	if c.loose || c.world != nil && c.world.any {
		return r.anything
	}
	given := map[string]*bound{} // nil: by a group
	eachGroup(c.t.groups, free, func(name string) { given[name] = nil })
	bind := func(name string) {
		if _, done := given[name]; !done && free.has(name) {
			given[name] = c.bind(name, sc)
		}
	}
	if c.world != nil {
		for name := range c.world.vars {
			bind(name)
		}
	}
	for s := sc; s != nil; s = s.outer {
		for name := range s.named {
			bind(name)
		}
	}
	return r.world(c.t.Item, c.t.groups, given)
}

// eachGroup calls f with the numbers and names of a pattern's groups that are in free.
func eachGroup(groups []string, free names, f func(name string)) {
	for i, g := range groups {
		if n := strconv.Itoa(i); i > 0 && free.has(n) {
			f(n)
		}
		if g != "" && free.has(g) {
			f(g)
		}
	}
}

// world returns the unique *world of these values.
func (r *reach) world(of *syntax.Item, groups []string, given map[string]*bound) *world {
	var key strings.Builder
	order := make([]string, 0, len(given))
	for name := range given {
		order = append(order, name)
	}
	slices.Sort(order)
	for _, name := range order {
		key.WriteString(name)
		if b := given[name]; b != nil {
			b.canon(&key)
		}
		key.WriteByte(0)
	}
	w := r.worlds[key.String()]
	if w == nil {
		w = &world{of: of, groups: groups, vars: map[string]*bound{}}
		for name, b := range given {
			if b != nil {
				w.vars[name] = b
			}
		}
		r.worlds[key.String()] = w
	}
	return w
}

// bind computes the default of a variable without the effects that reading it has on the template.
func (c *checker) bind(name string, sc *scope) *bound {
	if c.world != nil && c.world.vars[name] != nil {
		return c.world.vars[name]
	}
	d, at := sc.lookup(name)
	key := valueKey{d, at}
	if b := c.bindings[key]; b != nil {
		return b
	}
	side := c.side()
	v, _ := side.fallback(&syntax.Var{Pos: d.Pos, Name: name}, sc)
	b := &bound{val: v, errs: side.errs, attributes: side.t.attributes, missing: side.missing}
	c.bindings[key] = b
	return b
}

// side returns a checker for an expression in the context of c that leaves c's template unchanged.
func (c *checker) side() *checker {
	t := &Template{Item: c.t.Item, Kind: c.t.Kind, env: c.env, groups: c.t.groups}
	side := t.checker()
	if c.bindings == nil {
		c.bindings = map[valueKey]*bound{}
	}
	side.world, side.loose, side.bindings, side.defaults = c.world, c.loose, c.bindings, c.defaults
	return side
}

// read returns the value of a binding, with the effects of reading it.
func (c *checker) read(b *bound) val {
	for _, e := range b.errs {
		c.errorf(e.Pos, "%s", e.Msg)
	}
	c.t.attributes = c.t.attributes || b.attributes
	c.missing.join(&b.missing)
	return b.val
}

// canon writes a key that distinguishes a binding from others.
func (b *bound) canon(w *strings.Builder) {
	w.WriteByte('=')
	b.val.canon(w)
	fmt.Fprintf(w, "%t %t", b.attributes, b.waits)
	for _, e := range b.errs {
		w.WriteString(e.Error())
	}
}

func (v *val) canon(w *strings.Builder) {
	fmt.Fprintf(w, "(%d %t %d %q", v.kind, v.neg, v.abs, v.text)
	for i := range v.elems {
		v.elems[i].canon(w)
	}
	if d := v.dyn; d != nil {
		fmt.Fprintf(w, "[%d %s %d %d", d.op, d.name, d.src, d.attr)
		if d.fallback != nil {
			d.fallback.canon(w)
		}
		for i := range d.parts {
			d.parts[i].canon(w)
		}
		if d.op != dynVar && d.op != dynText {
			d.x.canon(w)
			d.y.canon(w)
		}
		w.WriteByte(']')
	}
	w.WriteByte(')')
}

// open returns the value of $name where the surrounding items are unknown. Only two things are known: an attribute of
// that name, and what the default in scope reads.
func (c *checker) open(e *syntax.Var, sc *scope) val {
	v := val{pos: e.Pos, kind: unknownVal}
	d, _ := sc.lookup(e.Name)
	i, known := c.env.Schema.Index(e.Name)
	perhaps := !known && c.env.Schema.Partial()
	c.t.attributes = c.t.attributes || known || perhaps
	if known {
		v.kind, v.dyn = dynamicVal, &dynamic{op: dynVar, name: e.Name, src: fromAttr, attr: i}
	}
	if d == nil {
		if perhaps {
			c.missing.join(&missing{lacks: names{e.Name: true}})
		}
		return v
	}
	b := c.bind(e.Name, sc)
	c.t.attributes = c.t.attributes || b.attributes
	c.missing.join(&b.missing)
	switch {
	case known && b.val.kind == dynamicVal:
		v.dyn.fallback = &b.val
	case b.val.dyn != nil:
		v.dyn = b.val.dyn
	case b.val.varies():
		return val{pos: e.Pos, kind: listVal, elems: []val{v, b.val}}
	}
	return v
}

// widen makes structural all attributes read by the defaults around an include, because it is not known which defaults
// the included items read, and how.
func (c *checker) widen(sc *scope) {
	mark := func(b *bound) {
		c.t.attributes = c.t.attributes || b.attributes
		c.missing.join(&b.missing)
		b.val.each(func(d *dynamic) {
			if d.src == fromAttr {
				c.markStructural(d.attr)
			}
		})
	}
	if c.world != nil {
		for _, b := range c.world.vars {
			mark(b)
		}
	}
	for s := sc; s != nil; s = s.outer {
		for name := range s.named {
			mark(c.bind(name, s))
		}
	}
}
