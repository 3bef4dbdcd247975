package skeleton

import (
	"bytes"
	"slices"

	"dcs/render/syntax"
	"dcs/render/tlv"
)

// template compiles an item that is made of TLVs.
func (c *compiler) template(it *syntax.Item) {
	c.enc.Dialect = c.t.dialect()
	root := tlv.Root(c.t.dialect())
	if it.Kind == syntax.Mta {
		c.b.base = append(c.b.base, opening...)
		c.implied = true
	}
	c.item(it, root, nil)
	if it.Kind == syntax.Mta {
		c.endDelimiter()
	}
	c.stamps()
}

// endDelimiter adds the closing MtaConfigDelimiter if an Mta item leaves it out.
func (c *compiler) endDelimiter() {
	if n := len(c.b.tops); n > 0 {
		last := &c.b.tops[n-1]
		if last.end == c.b.here() && string(c.b.base[last.start.off:]) == closing {
			return
		}
	}
	c.b.base = append(c.b.base, closing...)
}

// stamps adds the time and the modem's address to a modem's file without them. They come last, so that as many octets
// as possible precede the first change.
func (c *compiler) stamps() {
	if c.t.Kind != ModemFile {
		return
	}
	has := func(code byte) bool {
		return slices.ContainsFunc(c.b.tops, func(t topTLV) bool { return t.code == code })
	}
	root := tlv.Root(tlv.CM)
	stamp := func(code byte, src source, name string) {
		d, _ := root.ChildByCode(code)
		v := val{pos: c.t.Item.Pos, kind: dynamicVal, dyn: &dynamic{op: dynVar, name: name, src: src}}
		m := c.b.begin()
		st := &syntax.Setting{Pos: c.t.Item.Pos, Keyword: d.Name, Values: []syntax.Expr{&syntax.Var{Pos: c.t.Item.Pos, Name: name}}}
		c.dynamic(st, d, tlv.FormPlain, []val{v})
		_, changed, _ := c.b.end(m)
		c.b.tops = append(c.b.tops, topTLV{code: code, start: m.at, end: c.b.here(), change: changed})
	}
	if c.env.Timestamp && !has(19) {
		stamp(19, fromTime, "time")
	}
	if c.env.ModemAddress && !has(20) && !has(59) {
		c.pass.stampAddress(stamp)
	}
}

// skeleton makes a Skeleton of what has been compiled.
func (c *compiler) skeleton() (*Skeleton, *Fault) {
	s, fault := c.whole()
	if fault != nil {
		return nil, fault
	}
	if !c.asIs {
		s.base = bytes.Clone(s.base)
	}
	s.slots, s.fixups = slices.Clone(s.slots), slices.Clone(s.fixups)
	if s.Kind == ModemFile && !s.ext {
		s.freeze()
	}
	s.tops, s.order, s.prefix = nil, slices.Clone(s.order), bytes.Clone(s.prefix)
	return s, nil
}

// whole makes a Skeleton in the compiler's own memory, and finds the errors that only the whole file has.
func (c *compiler) whole() (*Skeleton, *Fault) {
	t := c.t
	s := &Skeleton{
		Kind: t.Kind, hash: c.hash,
		base: c.b.base, vary: c.b.vary, slots: c.b.slots, fixups: c.b.fixups, tops: c.b.tops,
		broken: Fault{Reason: Invalid, Pos: t.Item.Pos, What: itemName(t.Item)},
	}
	s.named = slices.ContainsFunc(s.slots, func(sl slot) bool { return sl.named })
	if c.asIs {
		s.base = t.source
	}
	if err := s.finish(); err != nil {
		return nil, s.fail(err)
	}
	return s, nil
}
