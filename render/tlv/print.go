package tlv

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"

	"dcs/render/ber"
	"dcs/render/ber/mib"
)

// Print writes the file in the template language, so that compiling the text gives the
// same octets; what differs all the same is in t.Deviations, and said in comments. MICs, end
// marker, padding and an MTA's hash come as comments, for the compiler makes them anew.
// What has no name, or does not fit its kind, comes as GenericTLV or 0x…; m, which may be
// nil, has the names of SNMP objects. One TLV a line, 4 spaces a level.
func (t *Tree) Print(w io.Writer, m *mib.Index) error {
	p := printer{tree: t, enc: Encoder{MIB: m, Dialect: t.Dialect}}
	hash, variant := t.hash()
	p.hash = hash
	switch {
	case t.Dialect == PS:
		p.line(0, "CableHome {", "")
	case p.hash != nil:
		p.line(0, "Mta {", "")
		p.line(1, "hash "+variant+";", "")
	case t.Dialect == MTA && (len(t.Nodes) == 0 || t.Nodes[0].Code != 254):
		p.line(0, "Mta {", "")
	default:
		p.line(0, "Main {", "")
	}
	p.nodes(t.Nodes, Root(t.Dialect), 1)
	if len(t.Tail) > 0 {
		if zeros := len(t.Tail) - len(bytes.TrimLeft(t.Tail, "\x00")); zeros > 0 {
			p.line(1, "", count(zeros, "zero")+" of padding")
		}
		if rest := bytes.TrimLeft(t.Tail, "\x00"); len(rest) > 0 {
			p.line(1, "", "after the end: 0x"+hex.EncodeToString(rest))
		}
	}
	for _, d := range t.Deviations {
		p.line(1, "", "differs: "+d.String())
	}
	if t.Err != nil {
		p.line(1, "", "broken off: "+t.Err.Error())
	}
	p.line(0, "}", "")
	_, err := w.Write(p.w.Bytes())
	return err
}

type printer struct {
	w    bytes.Buffer
	tree *Tree
	enc  Encoder
	hash *Node // an MTA's hash
}

func (p *printer) line(depth int, text, comment string) {
	for range depth {
		p.w.WriteString("    ")
	}
	p.w.WriteString(text)
	if comment != "" {
		if text != "" {
			p.w.WriteByte(' ')
		}
		p.w.WriteString("# ")
		p.w.WriteString(strings.ReplaceAll(comment, "\n", " "))
	}
	p.w.WriteByte('\n')
}

func (p *printer) nodes(list []*Node, parent *Def, depth int) {
	for len(list) > 0 {
		n := list[0]
		if n.Def != nil && n.Def.fragments() {
			if run := fragmentRun(list); run > 0 && p.fragments(list[:run], parent, depth) {
				list = list[run:]
				continue
			}
		}
		p.node(n, parent, depth)
		list = list[1:]
	}
}

// fragmentRun returns how many of the TLVs at the front of list are the pieces of one value
// that the encoder would cut in the same places; 0 if it cannot.
func fragmentRun(list []*Node) int {
	for i, n := range list {
		if n.Code != list[0].Code {
			return i
		}
		switch size := len(n.Value); {
		case size == maxFragment:
		case size == 0 || size > maxFragment:
			return i
		default:
			return i + 1
		}
	}
	return len(list)
}

func (p *printer) fragments(run []*Node, parent *Def, depth int) bool {
	var raw, value []byte
	for _, n := range run {
		raw = append(raw, n.Raw...)
		value = append(value, n.Value...)
	}
	d := run[0].Def
	name := d.nameFor(FormBytes)
	if name == "" {
		name = d.Name
	}
	return p.setting(raw, parent, name, []Value{hexValue(value)}, "", depth)
}

// setting prints "name values;" if that encodes to raw.
func (p *printer) setting(raw []byte, parent *Def, name string, vals []Value, comment string, depth int) bool {
	d, form, ok := parent.Child(name)
	if !ok || strings.HasPrefix(d.Path, "dpoe:") {
		return false
	}
	got, err := p.enc.AppendTLV(nil, d, form, vals)
	if err != nil || !bytes.Equal(got, raw) {
		return false
	}
	var b strings.Builder
	b.WriteString(name)
	for i := range vals {
		b.WriteByte(' ')
		vals[i].format(&b)
	}
	b.WriteByte(';')
	p.line(depth, b.String(), comment)
	return true
}

