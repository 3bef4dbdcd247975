package skeleton

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"dcs/render/ber"
	"dcs/render/mic"
	"dcs/render/syntax"
	"dcs/render/tlv"
)

// A Variant is one of the files that a template can make.
type Variant struct {
	Kind    Kind
	Partial bool    // the file has more than Octets, of which nothing is known
	Octets  []byte  // the file, with zeros for MICs and an example of each value that a request decides
	Values  []Value // these, by offset; they do not overlap
	Arms    []Arm   // the choices that lead to the file, in the order of the text

	item  *syntax.Item
	spans []span
}

// A Value is what a request decides in a Variant.
type Value struct {
	Off, Len       int    // of the octets of the example
	Whole          bool   // a TLV with its type and length, of which only that is known
	Numeric        bool   // the octets are a big-endian number
	Min, Max       int64  // of the number, before it is checked
	Bounded        bool   // the numbers, or of others the lengths, are known, by a pattern, the devices' values and arithmetic; else it may be any
	MinLen, MaxLen int    // octets, before they are checked
	Text           string // the expression
}

// Dialect returns the TLV dialect that the file decodes in.
func (v *Variant) Dialect() tlv.Dialect { return dialectOf(v.Kind) }

// span is the octets that a setting has written.
type span struct {
	st         *syntax.Setting
	via        *link
	start, end place
	from, to   int // in the Variant
}

// link is an include that leads to a statement.
type link struct {
	at    syntax.Pos
	outer *link
}

// opaque is a TLV with an example of values that decide what it consists of.
type opaque struct {
	start, end place
	text       string
}

func (x *explorer) wrote(st *syntax.Setting, since place) {
	if end := x.b.here(); end != since {
		x.spans = append(x.spans, span{st: st, via: x.link(), start: since, end: end})
	}
}

// fill is the expression that fills a slot.
type fill struct {
	val  val
	text string
}

func (x *explorer) filled(st *syntax.Setting, v *val) {
	f := fill{*v, write(st.Values[len(st.Values)-1])}
	f.val.elems = nil // it lies in memory that is used again
	x.fills = append(x.fills, f)
}

// Place returns the position of the statement that wrote the octet at an offset, and of the includes that lead to it, the innermost
// first. What no statement wrote has the position of the item.
func (v *Variant) Place(off int) (at syntax.Pos, via []syntax.Pos) {
	var best *span
	for i := range v.spans {
		s := &v.spans[i]
		if s.from <= off && off < s.to && (best == nil || s.to-s.from < best.to-best.from) {
			best = s
		}
	}
	if best == nil {
		return v.item.Pos, nil
	}
	for l := best.via; l != nil; l = l.outer {
		via = append(via, l.at)
	}
	return best.st.Pos, via
}

// variant makes the file, with examples in its slots; nil: the examples do not fit.
func (x *explorer) variant(s *Skeleton) *Variant {
	v := &Variant{Kind: s.Kind, Partial: x.partial, Arms: x.when, item: x.t.Item, spans: x.spans}
	var sc Scratch
	sc.widths = append(sc.widths, 0)
	prev, sum := 0, 0
	for i := range s.slots {
		sl := &s.slots[i]
		v.Octets = append(v.Octets, s.base[prev:sl.off]...)
		prev = sl.off + sl.width
		start := len(v.Octets)
		value, ok := x.fill(v, sl, &x.fills[i])
		if !ok {
			return nil
		}
		v.Values = append(v.Values, value)
		if sl.width == 0 {
			sum += len(v.Octets) - start
			sc.widths = append(sc.widths, sum)
		}
	}
	v.Octets = append(v.Octets, s.base[prev:]...)
	for i := range s.fixups {
		f := &s.fixups[i]
		n := f.fixed + sc.widths[f.last] - sc.widths[f.first]
		if n > 1<<(8*f.octets)-1 {
			return nil
		}
		at := v.Octets[sc.at(f.at):]
		if f.octets == 2 {
			at[0] = byte(n >> 8)
			at = at[1:]
		}
		at[0] = byte(n)
	}
	for i := range v.spans {
		v.spans[i].from, v.spans[i].to = sc.at(v.spans[i].start), sc.at(v.spans[i].end)
	}
	for _, o := range x.opaque {
		v.cover(sc.at(o.start), sc.at(o.end), o.text)
	}
	return v.finished(s)
}

