package skeleton

import (
	"fmt"
	"slices"
	"strings"

	"dcs/render/syntax"
)

// scope is where defaults are looked up: first in the template, then in the Blocks that it includes. A template thus
// overrides the defaults of its Blocks.
type scope struct {
	outer *scope
	of    *syntax.Item // the item with these statements; nil in a group or a case
	named map[string]*syntax.Default
}

// inner returns the scope of a group or a case, which cannot contain defaults.
func (sc *scope) inner() *scope { return &scope{outer: sc} }

func (sc *scope) owns(d *syntax.Default) bool { return sc.named[d.Name] == d }

// lookup returns the default of name in sc, and the scope that its value is computed in.
func (sc *scope) lookup(name string) (*syntax.Default, *scope) {
	if sc == nil {
		return nil, nil
	}
	if d, at := sc.outer.lookup(name); d != nil {
		return d, at
	}
	if d := sc.named[name]; d != nil {
		return d, sc
	}
	return nil, nil
}

// newScope returns the scope of an item with its body.
func (c *compiler) newScope(it *syntax.Item, body []syntax.Stmt, outer *scope) *scope {
	sc := &scope{outer: outer, of: it}
	for _, st := range body {
		d, ok := st.(*syntax.Default)
		if !ok {
			continue
		}
		if other := sc.named[d.Name]; other != nil {
			c.errorf(d.Pos, "default %s: already set at %s", d.Name, other.Pos)
			continue
		}
		if builtin(d.Name) {
			c.errorf(d.Pos, "default %s: $%s is built in and always has a value", d.Name, d.Name)
		}
		if sc.named == nil {
			sc.named = map[string]*syntax.Default{}
		}
		sc.named[d.Name] = d
	}
	return sc
}

func builtin(name string) bool {
	return slices.Contains([]string{"time", "ip", "mac", "filename", "server"}, name)
}

// evalAll appends the values of a setting to dst; ok is false if there is an error in one.
func (c *compiler) evalAll(dst []val, st *syntax.Setting, sc *scope, wantPair bool) (vals []val, ok bool) {
	before := len(c.errs)
	for _, e := range st.Values {
		dst = append(dst, c.eval(e, sc, wantPair))
	}
	return dst, len(c.errs) == before
}

// eval computes an expression as far as possible. A slash makes a pair if the keyword takes one (wantPair) or an
// operand is not a number; otherwise it is a division.
func (c *compiler) eval(e syntax.Expr, sc *scope, wantPair bool) val {
	v := c.compute(e, sc, wantPair)
	if v.terms = v.weigh(); v.terms > maxTerms {
		c.errorf(e.Position(), "%s: more than %d terms once its defaults are expanded", write(e), maxTerms)
		return val{pos: v.pos, kind: unknownVal}
	}
	return v
}

func (c *compiler) compute(e syntax.Expr, sc *scope, wantPair bool) val {
	v := val{pos: e.Position(), kind: unknownVal}
	switch e := e.(type) {
	case *syntax.Number:
		v.kind, v.neg, v.abs = numberVal, e.Neg, e.Value
	case *syntax.Hex:
		v.kind, v.text = hexVal, e.Text
	case *syntax.Word:
		v.kind, v.text = wordVal, e.Text
	case *syntax.String:
		return c.evalString(e, sc)
	case *syntax.Var:
		return c.variable(e, sc)
	case *syntax.List:
		v.kind = listVal
		for _, x := range e.Elems {
			v.elems = append(v.elems, c.eval(x, sc, wantPair))
		}
	case *syntax.Negate:
		x := c.eval(e.X, sc, false)
		if x.kind == dynamicVal {
			v.kind, v.dyn = dynamicVal, &dynamic{op: dynNeg, x: x}
			return v
		}
		if x.has(unknownVal) {
			if x.varies() {
				v.dyn = &dynamic{op: dynNeg, x: x} // visible to structural
			}
			return v
		}
		n, ok := x.integer()
		r, why := arith(opSub, 0, n)
		if !ok || why != okay {
			c.errorf(v.pos, "-%s: the operand is not a 64-bit integer", write(e.X))
			return v
		}
		return number(v.pos, r)
	case *syntax.BinaryOp:
		return c.binary(e, sc, wantPair)
	}
	return v
}

func (c *compiler) binary(e *syntax.BinaryOp, sc *scope, wantPair bool) val {
	x, y := c.eval(e.Left, sc, wantPair), c.eval(e.Right, sc, wantPair)
	v := val{pos: x.pos, kind: unknownVal}
	if e.Op == '/' && (wantPair || x.kind == wordVal || y.kind == wordVal || x.kind == pairVal) {
		v.kind, v.elems = pairVal, []val{x, y}
		return v
	}
	if x.has(unknownVal) || y.has(unknownVal) {
		if x.varies() || y.varies() {
			v.dyn = &dynamic{op: arithOps[e.Op], x: x, y: y} // visible to structural
		}
		return v
	}
	if x.kind == dynamicVal || y.kind == dynamicVal {
		v.kind, v.dyn = dynamicVal, &dynamic{op: arithOps[e.Op], x: x, y: y}
		return v
	}
	a, ok1 := x.integer()
	b, ok2 := y.integer()
	if !ok1 || !ok2 {
		bad := e.Left
		if ok1 {
			bad = e.Right
		}
		c.errorf(bad.Position(), "%s: not a 64-bit integer; %c takes numbers only", write(bad), e.Op)
		return v
	}
	r, why := arith(opcodes[arithOps[e.Op]], a, b)
	if why != okay {
		c.errorf(e.Pos, "%s: %s", write(e), reasonTexts[why])
		return v
	}
	return number(v.pos, r)
}

