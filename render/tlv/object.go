package tlv

import (
	"cmp"
	"encoding/hex"
	"strconv"
	"strings"

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
	keyword := n.Def.Name
	if n.Def.Kind == KindVarbindLen16 && len(n.Value) > 255 && p.tree.Dialect == MTA {
		keyword = "SnmpMibObject" // the encoder chooses the long form by itself
	}
	note := ""
	if variant := n.hashVariant(); variant != "" && p.tree.Dialect == MTA && parent.IsRoot() {
		note = "the MTA hash; after a change, compile with --mta-hash " + variant
	}
	number := "." + vb.OID.String()
	obj, name := object(p.enc.MIB, vb.OID), ""
	if obj != nil {
		name = p.enc.MIB.Name(vb.OID)
		// The open encoder reads a label only with an instance.
		if !p.numeric && strings.Contains(name, ".") && p.varbindAs(n, parent, keyword, name, &vb, obj, note, depth) {
			return
		}
		if name[0] == '.' {
			name = obj.Label
		}
		if tag := mib.SyntaxTag(obj.Syntax); tag != 0 && tag != vb.Tag {
			name += " is of type " + obj.Syntax.String()
		}
	}
	if p.varbindAs(n, parent, keyword, number, &vb, obj, join(name, note), depth) {
		return
	}
	p.generic(n, join(cmp.Or(name, number)+" "+inWords(p.enc.MIB, &vb, obj), "in another encoder's BER"), depth)
}

// inWords returns type and value of an SNMP object as a comment shows them.
func inWords(m *mib.Index, vb *ber.Varbind, obj *mib.Object) string {
	ways := snmpValues(m, vb, obj)
	if len(ways) == 0 {
		text := vb.Tag.String()
		if len(vb.Value) > 0 {
			text += " 0x" + hex.EncodeToString(vb.Value)
		}
		return text
	}
	var b strings.Builder
	b.WriteString(ways[0].name + " ")
	ways[0].v.format(&b)
	if label, _, ok := strings.Cut(ways[0].note, "("); ok && vb.Tag == ber.Integer {
		b.WriteString(" (" + label + ")")
	}
	return b.String()
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

// varbindAs prints an SNMP object in the first of the forms that compile to the same octets, if there is one.
func (p *printer) varbindAs(n *Node, parent *Def, keyword, oid string, vb *ber.Varbind, obj *mib.Object, note string, depth int) bool {
	for _, tv := range snmpValues(p.enc.MIB, vb, obj) {
		vals := []Value{wordValue(oid), wordValue(tv.name), tv.v}
		if p.setting(n.Raw, parent, keyword, vals, join(note, tv.note), depth) {
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

// snmpValues returns the ways to write an SNMP value, best first. All are such that the open encoder reads them, if it has the type.
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
		note := ""
		if m != nil {
			if note = m.Name(oid); strings.HasPrefix(note, ".") {
				note = ""
			}
		}
		return []typedValue{{"ObjectID", wordValue("." + oid.String()), note}}
	case ber.OctetString:
		note := ""
		switch {
		case obj != nil && obj.Syntax == mib.Bits:
			note = bitNames(vb.Value, obj)
		case quotable(vb.Value):
			return []typedValue{{"String", Value{Type: String, Text: string(vb.Value)}, ""}}
		default:
			note = legible(vb.Value)
		}
		if len(vb.Value) == 0 {
			return []typedValue{{"String", Value{Type: String}, note}}
		}
		return []typedValue{{"HexString", hexValue(vb.Value), note}}
	case ber.BitString:
		if len(vb.Value) > 0 {
			note := ""
			if obj != nil && obj.Syntax == mib.Bits {
				note = bitNames(vb.Value[1:], obj)
			}
			return []typedValue{{"BitString", hexValue(vb.Value), note}}
		}
	case ber.Opaque:
		if len(vb.Value) > 0 {
			return []typedValue{{"Opaque", hexValue(vb.Value), ""}}
		}
	}
	return nil
}

// bitNames returns the names, or else numbers, of the bits that are set as a comment shows them.
func bitNames(b []byte, obj *mib.Object) string {
	var names []string
	for i := range 8 * len(b) {
		if b[i/8]&(0x80>>(i%8)) == 0 {
			continue
		}
		label, _ := obj.EnumLabel(int64(i))
		names = append(names, label+"("+strconv.Itoa(i)+")")
	}
	return strings.Join(names, " ")
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
