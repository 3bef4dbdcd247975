package skeleton

import (
	"errors"
	"strings"

	"dcs/render/syntax"
	"dcs/render/tlv"
)

// memoKey is a setting in the group that it is compiled in: a Block may be included in several groups, and a group may
// be in several dialects. The values of variables are not part of it: they depend on the template and on the path to
// the setting, so a setting that reads a variable is never memoized.
type memoKey struct {
	st      *syntax.Setting
	parent  *tlv.Def
	dialect tlv.Dialect // with Lenient, a keyword's meaning depends on it
}

func (c *compiler) setting(st *syntax.Setting, parent *tlv.Def, sc *scope) {
	isTop := parent != nil && parent.IsRoot()
	c.enc.Lenient = c.env.Lenient || c.stack[len(c.stack)-1].Lenient
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
	if !constant && shared && changed < 0 && len(c.errs) == 0 {
		c.pass.encoded(key, octets)
	}
	if c.implied && m.at.off == len(opening) && isTop && string(octets) == opening {
		c.b.base = c.b.base[:len(opening)] // the item begins with the delimiter that the file already has
		c.implied = false
	}
	if isTop {
		c.writtenHash(st, octets)
	}
	if isTop && strings.EqualFold(st.Keyword, "DigitMap") {
		c.digitMap(st, octets)
	}
	c.pass.wrote(st, m.at)
	if end := c.b.here(); isTop && end != m.at {
		code := byte(snmpCode)
		if len(octets) > 0 {
			code = octets[0]
		}
		c.b.tops = append(c.b.tops, topTLV{code: code, start: m.at, end: end, change: changed})
	}
}

// digitMap warns if an earlier TLV sets the object of a DigitMap, whose octets these are.
func (c *compiler) digitMap(st *syntax.Setting, octets []byte) {
	for _, t := range c.b.tops {
		if t.change < 0 && tlv.SameObject(c.b.base[t.start.off:t.end.off], octets) {
			c.warnf(st.Pos, "%s: the file sets the digit map of this index already; write another index after the file's name, as in DigitMap \"map.txt\" 2", st.Keyword)
			return
		}
	}
}

// known compiles a setting whose keyword is in the dictionary.
func (c *compiler) known(st *syntax.Setting, parent *tlv.Def, sc *scope) {
	d, form, ok := c.resolve(st, parent)
	if !ok {
		c.b.local = true
		c.discard(func() { c.evalAll(nil, st, sc, false) })
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
			c.errorf(st.Pos, "%s: added by the compiler; leave it out", st.Keyword)
			return
		}
	}
	if st.Group {
		c.group(st, d, sc)
		return
	}
	vals, ok := c.evalAll(c.vals[:0], st, sc, d.Kind.Slash())
	if c.vals = vals; !ok {
		c.b.local = true
		return
	}
	dyn, unknown := false, false
	for i := range vals {
		if d.Code == mtaDelimiter && parent.IsRoot() { // its value decides which delimiters are added
			c.settle(&vals[i])
		}
		dyn = dyn || vals[i].varies()
		unknown = unknown || vals[i].has(unknownVal)
	}
	c.pos = st.Pos
	switch {
	case unknown:
		c.b.local = true
		c.pass.unknownValue(st, d, form, vals)
	case dyn && !c.dynamic(st, d, form, vals):
		c.pass.slotless(st, parent, sc, vals)
	case dyn:
	default:
		c.operands = appendValues(c.operands[:0], vals)
		out, err := c.enc.AppendTLV(c.b.base, d, form, c.operands)
		if err != nil {
			c.encodeError(st, vals, err)
			return
		}
		c.b.base = out
	}
}

// resolve looks up a keyword in its parent.
func (c *compiler) resolve(st *syntax.Setting, parent *tlv.Def) (*tlv.Def, tlv.Form, bool) {
	if parent == nil {
		c.misplaced++
		c.errorf(st.Pos, "%s: unknown group; write its contents as GenericTLV", st.Keyword)
		return nil, 0, false
	}
	if d, form, ok := parent.Child(st.Keyword); ok {
		return d, form, true
	}
	if d, ok := parent.Foreign(st.Keyword); ok {
		c.warnf(st.Pos, "%s in %s becomes the vendor's TLV %d, as the open encoder makes of it; %s is at the top of the file",
			d.Name, parent.Name, d.Code, d.Title())
		return d, tlv.FormPlain, true
	}
	lifted := ""
	if d, form, ok := tlv.Lenient(c.t.dialect(), st.Keyword); ok {
		if c.enc.Lenient {
			c.warnf(st.Pos, "%s; taken for its number %d, as the open encoder does", parent.Misplaced(st.Keyword), d.Code)
			return d, form, true
		}
		lifted = tlv.Lifted
	}
	c.misplaced++
	c.errorf(st.Pos, "%s%s", parent.Misplaced(st.Keyword), lifted)
	return nil, 0, false
}

// group compiles "Keyword { … }".
func (c *compiler) group(st *syntax.Setting, d *tlv.Def, sc *scope) {
	if !d.Group() && !c.enc.Lenient {
		c.errorf(st.Pos, "%s takes a value (%s), not a block%s", d.Name, d.Kind, tlv.Lifted)
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
			c.warnf(first.Pos, "%s comes before VendorIdentifier; VendorIdentifier should be first, as it says whose TLVs these are", first.Keyword)
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

// encodeError reports an error of the encoder at the value that it is about.
func (c *compiler) encodeError(st *syntax.Setting, vals []val, err error) {
	pos := st.Pos
	var ve *tlv.ValueError
	if errors.As(err, &ve) && ve.Index >= 0 && ve.Index < len(vals) {
		pos = vals[ve.Index].pos
	}
	c.errorf(pos, "%v", err)
}

// dynamic compiles a setting whose value depends on the request: as a slot if its kind has one, else by making the
// attributes structural; it then reports false.
func (c *compiler) dynamic(st *syntax.Setting, d *tlv.Def, form tlv.Form, vals []val) bool {
	s, ok := c.lower(d, form, vals)
	if !ok {
		c.undecided(st.Pos, st.Keyword, st.Keyword, pointers(vals)...)
		return false
	}
	c.env.seal(&s, st.Pos, st.Keyword, st.Values...)
	if s.kind == snmpSlot {
		c.b.add(s)
	} else {
		g := c.b.open(d.Code, d.LenBytes())
		c.b.add(s)
		c.closeGroup(st, g)
	}
	c.pass.filled(st, &vals[len(vals)-1])
	return true
}

// structural records the attributes and groups in v as structural: there is a skeleton for each combination of their
// values.
func (c *compiler) structural(v *val, what string) {
	v.each(func(d *dynamic) {
		switch d.src {
		case fromAttr:
			c.pass.markStructural(d.attr)
		case fromName:
			c.pass.fix(d.attr)
		default:
			c.errorf(v.pos, "$%s cannot be used in %s: its value differs with every request", d.name, what)
		}
	})
}
