package skeleton

import (
	"strings"

	"dcs/render/syntax"
	"dcs/render/tlv"
)

// generic compiles GenericTLV.
func (c *compiler) generic(st *syntax.Setting, parent *tlv.Def, sc *scope) {
	vals, ok := c.evalAll(nil, st, sc, false) // not c.vals: the settings of its group come before their last use
	if !ok {
		c.b.local = true
		return
	}
	if !allConstant(vals) {
		c.undecided(st.Pos, st.Keyword, st.Keyword, pointers(vals)...)
		c.pass.slotless(st, parent, sc, vals)
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

// genericGroup returns the type of a GenericTLV with a block, the width of its length field in octets, and the
// dictionary's group of that type, if there is one. Errors in the operands are reported once the TLV is complete.
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

func pointers(vals []val) []*val {
	out := make([]*val, len(vals))
	for i := range vals {
		out[i] = &vals[i]
	}
	return out
}

func allConstant(vals []val) bool {
	for i := range vals {
		if !vals[i].constant() {
			return false
		}
	}
	return true
}
