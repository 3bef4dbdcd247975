package skeleton

import (
	"slices"

	"dcs/render/syntax"
	"dcs/render/tlv"
)

// checker is the pass that checks a template when it is loaded. It compiles all statements, whichever of them a name
// leads to.
type checker struct {
	*compiler
	onward

	loose    bool // a Block without a template: no variable has a value
	bindings map[valueKey]*bound
	world    *world // the surroundings of node; nil: the template itself is compiled
	node     *node  // the node being compiled; nil: the template itself
	common   bool   // a fork lacks what the check needs
	missing
}

func (t *Template) checker() *checker {
	c := &checker{compiler: t.compiler()}
	c.pass = c
	return c
}

func (c *checker) lookup(e *syntax.Var, sc *scope) val {
	unknown := val{pos: e.Pos, kind: unknownVal}
	switch {
	case e.Name == "filename" || c.loose:
		return unknown
	case c.world != nil && c.world.any:
		return c.open(e, sc)
	}
	if _, ok := c.t.group(e.Name); ok || c.noGroup(e) {
		return unknown
	}
	index, known := c.env.Schema.Index(e.Name)
	if known {
		c.t.attributes = true
	}
	fallback, ok := c.fallback(e, sc)
	// A name that a partial schema lacks may still be an attribute; the default applies to known devices, as always.
	perhaps := !known && c.env.Schema.Partial()
	switch {
	case known && ok:
		return c.attribute(e, index, &fallback)
	case known:
		return c.attribute(e, index, nil)
	case ok:
		c.t.attributes = c.t.attributes || perhaps
		return fallback
	case perhaps:
		c.waits = true
	default:
		c.noValue(e)
	}
	return unknown
}

func (c *checker) around(name string) (val, bool) {
	if c.world == nil || c.world.vars[name] == nil {
		return val{}, false
	}
	return c.read(c.world.vars[name]), true
}

func (c *checker) inline(st *syntax.Include, it *syntax.Item, parent *tlv.Def, sc *scope) bool {
	if c.aside && c.checked > maxByPath {
		c.once(it, parent, sc)
		return false
	}
	if !c.loose {
		c.entered(st, it)
	}
	return true
}

func (c *checker) otherCases(st *syntax.Select, chosen *syntax.Case, parent *tlv.Def, sc *scope) {
	for _, cs := range st.Cases {
		if cs != chosen {
			c.discard(func() { c.body(cs.Body, parent, sc.inner()) })
		}
	}
}

func (c *checker) unknownValue(st *syntax.Setting, d *tlv.Def, form tlv.Form, vals []val) {
	if (form == tlv.FormFile || form == tlv.FormDigitMap) && !c.loose {
		c.errorf(vals[0].pos, "%s: the file name must be constant; the file is read when the library is loaded", st.Keyword)
	}
	if !c.slotted(d, form, vals) {
		for i := range vals {
			c.structural(&vals[i], st.Keyword)
		}
	}
}

func (c *checker) tooLate(syntax.Pos, string) {} // decided when a name is learned

func (c *checker) encoded(key memoKey, octets []byte) {
	c.env.memo[key] = c.env.keep(octets)
}

func (c *checker) halt(*Fault) {} // the following statements are still checked

func (c *checker) markStructural(attr int) {
	if !slices.Contains(c.t.structural, attr) {
		c.t.structural = append(c.t.structural, attr)
	}
}

func (*checker) fix(int) {} // groups have no text yet

func (c *checker) stampAddress(func(code byte, src source, name string)) { c.t.families = true }

func (c *checker) warn(pos syntax.Pos, msg string) {
	if !c.loose && c.env.Warn != nil {
		c.env.Warn(pos, msg)
	}
}
