package skeleton

import (
	"errors"

	"dcs/render/mic"
	"dcs/render/syntax"
	"dcs/render/tlv"
)

// fromFile compiles a Text or Binary item.
func (c *compiler) fromFile(it *syntax.Item) {
	name, ok := it.From.Literal()
	if !ok {
		c.errorf(it.From.Pos, "the name of the file that %s is made from must be constant", itemName(it))
		return
	}
	data, err := c.env.ReadFile(it.From.Pos, name)
	if err != nil {
		c.errorf(it.From.Pos, "%v", err)
		return
	}
	c.t.source, c.t.sourcePath = data, c.env.Path(it.From.Pos, name)
	if it.Kind == syntax.Binary && it.Resign {
		if len(data) > 0 && data[0] == mtaDelimiter {
			c.t.Kind = MTAFile
		}
	}
	c.plain()
}

// plain compiles the contents of a Text or Binary item.
func (c *compiler) plain() {
	it := c.t.Item
	stmts := c.env.statements(it)
	sc := c.newScope(it, stmts, nil)
	for _, st := range stmts {
		switch st := st.(type) {
		case *syntax.Default:
		case *syntax.Reject:
			c.reject(st, sc)
		case *syntax.Hash:
			c.setHash(st, tlv.Root(tlv.MTA))
		default:
			c.errorf(st.Position(), "only default and reject are allowed in a Text or Binary item; its contents come from %s", write(it.From))
		}
	}
	if it.Kind == syntax.Text {
		c.text(sc)
		return
	}
	if !it.Resign {
		c.asIs = true
		return
	}
	body, variant, err := mic.Body(c.t.source)
	switch {
	case err != nil:
		c.errorf(it.From.Pos, "%s: %v", write(it.From), err)
		return
	case len(c.t.source) == 0:
		c.errorf(it.From.Pos, "%s: the file is empty, there is nothing to sign", write(it.From))
		return
	case c.t.Kind == MTAFile && variant == mic.NoHash:
		c.errorf(it.From.Pos, "%s: the MTA file has no hash to recompute; without resign it is served as it is", write(it.From))
		return
	}
	c.pass.resigned(it)
	c.b.base = append(c.b.base, body...)
	if c.hashPos.Line == 0 {
		c.hash = variant
	}
	if c.t.Kind != ModemFile {
		return
	}
	_ = mic.Walk(body, func(off, _, end int, code uint8) bool { // mic.Body has walked it successfully
		c.b.tops = append(c.b.tops, topTLV{code: code, start: place{off: off}, end: place{off: end}, change: -1})
		return true
	})
	c.stamps()
}

// text compiles a text with its variables.
func (c *compiler) text(sc *scope) {
	s, err := syntax.ParseText(c.t.sourcePath, c.t.source)
	if err != nil {
		var errs syntax.Errors
		errors.As(err, &errs)
		c.errs = append(c.errs, errs...)
		return
	}
	for _, p := range s.Parts {
		if p.Var == nil {
			c.b.base = append(c.b.base, p.Lit...)
			continue
		}
		v := c.splice(p.Var, sc)
		switch v.kind {
		case unknownVal:
			c.b.local = true
		case dynamicVal:
			sl := slot{kind: textSlot, maxLen: 1 << 20}
			var ok bool
			sl.named = v.named()
			if sl.parts, ok = texts(nil, &v); !ok {
				c.errorf(p.Var.Pos, "$%s: its default is arithmetic on values known only per request, which a text cannot contain", p.Var.Name)
				continue
			}
			c.env.seal(&sl, p.Var.Pos, "$"+p.Var.Name)
			c.b.add(sl)
		default:
			c.b.base = append(c.b.base, v.plain()...)
		}
	}
}
