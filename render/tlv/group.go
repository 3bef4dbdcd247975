package tlv

import "dcs/render/ber/mib"

// group consists of TLVs. A vendor group begins with an OUI, whose owner defines the other
// TLVs.
type group struct {
	plainCodec
	vendor bool
}

func (group) wants(*Def) string { return "a block in braces, or 0x and hexadecimal digits" }

func (group) append(_ *Encoder, dst []byte, d *Def, _ Form, vals []Value) ([]byte, error) {
	v, err := d.single(vals)
	if err != nil {
		return dst, err
	}
	return d.appendOctets(dst, v)
}

// read returns the octets of a group whose value is not TLVs.
func (group) read(b []byte) ([]Value, bool) { return []Value{hexValue(b)}, len(b) > 0 }

func (group) json(*Node, *mib.Index) any { return nil }

func (k group) print(p *printer, n *Node, parent *Def, depth int) {
	if !n.isGroup() {
		p.plain(n, parent, depth)
		return
	}
	comment := ""
	if k.vendor && len(n.Children) > 0 && n.Children[0].Code != 8 {
		comment = "VendorIdentifier does not come first"
	}
	p.line(depth, n.Def.Name+" {", comment)
	p.nodes(n.Children, n.Def, depth+1)
	p.line(depth, "}", "")
}

func (k group) check(c *checker, n *Node) {
	if n.Note != "" {
		return
	}
	if k.vendor {
		c.vendor(n)
	} else if size := len(n.Value); size < n.Def.LenMin || size > n.Def.LenMax {
		c.warn(n.Offset, "%s has %s, not %s", n.Def.Title(), count(size, "octet"), n.Def.octets())
	}
}
