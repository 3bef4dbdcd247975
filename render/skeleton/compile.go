package skeleton

import (
	"fmt"

	"dcs/render/mic"
	"dcs/render/syntax"
	"dcs/render/tlv"
)

const (
	maxIncludes = 32 // how deep includes may nest
	maxErrors   = 50 // of one template

	// What one template may come to with all that it includes: Blocks that include one
	// another twice grow by powers of two.
	maxStatements = 65535
	maxOctets     = 1 << 20
	maxChecked    = 1 << 21 // statements, with those of the cases that a name does not lead to
	maxByPath     = 1 << 12 // of the latter, until Blocks in such cases are looked at once
	maxTerms      = 1000    // of an expression, the defaults in it written out
	maxText       = 65535   // octets of a constant text; no TLV holds more
)

// compiler walks a template's statements once: to check them all when the template is
// loaded (checking), or to follow the ones that a name leads to.
type compiler struct {
	t        *Template
	env      *Env
	enc      tlv.Encoder
	b        builder
	checking bool
	loose    bool // while checking: a Block without a template, so that no variable has a value

	misplaced  int    // keywords that do not belong where they stand
	statements int    // compiled so far
	checked    int    // the same, with those that were compiled for their errors alone
	aside      bool   // statements are being compiled for their errors alone
	over       string // the bound that they have passed

	captures []string // by group number; "" and not given[i]: the group took no part
	given    []bool
	name     string
	keys     []string // of t.structural, in its order

	errs     []*syntax.Error
	fault    *Fault // a reject or a select without a case was reached
	stack    []*syntax.Item
	pos      syntax.Pos // of the setting being encoded
	hash     mic.Variant
	hashPos  syntax.Pos
	ipv6     bool
	implied  bool // the opening MtaConfigDelimiter has been put in front
	asIs     bool // the file is the template's source, unchanged
	defaults int  // how deep the default being computed is
	values   map[valueKey]val
	bindings map[valueKey]*bound
	world    *world // while checking: what stands around; nil: the template itself is compiled
	node     *node  // while checking: whose statements are compiled; nil: the template's
	missing
	tracing bool
	uses    []Use
}

func (c *compiler) errorf(pos syntax.Pos, format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	for _, e := range c.errs {
		if e.Pos == pos && e.Msg == msg {
			return // a block that is included twice
		}
	}
	if len(c.errs) < maxErrors {
		c.errs = append(c.errs, &syntax.Error{Pos: pos, Msg: msg})
	}
}

// body compiles the statements of one pair of braces.
func (c *compiler) body(stmts []syntax.Stmt, parent *tlv.Def, sc *scope) {
	for _, st := range stmts {
		if c.fault != nil || c.spent() {
			return
		}
		switch st := st.(type) {
		case *syntax.Setting:
			c.setting(st, parent, sc)
		case *syntax.Include:
			c.include(st, parent, sc)
		case *syntax.Select:
			c.choose(st, parent, sc)
		case *syntax.Reject:
			c.reject(st, sc)
		case *syntax.Hash:
			c.setHash(st, parent)
		case *syntax.Default:
			if sc.of == nil || !sc.owns(st) {
				c.errorf(st.Pos, "default %s: defaults stand at the top of a template or Block, not within a group or a case", st.Name)
			}
		}
	}
}

// spent counts a statement, and tells whether it is one too many.
func (c *compiler) spent() bool {
	c.checked++
	if !c.aside {
		c.statements++
	}
	switch {
	case c.over != "":
	case c.statements > maxStatements:
		c.over = fmt.Sprintf("%d statements", maxStatements)
	case len(c.b.base) > maxOctets:
		c.over = fmt.Sprintf("%d octets", maxOctets)
	case c.checked > maxChecked:
		c.over = fmt.Sprintf("%d statements in its cases", maxChecked)
	}
	return c.over != ""
}

// bounded reports a template that grew too large.
func (c *compiler) bounded() {
	if c.over != "" {
		c.errs = append(c.errs, &syntax.Error{
			Pos: c.stack[0].Pos, Msg: fmt.Sprintf("%s: with all that it includes it has more than %s", itemName(c.stack[0]), c.over),
		})
	}
}

// item compiles the body of a template or of what is included.
func (c *compiler) item(it *syntax.Item, parent *tlv.Def, outer *scope) {
	c.body(it.Body, parent, c.newScope(it, outer))
}

// discard runs f for its errors alone.
func (c *compiler) discard(f func()) {
	saved, fault, aside := c.b, c.fault, c.aside
	c.b, c.aside = builder{changed: -1}, true
	f()
	c.b, c.fault, c.aside = saved, fault, aside
}

// stop ends the compilation of a name: it gets no file. While checking, what follows is still looked at.
func (c *compiler) stop(f *Fault) {
	c.b.local = true
	if !c.checking {
		c.fault = f
	}
}

func (c *compiler) setHash(st *syntax.Hash, parent *tlv.Def) {
	if c.t.Kind != MTAFile || !parent.IsRoot() {
		c.errorf(st.Pos, "hash belongs at the top of an MTA's file, one that begins with MtaConfigDelimiter 1")
		return
	}
	v, err := mic.ParseVariant(st.Variant)
	switch {
	case err != nil:
		c.errorf(st.Pos, "hash: %v", err)
	case c.hashPos.Line != 0:
		c.errorf(st.Pos, "hash stands at %s already", c.hashPos)
	default:
		c.hash, c.hashPos = v, st.Pos
	}
}

// The MtaConfigDelimiters that an MTA's file begins and ends with.
const (
	opening = "\xfe\x01\x01"
	closing = "\xfe\x01\xff"
)

func (c *compiler) warnf(pos syntax.Pos, format string, args ...any) {
	if c.checking && !c.loose && c.env.Warn != nil {
		c.env.Warn(pos, fmt.Sprintf(format, args...))
	}
}