func (p *printer) node(n *Node, parent *Def, depth int) {
	if parent.IsRoot() {
		switch {
		case n == p.hash:
			p.line(depth, "", "hash 0x"+hex.EncodeToString(n.Value[len(n.Value)-20:])+", made anew")
			return
		case n.isMarker():
			p.line(depth, "", n.Def.Name)
			return
		case n.Def != nil && n.Def.computed() != nil:
			p.line(depth, "", n.Def.Name+" 0x"+hex.EncodeToString(n.Value)+", made anew")
			return
		}
	}
	switch {
	case n.Def == nil || strings.HasPrefix(n.Def.Path, "dpoe:"):
		p.generic(n, n.Note, depth)
	case n.isGroup():
		p.line(depth, n.Def.Name+" {", p.remark(n))
		p.nodes(n.Children, n.Def, depth+1)
		p.line(depth, "}", "")
	case n.Def.Group():
		if len(n.Value) == 0 || !p.setting(n.Raw, parent, n.Def.Name, []Value{hexValue(n.Value)}, n.Note, depth) {
			p.generic(n, n.Note, depth)
		}
	case n.Def.Kind == KindMarker:
		p.line(depth, n.Def.Name+" 0x00;", "")
	case n.Def.Kind == KindVarbind || n.Def.Kind == KindVarbindLen16:
		p.varbind(n, parent, depth)
	default:
		vals, ok := p.values(n.Def, n.Value)
		if !ok || !p.setting(n.Raw, parent, n.Def.Name, vals, n.Note, depth) {
			note := n.Note
			if note == "" && ok {
				_, err := p.enc.AppendValue(nil, n.Def, FormPlain, vals)
				note = message(err)
			}
			p.generic(n, note, depth)
		}
	}
}

// remark says what a group is, where its keyword does not.
func (p *printer) remark(n *Node) string {
	if n.Def.Kind == KindVendorGroup && len(n.Children) > 0 && n.Children[0].Code != 8 {
		return "VendorIdentifier does not come first"
	}
	return ""
}

// message returns what a ValueError says, without the keyword.
func message(err error) string {
	var v *ValueError
	if errors.As(err, &v) {
		return v.Msg
	}
	return ""
}

func (p *printer) generic(n *Node, note string, depth int) {
	text := fmt.Sprintf("GenericTLV TlvCode %d TlvLength %d ", n.Code, len(n.Value))
	if len(n.Value) == 0 {
		text += `TlvString "";`
	} else {
		text += "TlvValue 0x" + hex.EncodeToString(n.Value) + ";"
	}
	comment := note
	if n.Def != nil {
		comment = n.Def.Name
		if note != "" {
			comment += ": " + note
		}
	}
	p.line(depth, text, comment)
}

func hexValue(b []byte) Value { return Value{Type: Hex, Text: hex.EncodeToString(b)} }

func wordValue(s string) Value { return Value{Type: Word, Text: s} }

