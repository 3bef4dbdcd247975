package skeleton

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

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

func (c *compiler) include(st *syntax.Include, parent *tlv.Def, sc *scope) {
	target := c.eval(st.Target, sc, false)
	if !target.constant() {
		c.structural(&target, "include")
		c.b.local = true
		switch {
		case !c.checking:
			c.errorf(st.Pos, "include %s: only a request settles what this means", write(st.Target))
		case !c.loose: // of a Block alone what may be meant is checked alone, too
			c.choices(st, parent, sc)
		}
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
		c.errorf(st.Pos, "include %s: goes round in a circle: %s", write(st.Target), path(append(c.stack[i:len(c.stack):len(c.stack)], it)))
		return
	}
	if len(c.stack) > maxIncludes {
		c.errorf(st.Pos, "include %s: includes nest deeper than %d", write(st.Target), maxIncludes)
		return
	}
	if c.checking && c.aside && c.checked > maxByPath {
		c.once(it, parent, sc)
		return
	}
	c.stack = append(c.stack, it)
	if c.checking && !c.loose {
		c.entered(st, it)
	}
	c.item(it, parent, sc)
	c.stack = c.stack[:len(c.stack)-1]
}

// path writes the items of a chain of includes.
func path(items []*syntax.Item) string {
	names := make([]string, len(items))
	for i, it := range items {
		names[i] = itemName(it)
	}
	return strings.Join(names, " → ")
}

// discard runs f for its errors alone.
func (c *compiler) discard(f func()) {
	saved, fault, aside := c.b, c.fault, c.aside
	c.b, c.aside = builder{changed: -1}, true
	f()
	c.b, c.fault, c.aside = saved, fault, aside
}

func (c *compiler) choose(st *syntax.Select, parent *tlv.Def, sc *scope) {
	subject := c.eval(st.Subject, sc, false)
	labels := map[string]syntax.Pos{}
	var chosen, otherwise *syntax.Case
	for _, cs := range st.Cases {
		if cs.Default {
			if otherwise != nil {
				c.errorf(cs.Pos, "select has two defaults; the other is at %s", otherwise.Pos)
			}
			otherwise = cs
		}
		for _, e := range cs.Labels {
			label := c.eval(e, sc, false)
			if !label.constant() {
				c.errorf(label.pos, "the label %s of a case must be constant", write(e))
				continue
			}
			key := caseKey(&label)
			if at, dup := labels[key]; dup {
				c.errorf(label.pos, "the label %s stands in the case at %s already", write(e), at)
				continue
			}
			labels[key] = cs.Pos
			if subject.constant() && key == caseKey(&subject) {
				chosen = cs
			}
		}
	}
	if !subject.constant() {
		c.structural(&subject, "select")
		c.b.local = true
	}
	if c.checking {
		for _, cs := range st.Cases {
			if cs == chosen {
				continue
			}
			c.discard(func() { c.body(cs.Body, parent, sc.inner()) })
		}
	}
	if chosen == nil {
		chosen = otherwise
	}
	switch {
	case !subject.constant() && !c.checking:
		c.errorf(subject.pos, "select %s: only a request settles this", write(st.Subject))
	case !subject.constant():
	case chosen != nil:
		c.body(chosen.Body, parent, sc.inner())
	default:
		c.stop(&Fault{
			Reason: NoCase, Pos: st.Pos, What: "select " + write(st.Subject),
			Text: fmt.Sprintf("no case for %q, and no default", subject.plain()),
		})
	}
}

// caseKey is equal for values that a select takes for the same: integers by their value, else text.
func caseKey(v *val) string {
	if x, ok := v.integer(); ok {
		return strconv.FormatInt(x, 10)
	}
	return v.plain()
}

