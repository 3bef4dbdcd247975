package tlv

import (
	"encoding/hex"
	"strconv"

	"dcs/render/ber"
	"dcs/render/ber/mib"
)

// objectID is an object identifier with its BER tag.
type objectID struct{ plainCodec }

func (objectID) wants(*Def) string {
	return "an object identifier, such as .1.3.6.1, or its name"
}

func (objectID) append(e *Encoder, dst []byte, d *Def, _ Form, vals []Value) ([]byte, error) {
	v, err := d.single(vals)
	if err != nil {
		return dst, err
	}
	return e.appendOIDTLV(dst, d, 0, v)
}

func (objectID) read(b []byte) ([]Value, bool) {
	v, rest, ok := oidValue(b)
	return []Value{v}, ok && len(rest) == 0
}

// writeControl is an object identifier with its BER tag, then 0 or 1.
type writeControl struct{ plainCodec }

func (writeControl) wants(*Def) string {
	return "an object identifier, then 0 to allow or 1 to forbid"
}

func (writeControl) append(e *Encoder, dst []byte, d *Def, _ Form, vals []Value) ([]byte, error) {
	if len(vals) != 2 {
		return dst, d.fail(-1, "expected "+d.wants())
	}
	out, err := e.appendOIDTLV(dst, d, 0, &vals[0])
	if err != nil {
		return dst, err
	}
	neg, n, big, ok := vals[1].number()
	if !ok || neg || big || n > 1 {
		return dst, d.fail(1, "expected 0 to allow or 1 to forbid, got "+vals[1].describe())
	}
	return append(out, byte(n)), nil
}

func (writeControl) read(b []byte) ([]Value, bool) {
	v, rest, ok := oidValue(b)
	if !ok || len(rest) != 1 {
		return nil, false
	}
	return []Value{v, uintValue(rest)}, true
}

func (k writeControl) json(n *Node, _ *mib.Index) any {
	vals, ok := k.read(n.Value)
	if !ok {
		return nil
	}
	return []any{vals[0].json(), vals[1].json()}
}

// varbind is a BER SEQUENCE of an object identifier and a value.
type varbind struct{ plainCodec }

func (varbind) wants(*Def) string { return "an object identifier, a type and a value" }

func (varbind) append(e *Encoder, dst []byte, d *Def, _ Form, vals []Value) ([]byte, error) {
	p, err := e.Varbind(d, vals)
	if err != nil {
		return dst, err
	}
	return e.AppendVarbind(dst, d, &p, vals[2:])
}

// read decodes a varbind without a MIB index.
func (varbind) read(b []byte) ([]Value, bool) {
	vb, err := ber.ParseVarbind(b)
	if err != nil {
		return nil, false
	}
	forms := snmpValues(nil, &vb, nil)
	if len(forms) == 0 {
		return nil, false
	}
	return []Value{wordValue("." + vb.OID.String()), wordValue(forms[0].name), forms[0].v}, true
}

func (varbind) check(c *checker, n *Node) {
	if _, err := ber.ParseVarbind(n.Value); err != nil {
		c.warn(n.Offset, "%s: not a varbind: %v", n.Def.Title(), err)
	}
}

// oidValue decodes an object identifier with its BER tag, and returns the octets after it.
func oidValue(b []byte) (v Value, rest []byte, ok bool) {
	tag, contents, n, err := ber.ParseTLV(b)
	if err != nil || tag != ber.ObjectID {
		return v, nil, false
	}
	oid, err := ber.DecodeOID(contents)
	if err != nil {
		return v, nil, false
	}
	return wordValue("." + oid.String()), b[n:], true
}

func (varbind) print(p *printer, n *Node, parent *Def, depth int) {
	vb, err := ber.ParseVarbind(n.Value)
	if err != nil {
		p.generic(n, "not a varbind: "+err.Error(), depth)
		return
	}
	name := n.Def.Name
	if n.Def.Kind == KindVarbindLen16 && len(n.Value) > 255 && p.tree.Dialect == MTA {
		name = "SnmpMibObject" // the encoder chooses the long form by itself
	}
	oid := "." + vb.OID.String()
	obj := object(p.enc.MIB, vb.OID)
	comment := ""
	if obj != nil {
		if p.varbindAs(n, parent, name, p.enc.MIB.Name(vb.OID), &vb, obj, "", depth) {
			return
		}
		comment = obj.Label
		if tag := mib.SyntaxTag(obj.Syntax); tag != 0 && tag != vb.Tag {
			comment += " is of type " + obj.Syntax.String()
		}
	}
	if p.varbindAs(n, parent, name, oid, &vb, obj, comment, depth) {
		return
	}
	p.generic(n, "no form that the encoder writes: "+oid+" "+vb.Tag.String(), depth)
}