// plain reports whether a string can be written in quotes: letters, digits and signs of
// ASCII alone.
func plain(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

func textValue(b []byte) Value {
	if plain(b) {
		return Value{Type: String, Text: string(b)}
	}
	return hexValue(b)
}

// format writes the value as the template language has it.
func (v *Value) format(b *strings.Builder) {
	switch v.Type {
	case Number:
		if v.Neg {
			b.WriteByte('-')
		}
		b.WriteString(strconv.FormatUint(v.Num, 10))
	case Hex:
		b.WriteString("0x")
		b.WriteString(v.Text)
	case String:
		b.WriteByte('"')
		for i := 0; i < len(v.Text); i++ {
			switch c := v.Text[i]; c {
			case '"', '\\':
				b.WriteByte('\\')
				b.WriteByte(c)
			case '$':
				b.WriteString("$$")
			default:
				b.WriteByte(c)
			}
		}
		b.WriteByte('"')
	case Pair, List:
		sep := ", "
		if v.Type == Pair {
			sep = "/"
		}
		for i := range v.List {
			if i > 0 {
				b.WriteString(sep)
			}
			v.List[i].format(b)
		}
	default:
		b.WriteString(v.Text)
	}
}

func addrValue(b []byte) (Value, bool) {
	a, ok := netip.AddrFromSlice(b)
	return wordValue(a.String()), ok
}

func macValue(b []byte) Value {
	s := hex.EncodeToString(b)
	var t strings.Builder
	for i := 0; i < len(s); i += 2 {
		if i > 0 {
			t.WriteByte(':')
		}
		t.WriteString(s[i : i+2])
	}
	return wordValue(t.String())
}

func uintValue(b []byte) Value {
	var n uint64
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return Value{Type: Number, Num: n}
}

// values reads a value as its kind; ok is false where it is none of the kind.
func (p *printer) values(d *Def, b []byte) (vals []Value, ok bool) {
	one := func(v Value) ([]Value, bool) { return []Value{v}, true }
	switch d.Kind {
	case KindUint8, KindUint16, KindUint24, KindUint32:
		if n, _ := d.Kind.width(); n == len(b) {
			return one(uintValue(b))
		}
	case KindInt8:
		if len(b) == 1 {
			return one(Int(int64(int8(b[0]))))
		}
	case KindInt32:
		if len(b) == 4 {
			return one(Int(int64(int32(binary.BigEndian.Uint32(b)))))
		}
	case KindBytes, KindBytesLen16, KindDigest16, KindDigest20, KindOpaqueFragments, KindCertFragments:
		if len(b) > 0 {
			return one(hexValue(b))
		}
	case KindString:
		return one(textValue(b))
	case KindZString:
		if n := len(b); n > 0 && b[n-1] == 0 {
			return one(textValue(b[:n-1]))
		}
	case KindIPv4, KindIPv6, KindIPv4OrIPv6:
		if v, ok := addrValue(b); ok {
			return one(v)
		}
	case KindTypedIP:
		if len(b) > 0 {
			if v, ok := addrValue(b[1:]); ok {
				return one(v)
			}
		}
	case KindMAC:
		return one(macValue(b))
	case KindMACMask:
		if len(b) == 12 {
			return one(Value{Type: Pair, List: []Value{macValue(b[:6]), macValue(b[6:])}})
		}
	case KindIPPort:
		if n := len(b) - 2; n > 0 {
			if v, ok := addrValue(b[:n]); ok {
				return one(Value{Type: Pair, List: []Value{v, uintValue(b[n:])}})
			}
		}
	case KindUint16Pair, KindUint8List, KindUint16List, KindIPv4List, KindIPv6List, KindMACList, KindIPv6PrefixList:
		return listValues(d, b)
	case KindFlagEmpty:
		return one(hexValue([]byte{0}))
	case KindOID:
		if v, rest, ok := p.oidValue(b); ok && len(rest) == 0 {
			return one(v)
		}
	case KindWriteControl:
		if v, rest, ok := p.oidValue(b); ok && len(rest) == 1 {
			return []Value{v, uintValue(rest)}, true
		}
	}
	return nil, false
}

func listValues(d *Def, b []byte) ([]Value, bool) {
	size := d.elementSize()
	if len(b) == 0 || len(b)%size != 0 {
		return nil, false
	}
	var list []Value
	for ; len(b) > 0; b = b[size:] {
		el := b[:size]
		var v Value
		switch d.Kind {
		case KindIPv4List, KindIPv6List:
			v, _ = addrValue(el)
		case KindMACList:
			v = macValue(el)
		case KindIPv6PrefixList:
			a, _ := addrValue(el[:16])
			v = Value{Type: Pair, List: []Value{a, uintValue(el[16:])}}
		default:
			v = uintValue(el)
		}
		list = append(list, v)
	}
	if len(list) == 1 {
		return list, true
	}
	return []Value{{Type: List, List: list}}, true
}

// oidValue reads an object identifier with its BER tag, and returns what follows.
func (p *printer) oidValue(b []byte) (v Value, rest []byte, ok bool) {
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

func (p *printer) varbind(n *Node, parent *Def, depth int) {
	vb, err := ber.ParseVarbind(n.Value)
	if err != nil {
		p.generic(n, "no varbind: "+err.Error(), depth)
		return
	}
	name := n.Def.Name
	if n.Def.Kind == KindVarbindLen16 && len(n.Value) > 255 && p.tree.Dialect == MTA {
		name = "SnmpMibObject" // the encoder takes the long form by itself
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

// object returns the scalar or column that oid is an instance of; nil where none is known.
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
	for _, tv := range p.snmpValues(vb, obj) {
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

// snmpValues returns the ways to write an SNMP value, the best first.
func (p *printer) snmpValues(vb *ber.Varbind, obj *mib.Object) []typedValue {
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
		if p.enc.MIB != nil {
			if text := p.enc.MIB.Name(oid); text != "" {
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

// bitsValue names the bits that are set; ok is false if one has no name, or none is set.
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