func (c *compiler) reject(st *syntax.Reject, sc *scope) {
	reason := c.eval(st.Reason, sc, false)
	text := write(st.Reason)
	if reason.constant() {
		text = reason.plain()
	}
	c.stop(&Fault{Reason: Rejected, Pos: st.Pos, Text: "rejected: " + text})
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

// memoKey is a setting in the group that it is compiled in: a block may be included in several,
// and a group may be one of several dialects. What a variable stands for is no part of it: it
// depends on the template and on the way to the setting, so what reads one is never remembered.
type memoKey struct {
	st      *syntax.Setting
	parent  *tlv.Def
	dialect tlv.Dialect // with Lenient a keyword's meaning depends on it
}

// The MtaConfigDelimiters that an MTA's file begins and ends with.
const (
	opening = "\xfe\x01\x01"
	closing = "\xfe\x01\xff"
)

func (c *compiler) setting(st *syntax.Setting, parent *tlv.Def, sc *scope) {
	isTop := parent != nil && parent.IsRoot()
	m := c.b.begin()
	key := memoKey{st, parent, c.enc.Dialect}
	octets, constant := c.env.memo[key]
	if constant && !c.tracing {
		c.b.base = append(c.b.base, octets...)
	} else if strings.EqualFold(st.Keyword, "GenericTLV") {
		c.generic(st, parent, sc)
	} else {
		c.known(st, parent, sc)
	}
	octets, changed, shared := c.b.end(m)
	if c.checking && !constant && shared && changed < 0 && len(c.errs) == 0 {
		c.env.memo[key] = append([]byte(nil), octets...)
	}
	if c.implied && m.at.off == len(opening) && isTop && string(octets) == opening {
		c.b.base = c.b.base[:len(opening)] // the item begins with it, and so does the file already
		c.implied = false
	}
	if end := c.b.here(); isTop && end != m.at {
		code := byte(snmpCode)
		if len(octets) > 0 {
			code = octets[0]
		}
		c.b.tops = append(c.b.tops, topTLV{code: code, start: m.at, end: end, change: changed})
	}
}

// known compiles a setting whose keyword is in the dictionary.
func (c *compiler) known(st *syntax.Setting, parent *tlv.Def, sc *scope) {
	d, form, ok := c.resolve(st, parent)
	if !ok {
		c.b.local = true
		c.discard(func() { c.evalAll(st, sc, false) })
		return
	}
	if c.t.Kind == PortalFile && parent.IsRoot() && !d.Belongs(tlv.PS) {
		msg := d.Title() + " does not belong in the file of a CableHome portal service"
		if own, _, ok := parent.Child("Ps" + d.Name); ok {
			msg += "; " + own.Title() + " does"
		}
		c.warnf(st.Pos, "%s", msg)
	}
	if d.Code == 6 || d.Code == 7 {
		if parent.IsRoot() && c.t.Kind == ModemFile {
			c.errorf(st.Pos, "%s is computed when the file is made; leave it out", st.Keyword)
			return
		}
	}
	if st.Group {
		c.group(st, d, sc)
		return
	}
	vals := c.evalAll(st, sc, d.Kind.Slash())
	if vals == nil && len(st.Values) > 0 {
		c.b.local = true
		return
	}
	dyn, unknown := false, false
	for i := range vals {
		dyn = dyn || vals[i].varies()
		unknown = unknown || vals[i].has(unknownVal)
	}
	c.pos = st.Pos
	switch {
	case unknown:
		c.b.local = true
		if (form == tlv.FormFile || form == tlv.FormDigitMap) && !c.loose {
			c.errorf(vals[0].pos, "%s: the name of a file must be constant: it is read when the library is loaded", st.Keyword)
		}
		if dyn && !c.slotted(d, form, vals) {
			for i := range vals {
				c.structural(&vals[i], st.Keyword)
			}
		}
	case dyn:
		c.dynamic(st, d, form, vals)
	default:
		out, err := c.enc.AppendTLV(c.b.base, d, form, values(vals))
		if err != nil {
			c.encodeError(st, vals, err)
			return
		}
		c.b.base = out
	}
}

// resolve finds what a keyword means in its parent.
func (c *compiler) resolve(st *syntax.Setting, parent *tlv.Def) (*tlv.Def, tlv.Form, bool) {
	if parent == nil {
		c.misplaced++
		c.errorf(st.Pos, "%s: the dictionary does not know this group; write its contents as GenericTLV", st.Keyword)
		return nil, 0, false
	}
	if d, form, ok := parent.Child(st.Keyword); ok {
		return d, form, true
	}
	if c.env.Lenient {
		if d, form, ok := tlv.Lenient(c.t.dialect(), st.Keyword); ok {
			c.warnf(st.Pos, "%s; taken for its number %d, as the open encoder does", parent.Misplaced(st.Keyword), d.Code)
			return d, form, true
		}
	}
	c.misplaced++
	c.errorf(st.Pos, "%s", parent.Misplaced(st.Keyword))
	return nil, 0, false
}

func (c *compiler) warnf(pos syntax.Pos, format string, args ...any) {
	if c.checking && !c.loose && c.env.Warn != nil {
		c.env.Warn(pos, fmt.Sprintf(format, args...))
	}
}

// group compiles "Keyword { … }".
func (c *compiler) group(st *syntax.Setting, d *tlv.Def, sc *scope) {
	if !d.Group() && !c.env.Lenient {
		c.errorf(st.Pos, "%s takes a value (%s), not a block", d.Name, d.Kind)
		return
	}
	if !d.Group() {
		c.warnf(st.Pos, "%s takes a value (%s); the block's TLVs are taken for it, as the open encoder does", d.Name, d.Kind)
	}
	if len(st.Values) > 0 {
		c.errorf(st.Pos, "%s takes a block or a value, not both", d.Name)
		return
	}
	if d.Kind == tlv.KindVendorGroup && len(st.Body) > 0 {
		if first, ok := st.Body[0].(*syntax.Setting); ok && !strings.EqualFold(first.Keyword, "VendorIdentifier") {
			c.warnf(first.Pos, "%s stands before VendorIdentifier, which should come first: it tells whose TLVs these are", first.Keyword)
		}
	}
	g := c.b.open(d.Code, d.LenBytes())
	if d.Group() {
		c.body(st.Body, d, sc.inner())
	} else {
		c.body(st.Body, nil, sc.inner())
	}
	c.closeGroup(st, g)
}

func (c *compiler) closeGroup(st *syntax.Setting, g group) {
	at := func() *site { return c.env.site(siteKey{pos: st.Pos, what: st.Keyword, octets: g.octets}) }
	if n, ok := c.b.close(g, at); !ok {
		c.errorf(st.Pos, "%s: the block has %d octets, at most %d fit in a TLV; split it", st.Keyword, n, 1<<(8*g.octets)-1)
	}
}

// generic compiles GenericTLV.
func (c *compiler) generic(st *syntax.Setting, parent *tlv.Def, sc *scope) {
	vals := c.evalAll(st, sc, false)
	if vals == nil {
		c.b.local = true
		return
	}
	for i := range vals {
		if vals[i].constant() {
			continue
		}
		c.structural(&vals[i], st.Keyword)
		c.b.local = true
		if !c.checking {
			c.errorf(st.Pos, "%s cannot take a value that only a request settles", st.Keyword)
		}
	}
	if !allConstant(vals) {
		return
	}
	start := len(c.b.base)
	var body []byte
	if st.Group {
		code, octets, inner := genericGroup(vals, parent)
		g := c.b.open(code, octets)
		m := c.b.begin()
		c.body(st.Body, inner, sc.inner())
		contents, changed, _ := c.b.end(m)
		if changed >= 0 && len(vals) == 2 {
			if _, err := c.enc.AppendGeneric(nil, parent, values(vals), nil, true); err != nil {
				c.encodeError(st, vals, err)
			}
			c.closeGroup(st, g)
			return
		}
		if changed >= 0 {
			c.errorf(st.Pos, "GenericTLV: leave TlvLength out: the length of this block differs with every request")
			return
		}
		body = append(body, contents...)
		c.b.base = c.b.base[:start]
	}
	out, err := c.enc.AppendGeneric(c.b.base, parent, values(vals), body, st.Group)
	if err != nil {
		c.encodeError(st, vals, err)
		return
	}
	c.b.base = out
}

// genericGroup returns the type of a GenericTLV with a block, the octets of its length,
// and the dictionary's group of that number, if it has one. What is wrong with the
// operands is told when the TLV is complete.
func genericGroup(vals []val, parent *tlv.Def) (code byte, octets int, inner *tlv.Def) {
	octets = 1
	for i := 0; i+1 < len(vals); i += 2 {
		if n, ok := vals[i+1].integer(); ok && strings.EqualFold(vals[i].text, "TlvCode") {
			code = byte(n)
		}
	}
	if parent == nil {
		return code, octets, nil
	}
	if d, known := parent.ChildByCode(code); known {
		octets = max(1, d.LenBytes())
		if d.Group() {
			inner = d
		}
	}
	return code, octets, inner
}

func allConstant(vals []val) bool {
	for i := range vals {
		if !vals[i].constant() {
			return false
		}
	}
	return true
}

// encodeError reports what the encoder says of a setting, at the value that it means.
func (c *compiler) encodeError(st *syntax.Setting, vals []val, err error) {
	pos := st.Pos
	var ve *tlv.ValueError
	if errors.As(err, &ve) && ve.Index >= 0 && ve.Index < len(vals) {
		pos = vals[ve.Index].pos
	}
	c.errorf(pos, "%v", err)
}

// dynamic compiles a setting that only a request settles, as a slot if its kind has one,
// else by making the attributes a part of what the name is specialized for.
func (c *compiler) dynamic(st *syntax.Setting, d *tlv.Def, form tlv.Form, vals []val) {
	s, ok := c.lower(d, form, vals)
	if !ok {
		if c.checking {
			for i := range vals {
				c.structural(&vals[i], st.Keyword)
			}
			c.b.local = true
			return
		}
		c.errorf(st.Pos, "%s cannot take a value that only a request settles", st.Keyword)
		return
	}
	what := st.Keyword
	for _, e := range st.Values {
		what += " " + write(e)
	}
	c.env.seal(&s, st.Pos, what)
	if s.kind == snmpSlot {
		c.b.add(s)
		return
	}
	g := c.b.open(d.Code, d.LenBytes())
	c.b.add(s)
	c.closeGroup(st, g)
}

// structural notes the attributes in v as ones that choose a skeleton: the name is learned
// once for each combination of their values.
func (c *compiler) structural(v *val, what string) {
	v.each(func(d *dynamic) {
		if d.src != fromAttr {
			c.errorf(v.pos, "$%s cannot stand in %s: it differs with every request", d.name, what)
			return
		}
		if c.checking {
			c.t.markStructural(d.attr)
		}
	})
}