// object returns the scalar or column of which oid is an instance; nil if none is known.
func object(m *mib.Index, oid ber.OID) *mib.Object {
	if m == nil {
		return nil
	}
	o, _, ok := m.Lookup(oid)
	if !ok || o.Kind != mib.Scalar && o.Kind != mib.Column {
		return nil
	}
	return o
}

func (p *printer) varbindAs(n *Node, parent *Def, name, oid string, vb *ber.Varbind, obj *mib.Object, comment string, depth int) bool {
	for _, tv := range snmpValues(p.enc.MIB, vb, obj) {
		note := comment
		if tv.note != "" {
			note = tv.note
		}
		vals := []Value{wordValue(oid), wordValue(tv.name), tv.v}
		if p.setting(n.Raw, parent, name, vals, note, depth) {
			return true
		}
	}
	return false
}

type typedValue struct {
	name string // of the type
	v    Value
	note string
}

// snmpValues returns the ways to write an SNMP value, best first.
func snmpValues(m *mib.Index, vb *ber.Varbind, obj *mib.Object) []typedValue {
	switch vb.Tag {
	case ber.Integer:
		n, err := ber.DecodeInt(vb.Value)
		if err != nil {
			return nil
		}
		note := ""
		if obj != nil {
			if label, ok := obj.EnumLabel(n); ok {
				note = label + "(" + strconv.FormatInt(n, 10) + ")"
			}
		}
		return []typedValue{{"Integer", Int(n), note}}
	case ber.Gauge32, ber.Counter32, ber.TimeTicks, ber.Counter64:
		n, err := ber.DecodeUint(vb.Value)
		if err != nil {
			return nil
		}
		name := vb.Tag.String()
		if vb.Tag == ber.Gauge32 && obj != nil && obj.Syntax == mib.Unsigned32 {
			name = "Unsigned32"
		}
		return []typedValue{{name, Value{Type: Number, Num: n}, ""}}
	case ber.IPAddress:
		if v, ok := addrValue(vb.Value); ok {
			return []typedValue{{"IPAddress", v, ""}}
		}
	case ber.ObjectID:
		oid, err := ber.DecodeOID(vb.Value)
		if err != nil {
			return nil
		}
		var out []typedValue
		if m != nil {
			if text := m.Name(oid); text != "" {
				out = append(out, typedValue{"ObjectID", wordValue(text), ""})
			}
		}
		return append(out, typedValue{"ObjectID", wordValue("." + oid.String()), ""})
	case ber.OctetString:
		var out []typedValue
		if obj != nil && obj.Syntax == mib.Bits {
			if v, ok := bitsValue(vb.Value, obj); ok {
				out = append(out, typedValue{"BITS", v, ""})
			}
		} else if plain(vb.Value) {
			out = append(out, typedValue{"String", Value{Type: String, Text: string(vb.Value)}, ""})
		}
		if len(vb.Value) == 0 {
			return append(out, typedValue{"String", Value{Type: String}, ""})
		}
		return append(out, typedValue{"HexString", hexValue(vb.Value), ""})
	case ber.Opaque:
		if len(vb.Value) > 0 {
			return []typedValue{{"Opaque", hexValue(vb.Value), ""}}
		}
	}
	return nil
}

// bitsValue returns the names of the bits that are set; ok is false if one has no name or none
// is set.
func bitsValue(b []byte, obj *mib.Object) (v Value, ok bool) {
	var list []Value
	for i := range 8 * len(b) {
		if b[i/8]&(0x80>>(i%8)) == 0 {
			continue
		}
		label, ok := obj.EnumLabel(int64(i))
		if !ok {
			return v, false
		}
		list = append(list, wordValue(label))
	}
	switch len(list) {
	case 0:
		return v, false
	case 1:
		return list[0], true
	}
	return Value{Type: List, List: list}, true
}

func (varbind) json(n *Node, m *mib.Index) any {
	vb, err := ber.ParseVarbind(n.Value)
	if err != nil {
		return nil
	}
	out := jsonVarbind{OID: vb.OID.String(), Type: vb.Tag.String(), Hex: hex.EncodeToString(vb.Value)}
	obj := object(m, vb.OID)
	if obj != nil {
		out.Name = m.Name(vb.OID)
	}
	if vb.Tag == ber.OctetString {
		out.Value = jsonText(vb.Value)
		return out
	}
	if ways := snmpValues(m, &vb, obj); len(ways) > 0 {
		v := ways[len(ways)-1].v
		out.Value = v.json()
		if obj != nil && vb.Tag == ber.Integer {
			if i, err := ber.DecodeInt(vb.Value); err == nil {
				out.Label, _ = obj.EnumLabel(i)
			}
		}
	}
	return out
}