func (c *compiler) evalString(e *syntax.String, sc *scope) val {
	v := val{pos: e.Pos, kind: quotedVal}
	var parts []val
	dyn := false
	for _, p := range e.Parts {
		if p.Var == nil {
			parts = append(parts, val{pos: e.Pos, kind: quotedVal, text: p.Lit})
			continue
		}
		x := c.splice(p.Var, sc)
		if x.has(unknownVal) {
			v.kind = unknownVal
		}
		dyn = dyn || x.varies()
		parts = append(parts, x)
	}
	switch {
	case v.kind == unknownVal && dyn: // visible to structural
		v.dyn = &dynamic{op: dynText, parts: parts}
	case v.kind == unknownVal:
	case dyn:
		v.kind, v.dyn = dynamicVal, &dynamic{op: dynText, parts: parts}
	default:
		var b strings.Builder
		for i := range parts {
			b.WriteString(parts[i].plain())
			if b.Len() > maxText {
				c.errorf(e.Pos, "text longer than %d octets once its variables are expanded", maxText)
				return val{pos: e.Pos, kind: unknownVal}
			}
		}
		v.text = b.String()
	}
	return v
}

// splice returns the value of $name for a text that it is a part of.
func (c *compiler) splice(e *syntax.Var, sc *scope) val {
	c.splicing = true
	v := c.variable(e, sc)
	c.splicing = false
	return v
}

// variable returns the value of $name: a built-in, a capture, an attribute of the device, or a default.
func (c *compiler) variable(e *syntax.Var, sc *scope) val {
	c.b.local = true
	v := val{pos: e.Pos, kind: dynamicVal}
	source := func(src source, from string) val {
		v.dyn = &dynamic{op: dynVar, name: e.Name, src: src}
		c.trace(e, Use{From: from})
		return v
	}
	switch e.Name {
	case "time":
		return source(fromTime, "the time of the request")
	case "ip":
		return source(fromIP, "the modem's address")
	case "mac":
		return source(fromMAC, "the device that the request names")
	case "server":
		return source(fromServer, "the address that was asked")
	}
	return c.pass.lookup(e, sc)
}

// attribute returns the value of a device's attribute, with a default if there is one.
func (c *compiler) attribute(e *syntax.Var, index int, fallback *val) val {
	d := &dynamic{op: dynVar, name: e.Name, src: fromAttr, attr: index, fallback: fallback}
	return val{pos: e.Pos, kind: dynamicVal, dyn: d}
}

// noGroup reports whether a variable is the number of a group. If so, it reports an error: the pattern has no such
// group.
func (c *compiler) noGroup(e *syntax.Var) bool {
	if e.Name[0] < '0' || e.Name[0] > '9' {
		return false
	}
	c.errorf(e.Pos, "$%s: %s", e.Name, c.t.groupsText())
	return true
}

// noValue reports an error for a variable without a value.
func (c *compiler) noValue(e *syntax.Var) {
	c.errorf(e.Pos, "$%s: undefined variable: %s, no device source has such an attribute, and there is no \"default %s …;\"",
		e.Name, c.t.groupsText(), e.Name)
}

// maxDefaults is the maximum depth of defaults that refer to one another.
const maxDefaults = 16

// valueKey is a default with the scope that its value is computed in.
type valueKey struct {
	d  *syntax.Default
	at *scope
}

// fallback computes the default of a variable, once per scope: defaults that refer to one another repeatedly would
// otherwise take exponential time.
func (c *compiler) fallback(e *syntax.Var, sc *scope) (val, bool) {
	if v, ok := c.pass.around(e.Name); ok {
		return v, true
	}
	d, at := sc.lookup(e.Name)
	if d == nil {
		return val{}, false
	}
	key := valueKey{d, at}
	v, done := c.values[key]
	if !done {
		if c.defaults >= maxDefaults {
			c.errorf(d.Pos, "default %s: default cycle, or defaults nested deeper than %d levels", d.Name, maxDefaults)
			return val{pos: d.Pos, kind: unknownVal}, true
		}
		c.defaults++
		v = c.eval(d.Value, at, false)
		c.defaults--
		if v.kind == numberVal || v.kind == wordVal || v.kind == quotedVal {
			v.text, v.kind = v.plain(), bareVal // parsed like a variable's text, as the keyword requires
		}
		if c.values == nil {
			c.values = map[valueKey]val{}
		}
		if c.fault == nil { // otherwise not cached: the fault is reported at each use
			c.values[key] = v
		}
	}
	if c.tracing {
		c.trace(e, Use{From: fmt.Sprintf("the default at %s", d.Pos), Value: v.plain(), Default: true})
	}
	return v, true
}

// Use is a variable that was read while making a file.
type Use struct {
	Pos   syntax.Pos
	Name  string
	From  string // where the value comes from
	Value string // empty if it depends on the request

	Captured bool // by the pattern
	Default  bool // the value is a default
}

// trace records a use for Trace.
func (c *compiler) trace(e *syntax.Var, u Use) {
	if c.tracing {
		u.Pos, u.Name = e.Pos, e.Name
		c.uses = append(c.uses, u)
	}
}
