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
		p.generic(n, n.Note, depth)
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
