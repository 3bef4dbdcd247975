package tlv

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"dcs/render/ber/mib"
)

// Print writes the file in the template language, such that compiling the text yields the same octets, except for t.Deviations,
// which are reported in comments. The text of a modem's or an MTA's file keeps to what both languages and the open encoder have in
// common. MICs, end marker and the padding after it are written as comments, because the compiler generates them. What has no name or
// is not valid for its kind is written as GenericTLV. m supplies the names of SNMP objects and may be nil; if numeric is true, they
// are in comments only. Each TLV is a line, indented by 4 spaces a level.
func (t *Tree) Print(w io.Writer, m *mib.Index, numeric bool) error {
	p := printer{tree: t, enc: Encoder{MIB: m, Dialect: t.Dialect}, numeric: numeric}
	p.nodes(t.Nodes, Root(t.Dialect), 1)
	item := "Main"
	switch {
	case t.Dialect == PS:
		item = "CableHome"
	case t.Dialect == MTA && !bytes.HasPrefix(bytes.TrimLeft(p.w.Bytes(), " "), []byte("MtaConfigDelimiter ")):
		item = "Mta" // which Main makes only if it begins so
	}
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
	_, err := fmt.Fprintf(w, "%s {\n%s", item, p.w.Bytes())
	return err
}

// Comment returns text as a comment of the template language and of the open encoder's. It replaces what neither can hold.
func Comment(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
	return "/* " + strings.ReplaceAll(strings.ReplaceAll(text, "*/", "* /"), "/*", "/ *") + " */"
}

type printer struct {
	w       bytes.Buffer
	tree    *Tree
	enc     Encoder
	numeric bool
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
		p.w.WriteString(Comment(comment))
	}
	p.w.WriteByte('\n')
}

func (p *printer) nodes(list []*Node, parent *Def, depth int) {
	for _, n := range list {
		p.node(n, parent, depth)
	}
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
	if parent.IsRoot() && n.Def != nil && n.Def.computed() != nil {
		text := n.Def.Name
		if !n.isMarker() {
			text += " 0x" + hex.EncodeToString(n.Value) + ", recomputed"
		}
		p.line(depth, "", text)
		return
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
	name := n.Def.Name
	if bytes := n.Def.nameFor(FormBytes); bytes != "" {
		name = bytes
	}
	vals, ok := n.Def.codec().read(n.Value)
	if ok && p.setting(n.Raw, parent, name, vals, n.Note, depth) {
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

// generic prints a TLV as its code and value: as a string if it is one and nothing else is known of it, as the open encoder does.
func (p *printer) generic(n *Node, note string, depth int) {
	text := "GenericTLV TlvCode " + strconv.Itoa(int(n.Code))
	body, zero := bytes.CutSuffix(n.Value, []byte{0})
	switch size := len(n.Value); {
	case size == 0:
		text += ` TlvString "";`
	case n.readsAsText() && size > 1 && quotable(n.Value):
		text += " TlvString " + quote(n.Value) + ";"
	case n.readsAsText() && size > 1 && zero && quotable(body):
		text += " TlvStringZero " + quote(body) + ";"
	default:
		text += " TlvLength " + strconv.Itoa(size) + " TlvValue 0x" + hex.EncodeToString(n.Value) + ";"
		if !zero {
			body = n.Value
		}
		if n.readsAsText() {
			note = join(note, legible(body))
		}
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

// readsAsText reports whether the value may be characters: it is known to be, or nothing is known of it.
func (n *Node) readsAsText() bool {
	if n.Def == nil {
		return true
	}
	_, ok := n.Def.codec().(characters)
	return ok
}

// join joins the parts of a comment.
func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + ", " + b
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
		b.WriteString(quote([]byte(v.Text)))
	case Pair, List:
		sep := "," // without a blank, for the open encoder
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

// quotable reports whether a string reads the same in quotes in both languages and in the open encoder: it consists of printable
// ASCII characters other than $, which begins a variable in a template, and \, which the open encoder makes a blank of.
func quotable(b []byte) bool { return plain(b) && !bytes.ContainsAny(b, `$\`) }

// legible returns a string of several printable characters as a comment shows it, "" for any other.
func legible(b []byte) string {
	s := string(b)
	if len(b) < 2 || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return ""
	}
	return strconv.Quote(s)
}

// quote returns a quotable string in quotes.
func quote(b []byte) string { return `"` + strings.ReplaceAll(string(b), `"`, `\"`) + `"` }
