package tlv

import (
	"strconv"

	"dcs/render/ber/mib"
)

// codec encodes, decodes and prints the values of one kind.
type codec interface {
	// wants returns a description of how a value is written.
	wants(d *Def) string
	// append appends the encoding of vals. Errors are of type *ValueError.
	append(e *Encoder, dst []byte, d *Def, f Form, vals []Value) ([]byte, error)
	// read returns the values as the text language writes them. It reports false for octets
	// that append cannot produce, though not for all of them.
	read(b []byte) ([]Value, bool)
	// print prints a TLV as a statement of the template language.
	print(p *printer, n *Node, parent *Def, depth int)
	// json returns the value for JSON; nil if the octets are its best form.
	json(n *Node, m *mib.Index) any
	// width returns the octets of a value of fixed width or, if multiple is true, those of one
	// element of a list; 0 for other kinds.
	width() (octets int, multiple bool)
}

// plainCodec has the methods that most codecs share.
type plainCodec struct{}

func (plainCodec) print(p *printer, n *Node, parent *Def, depth int) { p.plain(n, parent, depth) }

func (plainCodec) json(n *Node, _ *mib.Index) any {
	vals, ok := n.Def.codec().read(n.Value)
	if !ok {
		return nil
	}
	return vals[0].json()
}

func (plainCodec) width() (octets int, multiple bool) { return 0, false }

func (d *Def) codec() codec { return d.Kind.row().codec }

// wants returns a description of how a value of d is written.
func (d *Def) wants() string { return d.codec().wants(d) }

// single returns the only value of vals. Any other number of values is an error.
func (d *Def) single(vals []Value) (*Value, error) {
	switch len(vals) {
	case 0:
		return nil, d.fail(-1, "missing value; expected "+d.wants())
	case 1:
		return &vals[0], nil
	}
	return nil, d.fail(1, "takes one value, got "+strconv.Itoa(len(vals))+"; expected "+d.wants())
}

// element is one value of a fixed form, alone, in a list, or in a pair.
type element interface {
	wants() (one, many string) // descriptions of one and of several
	// append appends the encoding of v. Errors name whole: v, or the pair that v is part of.
	append(dst []byte, d *Def, v, whole *Value) ([]byte, error)
	read(b []byte) (Value, bool)
	size() int // octets; 0: varies
}

// scalar is a single element.
type scalar struct {
	plainCodec
	of element
}

func (s scalar) wants(d *Def) string {
	one, _ := s.of.wants()
	return one + d.rangeOf(s.of)
}

func (s scalar) append(e *Encoder, dst []byte, d *Def, _ Form, vals []Value) ([]byte, error) {
	v, err := d.single(vals)
	if err != nil {
		return dst, err
	}
	out, err := s.of.append(dst, d, v, v)
	if err == nil {
		e.advise(d, s.of, out[len(dst):])
	}
	return out, err
}

func (s scalar) read(b []byte) ([]Value, bool) {
	if n := s.of.size(); n > 0 && n != len(b) {
		return nil, false
	}
	v, ok := s.of.read(b)
	return []Value{v}, ok
}

func (s scalar) width() (octets int, multiple bool) { return s.of.size(), false }

// list is consecutive elements: n of them, or any number if n is 0.
type list struct {
	plainCodec
	of element
	n  int
}

func (l list) wants(d *Def) string {
	_, many := l.of.wants()
	what := many + " separated by commas"
	if l.n == 2 {
		what = "two " + many + " separated by a comma"
	}
	if l.of == ipv6Prefix {
		what += ", such as 2001:db8::/32"
	}
	return what + d.rangeOf(l.of)
}

func (l list) append(e *Encoder, dst []byte, d *Def, _ Form, vals []Value) ([]byte, error) {
	v, err := d.single(vals)
	if err != nil {
		return dst, err
	}
	start := len(dst)
	elems := v.elements()
	for i := range elems {
		if dst, err = l.of.append(dst, d, &elems[i], &elems[i]); err != nil {
			return dst, err
		}
	}
	n, size := len(dst)-start, l.of.size()
	least, most := (d.LenMin+size-1)/size, d.LenMax/size
	if n < least*size || n > most*size {
		want := strconv.Itoa(least) + " to " + strconv.Itoa(most)
		if least == most {
			want = strconv.Itoa(least)
		}
		return dst, d.fail(0, "expected "+want+" elements, got "+strconv.Itoa(n/size))
	}
	e.advise(d, l.of, dst[start:])
	return dst, nil
}

func (l list) read(b []byte) ([]Value, bool) {
	size := l.of.size()
	if len(b) == 0 || len(b)%size != 0 {
		return nil, false
	}
	var elems []Value
	for ; len(b) > 0; b = b[size:] {
		v, ok := l.of.read(b[:size])
		if !ok {
			return nil, false
		}
		elems = append(elems, v)
	}
	if len(elems) == 1 {
		return elems, true
	}
	return []Value{{Type: List, List: elems}}, true
}

// json returns an array, even for a single element.
func (l list) json(n *Node, _ *mib.Index) any {
	vals, ok := l.read(n.Value)
	switch {
	case !ok:
		return nil
	case vals[0].Type != List:
		return []any{vals[0].json()}
	}
	return vals[0].json()
}

func (l list) width() (octets int, multiple bool) {
	if l.n > 0 {
		return l.n * l.of.size(), false
	}
	return l.of.size(), true
}

// unknown is the codec of a kind that no TLV of the dictionary has.
type unknown struct{ plainCodec }

func (unknown) wants(*Def) string { return "nothing" }

func (unknown) append(_ *Encoder, dst []byte, d *Def, _ Form, vals []Value) ([]byte, error) {
	if _, err := d.single(vals); err != nil {
		return dst, err
	}
	return dst, d.fail(-1, "cannot be encoded")
}

func (unknown) read([]byte) ([]Value, bool) { return nil, false }

// flag is a TLV without a value; its presence is the setting.
type flag struct{ plainCodec }

func (flag) wants(*Def) string { return "nothing" }

func (flag) append(_ *Encoder, dst []byte, _ *Def, _ Form, _ []Value) ([]byte, error) {
	return dst, nil
}

// read returns 0x00, because the text language has no setting without a value.
func (flag) read(b []byte) ([]Value, bool) { return []Value{hexValue([]byte{0})}, len(b) == 0 }

func (flag) json(*Node, *mib.Index) any { return nil }

// marker is a type octet without length and value.
type marker struct{ flag }

func (marker) print(p *printer, n *Node, _ *Def, depth int) { p.line(depth, n.Def.Name+" 0x00;", "") }
