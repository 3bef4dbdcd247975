package skeleton

import (
	"fmt"

	"dcs/render/mic"
	"dcs/render/syntax"
	"dcs/render/tlv"
)

const (
	maxIncludes = 32 // maximum depth of nested includes
	maxErrors   = 50 // maximum number of errors of one template

	// Limits of one template with everything that it includes: Blocks that include one another twice grow by powers of
	// two.
	maxStatements = 65535
	maxOctets     = 1 << 20
	maxChecked    = 1 << 21 // statements, including those of the cases that a name does not lead to
	maxByPath     = 1 << 12 // statements in such cases; beyond that, a Block in them is compiled only once
	maxTerms      = 1000    // of an expression with its defaults expanded
	maxText       = 65535   // octets of a constant text; no TLV holds more
)

// compiler walks the statements of a template and encodes them. Its pass supplies the values of variables and selects
// the statements to compile.
type compiler struct {
	t    *Template
	env  *Env
	pass pass
	enc  tlv.Encoder
	b    builder

	misplaced  int    // number of keywords that are not allowed where they stand
	statements int    // compiled so far, not counting those compiled only for their errors
	checked    int    // all compiled so far
	aside      bool   // statements are compiled only for their errors
	over       string // the limit that was exceeded

	errs      []*syntax.Error
	fault     *Fault // of a reject, or a select without a matching case
	stack     []*syntax.Item
	pos       syntax.Pos // of the setting being encoded
	hash      mic.Variant
	hashPos   syntax.Pos
	written   mic.Variant // the hash object that the file sets itself
	writtenAt syntax.Pos
	implied   bool // the opening MtaConfigDelimiter has been added
	asIs      bool // the file is the template's source, unchanged
	defaults  int  // nesting depth of the default being computed
	values    map[valueKey]val
	splicing  bool // the variable that is looked up next becomes a part of a text
	tracing   bool
	uses      []Use

	vals     []val // of the setting that is compiled; scratch, as are the next
	operands []tlv.Value
}

// pass is the purpose of a compilation: checking a template when it is loaded (checker), or making the skeleton of one
// name (specializer).
type pass interface {
	// lookup returns the value of a variable, except for the built-in ones that only the request determines.
	lookup(e *syntax.Var, sc *scope) val
	// around returns the value that the items around the current one give a variable.
	around(name string) (val, bool)
	// choices compiles the possible targets of an include with variables.
	choices(st *syntax.Include, parent *tlv.Def, sc *scope)
	// inline reports whether an included item is compiled in place. It is called before the item is pushed on the
	// stack.
	inline(st *syntax.Include, it *syntax.Item, parent *tlv.Def, sc *scope) bool
	// otherCases compiles the cases of a select except the chosen one.
	otherCases(st *syntax.Select, chosen *syntax.Case, parent *tlv.Def, sc *scope)
	// unknownValue handles a setting with a value that is not known yet.
	unknownValue(st *syntax.Setting, d *tlv.Def, form tlv.Form, vals []val)
	// tooLate handles a value that is known only at request time but needed earlier.
	tooLate(pos syntax.Pos, what string)
	// markStructural records an attribute that selects a skeleton.
	markStructural(attr int)
	// fix records a group whose text selects a skeleton.
	fix(group int)
	// decide returns the value that v, on which a select or an include depends, has for this pass.
	decide(st syntax.Stmt, v val, sc *scope) val
	// slotless handles a setting that no slot can hold, although its value depends on the request.
	slotless(st *syntax.Setting, parent *tlv.Def, sc *scope, vals []val)
	// wrote records what a setting has added to the builder since a place.
	wrote(st *syntax.Setting, since place)
	// filled records the value of the builder's last slot.
	filled(st *syntax.Setting, v *val)
	// encoded records a setting that has the same octets wherever it stands.
	encoded(key memoKey, octets []byte)
	// halt handles a statement that makes no file.
	halt(f *Fault)
	// stampAddress adds the TLV of the modem's address.
	stampAddress(stamp func(code byte, src source, name string))
	// resigned checks a file that gets new MICs.
	resigned(it *syntax.Item)
	warn(pos syntax.Pos, msg string)
}

// onward is the part of a pass that goes only where a value is known, and records nothing.
type onward struct{}

func (onward) decide(_ syntax.Stmt, v val, _ *scope) val         { return v }
func (onward) slotless(*syntax.Setting, *tlv.Def, *scope, []val) {}
func (onward) wrote(*syntax.Setting, place)                      {}
func (onward) filled(*syntax.Setting, *val)                      {}

func (c *compiler) errorf(pos syntax.Pos, format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	for _, e := range c.errs {
		if e.Pos == pos && e.Msg == msg {
			return // from a Block that is included twice
		}
	}
	if len(c.errs) < maxErrors {
		c.errs = append(c.errs, &syntax.Error{Pos: pos, Msg: msg})
	}
}

func (c *compiler) warnf(pos syntax.Pos, format string, args ...any) {
	c.pass.warn(pos, fmt.Sprintf(format, args...))
}

// stop handles a statement that makes no file: the compilation of a name ends, the check of a template continues.
func (c *compiler) stop(f *Fault) {
	c.b.local = true
	c.pass.halt(f)
}

// undecided records the attributes in vals as structural, because the value is needed before a request arrives.
func (c *compiler) undecided(pos syntax.Pos, keyword, what string, vals ...*val) {
	for _, v := range vals {
		c.structural(v, keyword)
	}
	c.b.local = true
	c.pass.tooLate(pos, what)
}

// settle records the groups in v as those that select a skeleton.
func (c *compiler) settle(v *val) {
	v.each(func(d *dynamic) {
		if d.src == fromName {
			c.pass.fix(d.attr)
		}
	})
}

// body compiles the statements of a body.
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

// spent counts a statement, and reports whether the template is too large.
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

// bounded reports an error if the template is too large.
func (c *compiler) bounded() {
	if c.over != "" {
		c.errs = append(c.errs, &syntax.Error{
			Pos: c.stack[0].Pos, Msg: fmt.Sprintf("%s: with all that it includes it has more than %s", itemName(c.stack[0]), c.over),
		})
	}
}

// item compiles the body of a template or of an included item.
func (c *compiler) item(it *syntax.Item, parent *tlv.Def, outer *scope) {
	body := c.env.statements(it)
	c.body(body, parent, c.newScope(it, body, outer))
}

// discard runs f only for its errors.
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

// The MtaConfigDelimiters at the beginning and the end of an MTA's file.
const (
	opening = "\xfe\x01\x01"
	closing = "\xfe\x01\xff"
)
