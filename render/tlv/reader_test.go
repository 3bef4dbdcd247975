package tlv

import (
	"fmt"
	"strconv"
	"strings"

	"dcs/render/ber/mib"
)

// reader is a small reader of the text language, enough for the tests of this package:
// no variables, no arithmetic, no includes.
type reader struct {
	src     string
	enc     *Encoder
	lenient bool
}

type token struct {
	kind byte // 'w' word, 's' string, or the punctuation itself; 0 at the end
	text string
}

func (r *reader) next() token {
	for {
		r.src = strings.TrimLeft(r.src, " \t\r\n")
		switch {
		case strings.HasPrefix(r.src, "/*"):
			_, r.src, _ = strings.Cut(r.src, "*/")
		case strings.HasPrefix(r.src, "#"), strings.HasPrefix(r.src, "//"):
			_, r.src, _ = strings.Cut(r.src, "\n")
		case r.src == "":
			return token{}
		case strings.ContainsRune("{};,", rune(r.src[0])):
			t := token{kind: r.src[0]}
			r.src = r.src[1:]
			return t
		case r.src[0] == '"':
			s, rest := unquote(r.src)
			r.src = rest
			return token{'s', s}
		default:
			return token{'w', r.word()}
		}
	}
}

// word reads up to white space or punctuation; quoted indices of OIDs belong to it.
func (r *reader) word() string {
	var quote byte
	i := 0
	for ; i < len(r.src); i++ {
		c := r.src[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
			continue
		case c == '"' || c == '\'':
			quote = c
			continue
		}
		if strings.IndexByte(" \t\r\n{};,", c) >= 0 {
			break
		}
	}
	w := r.src[:i]
	r.src = r.src[i:]
	return w
}

// unquote reads a string as the dialect of .dcs files has it: \" \\ and $$.
func unquote(s string) (text, rest string) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:]
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
			b.WriteByte(s[i])
		case s[i] == '$' && i+1 < len(s) && s[i+1] == '$':
			i++
			b.WriteByte('$')
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), ""
}

func value(t token) Value {
	if t.kind == 's' {
		return Value{Type: String, Text: t.text}
	}
	if h, ok := strings.CutPrefix(t.text, "0x"); ok {
		return Value{Type: Hex, Text: h}
	}
	if n, err := strconv.ParseUint(strings.TrimPrefix(t.text, "-"), 10, 64); err == nil {
		return Value{Type: Number, Neg: strings.HasPrefix(t.text, "-"), Num: n}
	}
	if a, b, ok := strings.Cut(t.text, "/"); ok {
		return Value{Type: Pair, List: []Value{value(token{'w', a}), value(token{'w', b})}}
	}
	return Value{Type: Word, Text: t.text}
}

// values reads up to the semicolon or the opening brace and says which it was.
func (r *reader) values() ([]Value, byte) {
	var vals []Value
	comma := false
	for {
		t := r.next()
		switch t.kind {
		case 0, ';', '{', '}':
			return vals, t.kind
		case ',':
			comma = true
			continue
		}
		v := value(t)
		last := len(vals) - 1
		switch {
		case !comma || last < 0:
			vals = append(vals, v)
		case vals[last].Type == List:
			vals[last].List = append(vals[last].List, v)
		default:
			vals[last] = Value{Type: List, List: []Value{vals[last], v}}
		}
		comma = false
	}
}

// group reads settings up to the closing brace.
func (r *reader) group(dst []byte, parent *Def) ([]byte, error) {
	for {
		t := r.next()
		switch {
		case t.kind == '}' || t.kind == 0:
			return dst, nil
		case t.kind == 'w' && t.text == "hash":
			r.values()
			continue
		case t.kind != 'w':
			return dst, fmt.Errorf("unexpected %q", t)
		}
		keyword := t.text
		d, form, ok := parent.Child(keyword)
		if !ok && r.lenient {
			d, form, ok = Lenient(r.enc.Dialect, keyword)
		}
		generic := strings.EqualFold(keyword, "GenericTLV")
		if !ok && !generic {
			return dst, fmt.Errorf("%s", parent.Misplaced(keyword))
		}
		vals, end := r.values()
		var body []byte
		var err error
		if end == '{' {
			inner := d
			if generic || !inner.Group() {
				inner = &Def{Name: keyword}
			}
			if body, err = r.group(nil, inner); err != nil {
				return dst, err
			}
		}
		switch {
		case generic:
			dst, err = r.enc.AppendGeneric(dst, parent, vals, body, end == '{')
		case end == '{':
			dst, err = appendBody(dst, d, body)
		default:
			dst, err = r.enc.AppendTLV(dst, d, form, vals)
		}
		if err != nil {
			return dst, err
		}
	}
}

// appendBody appends a TLV with that value. A TLV that is no group may have TLVs for its value,
// as in the open encoder.
func appendBody(dst []byte, d *Def, body []byte) ([]byte, error) {
	start := len(dst)
	return d.CloseGroup(append(d.OpenGroup(dst), body...), start)
}

// compile reads a whole file and returns its TLVs, without MICs and end.
func compile(src string, d Dialect, lenient bool, read func(string) ([]byte, error)) ([]byte, error) {
	_, body, _ := strings.Cut(src, "{")
	r := reader{src: body, lenient: lenient, enc: &Encoder{MIB: mib.Default(), Dialect: d, ReadFile: read}}
	return r.group(nil, Root(d))
}
