package tlv

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"dcs/render/ber/mib"
)

// Print writes the file in the template language, so that compiling the text yields the same
// octets, except for t.Deviations, which are reported in comments. MICs, end marker, padding
// and an MTA's hash are written as comments, because the compiler generates them. What has no
// name or is not valid for its kind is written as GenericTLV or 0x…. m supplies the names of
// SNMP objects and may be nil. Each TLV is a line, indented by 4 spaces a level.
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

// fragmentRun returns how many TLVs at the front of list are the fragments of one value, split
// as the encoder would split it; 0 if it would not.
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

// setting prints "name values;" if its encoding equals raw.
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
			p.line(depth, "", "hash 0x"+hex.EncodeToString(n.Value[len(n.Value)-20:])+", recomputed")
			return
		case n.isMarker():
			p.line(depth, "", n.Def.Name)
			return
		case n.Def != nil && n.Def.computed() != nil:
			p.line(depth, "", n.Def.Name+" 0x"+hex.EncodeToString(n.Value)+", recomputed")
			return
		}
	}
	switch {
	case n.Def == nil || strings.HasPrefix(n.Def.Path, "dpoe:"):
		p.generic(n, n.Note, depth)
	default:
		n.Def.codec().print(p, n, parent, depth)
	}
}

// plain prints a TLV as its keyword and value.
func (p *printer) plain(n *Node, parent *Def, depth int) {
	vals, ok := n.Def.codec().read(n.Value)
	if ok && p.setting(n.Raw, parent, n.Def.Name, vals, n.Note, depth) {
		return
	}
	note := n.Note
	if note == "" && ok {
		_, err := p.enc.AppendValue(nil, n.Def, FormPlain, vals)
		note = message(err)
	}
	p.generic(n, note, depth)
}

// message returns the message of a ValueError without the keyword.
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

func wordValue(s string) Value { return Value{Type: Word, Text: s} }

// format writes the value in the template language.
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
