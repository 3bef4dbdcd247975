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

// compiler walks the statements of a template and encodes them. What a value stands for, and
// which statements are looked at, is up to its pass.
type compiler struct {
	t    *Template
	env  *Env
	pass pass
	enc  tlv.Encoder
	b    builder

	misplaced  int    // keywords that do not belong where they stand
	statements int    // compiled so far
	checked    int    // the same, with those that were compiled for their errors alone
	aside      bool   // statements are being compiled for their errors alone
	over       string // the bound that they have passed

	errs     []*syntax.Error
	fault    *Fault // a reject or a select without a case was reached
	stack    []*syntax.Item
	pos      syntax.Pos // of the setting being encoded
	hash     mic.Variant
	hashPos  syntax.Pos
	implied  bool // the opening MtaConfigDelimiter has been put in front
	asIs     bool // the file is the template's source, unchanged
	defaults int  // how deep the default being computed is
	values   map[valueKey]val
	tracing  bool
	uses     []Use
}

// pass is what a compilation is for: checking a template when it is loaded (checker), or
// making the skeleton of one name (specializer).
type pass interface {
	// lookup returns the value of a variable that a request does not determine by itself.
	lookup(e *syntax.Var, sc *scope) val
	// around returns the value that a variable gets from what surrounds the item.
	around(name string) (val, bool)
	// choices compiles what an include with variables may mean.
	choices(st *syntax.Include, parent *tlv.Def, sc *scope)
	// inline reports whether an included item is to be compiled where it is included. It is
	// called before the item is pushed on the stack.
	inline(st *syntax.Include, it *syntax.Item, parent *tlv.Def, sc *scope) bool
	// otherCases compiles the cases of a select but the one chosen.
	otherCases(st *syntax.Select, chosen *syntax.Case, parent *tlv.Def, sc *scope)
	// unknownValue handles a setting with a value that is not known yet.
	unknownValue(st *syntax.Setting, d *tlv.Def, form tlv.Form, vals []val)
	// tooLate handles a value that is known when a request comes, but is needed before.
	tooLate(pos syntax.Pos, what string)
	// markStructural notes an attribute that chooses a skeleton.
	markStructural(attr int)
	// encoded notes a setting that has the same octets wherever it stands.
	encoded(key memoKey, octets []byte)
	// halt ends the compilation at a statement that gives no file.
	halt(f *Fault)
	// stampAddress adds the modem's address.
	stampAddress(stamp func(code byte, src source, name string))
	// resigned looks at a file that gets new MICs.
	resigned(it *syntax.Item)
	warn(pos syntax.Pos, msg string)
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

func (c *compiler) warnf(pos syntax.Pos, format string, args ...any) {
	c.pass.warn(pos, fmt.Sprintf(format, args...))
}

// stop ends the compilation of a name, which gets no file, or notes that a template may do that.
func (c *compiler) stop(f *Fault) {
	c.b.local = true
	c.pass.halt(f)
}

// undecided notes the attributes in vals as ones that choose a skeleton, where what stands
// for a name must be known before a request comes.
func (c *compiler) undecided(pos syntax.Pos, keyword, what string, vals ...*val) {
	for _, v := range vals {
		c.structural(v, keyword)
	}
	c.b.local = true
	c.pass.tooLate(pos, what)
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
				c.errorf(st.Pos, "default %s: not allowed within a group or a case; move it to the top of the template or Block", st.Name)
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

func (c *compiler) setHash(st *syntax.Hash, parent *tlv.Def) {
	if c.t.Kind != MTAFile || !parent.IsRoot() {
		c.errorf(st.Pos, "hash: only allowed at the top of an MTA file, one that begins with MtaConfigDelimiter 1")
		return
	}
	v, err := mic.ParseVariant(st.Variant)
	switch {
	case err != nil:
		c.errorf(st.Pos, "hash: %v", err)
	case c.hashPos.Line != 0:
		c.errorf(st.Pos, "hash: already set at %s", c.hashPos)
	default:
		c.hash, c.hashPos = v, st.Pos
	}
}

// The MtaConfigDelimiters that an MTA's file begins and ends with.
const (
	opening = "\xfe\x01\x01"
	closing = "\xfe\x01\xff"
)