// cover replaces the values within a TLV by one that is the whole of it.
func (v *Variant) cover(from, to int, text string) {
	v.Values = slices.DeleteFunc(v.Values, func(w Value) bool { return from <= w.Off && w.Off+w.Len <= to })
	v.Values = append(v.Values, Value{Off: from, Len: to - from, Whole: true, MaxLen: maxText, Text: text})
	slices.SortFunc(v.Values, func(a, b Value) int { return cmp.Compare(a.Off, b.Off) })
}

// finished adds the end of the file.
func (v *Variant) finished(s *Skeleton) *Variant {
	switch {
	case s.Kind == ModemFile:
		v.Octets = appendTrailer(v.Octets, 0)
	case s.Kind == MTAFile && s.hash != mic.NoHash:
		if file, err := mic.SignMTA(bytes.Clone(v.Octets), s.hash); err == nil {
			v.Octets = file
		}
	}
	return v
}

// fill appends an example of a slot's value.
func (x *explorer) fill(v *Variant, sl *slot, of *fill) (Value, bool) {
	out := Value{Text: of.text}
	kind := sl.kind
	if kind == snmpSlot {
		kind = sl.value
	}
	value := x.exampleOf(sl, kind, &of.val, &out)
	if sl.kind != snmpSlot {
		out.Off, out.Len = len(v.Octets), len(value)
		v.Octets = append(v.Octets, value...)
		return out, true
	}
	if out.Numeric {
		n := int64(binary.BigEndian.Uint64(value))
		if sl.tag == ber.Integer {
			value = ber.AppendInt(nil, n)
		} else {
			value = ber.AppendUint(nil, uint64(n))
		}
		out.MinLen, out.MaxLen = 1, 9
	}
	var ok bool
	v.Octets, _, ok = sl.appendObject(v.Octets, value)
	out.Off, out.Len = len(v.Octets)-len(value), len(value)
	return out, ok
}

// exampleOf returns an example of a slot's value, and sets what is known of others.
func (x *explorer) exampleOf(sl *slot, kind slotKind, of *val, out *Value) []byte {
	width := sl.width
	switch kind {
	case intSlot:
		if width == 0 {
			width = 8
		}
		e := x.extentOf(of)
		out.Numeric, out.Min, out.Max, out.Bounded = true, e.min, e.max, e.bounded
		out.MinLen, out.MaxLen = width, width
		n := max(sl.min, min(sl.max, max(e.min, min(e.max, 1))))
		b := make([]byte, width)
		for i := range b {
			b[i] = byte(uint64(n) >> (8 * uint(width-1-i)))
		}
		return b
	case ipv4Slot:
		out.MinLen, out.MaxLen = 4, 4
		return []byte{192, 0, 2, 1}
	case ipv6Slot:
		out.MinLen, out.MaxLen = 16, 16
		return []byte{0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}
	case macSlot:
		out.MinLen, out.MaxLen = 6, 6
		return []byte{2, 0, 0x5e, 0, 0x53, 1}
	}
	out.MinLen, out.MaxLen = x.lengthOf(of)
	out.Bounded = out.MaxLen < maxText
	text := []byte(x.example(of))
	if kind == hexSlot && (!sl.quoted || is0x(text)) {
		sc := Scratch{tmp: text}
		if unhex(&sc) != okay {
			sc.tmp = make([]byte, sl.minLen)
		}
		text = sc.tmp
		out.MinLen, out.MaxLen, out.Bounded = 0, maxText, false
		if !sl.quoted {
			lo, hi := x.lengthOf(of)
			out.Bounded = hi < maxText
			out.MinLen, out.MaxLen = max(0, lo-2)/2, max(0, hi-2)/2
		}
	}
	for len(text) < sl.minLen {
		text = append(text, '0')
	}
	text = text[:min(len(text), sl.maxLen)]
	if sl.nul {
		text = append(text, 0)
		out.MinLen, out.MaxLen = out.MinLen+1, out.MaxLen+1
	}
	return text
}
