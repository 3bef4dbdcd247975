package skeleton

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"dcs/render/syntax"
	"dcs/render/tlv"
)

// A val is an expression, computed as far as possible.
type val struct {
	pos   syntax.Pos
	kind  valKind
	neg   bool   // number
	abs   uint64 // number
	text  string // hex: the digits; word, quoted, bare: the text
	elems []val  // pair: two; list: two or more
	dyn   *dynamic
	terms int // number of terms, once it is computed
	// unknown: the variables of a template that is only being checked
	written string // as in the source, for messages
}

type valKind uint8

const (
	numberVal  valKind = iota
	hexVal             // 0x…
	wordVal            // an address, an OID, a label
	quotedVal          // a string
	bareVal            // the value of an unquoted variable; its keyword decides how to read it
	pairVal            // a/b
	listVal            // a, b
	dynamicVal         // known at request time
	unknownVal         // known when a name is learned
)

// dynamic is the part of an expression that depends on the request.
type dynamic struct {
	op dynOp

	name     string // dynVar
	src      source
	attr     int  // index in the schema, or number of the group
	fallback *val // replaces an attribute that the device lacks

	parts []val // dynText: quoted, bare and dynamic values to be concatenated
	x, y  val   // arithmetic; dynNeg: x alone
}

type dynOp uint8

const (
	dynVar dynOp = iota
	dynText
	dynAdd
	dynSub
	dynMul
	dynDiv
	dynNeg
)

var arithOps = map[byte]dynOp{'+': dynAdd, '-': dynSub, '*': dynMul, '/': dynDiv}

var opcodes = map[dynOp]opcode{dynAdd: opAdd, dynSub: opSub, dynMul: opMul, dynDiv: opDiv, dynNeg: opNeg}

// integer returns a constant as an integer, if it is one that fits in a signed 64-bit integer.
func (v *val) integer() (int64, bool) {
	switch v.kind {
	case numberVal:
		switch {
		case v.abs <= 1<<63 && v.neg:
			return -int64(v.abs), true
		case v.abs <= math.MaxInt64:
			return int64(v.abs), true
		}
	case hexVal:
		return parseInt("0x" + v.text)
	case bareVal, quotedVal:
		return parseInt(v.text)
	}
	return 0, false
}

// plain returns a constant as text, as in a string or a select.
func (v *val) plain() string {
	switch v.kind {
	case numberVal:
		if v.neg {
			return "-" + strconv.FormatUint(v.abs, 10)
		}
		return strconv.FormatUint(v.abs, 10)
	case hexVal:
		return "0x" + v.text
	case pairVal:
		return v.elems[0].plain() + "/" + v.elems[1].plain()
	case listVal:
		var b strings.Builder
		for i := range v.elems {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(v.elems[i].plain())
		}
		return b.String()
	}
	return v.text
}

func (v *val) constant() bool {
	for i := range v.elems {
		if !v.elems[i].constant() {
			return false
		}
	}
	return v.kind != dynamicVal && v.kind != unknownVal
}

// has reports whether v or a part of it is of the kind k.
func (v *val) has(k valKind) bool {
	for i := range v.elems {
		if v.elems[i].has(k) {
			return true
		}
	}
	return v.kind == k
}

// varies reports whether v contains a variable that depends on the request, even if v itself is unknown.
func (v *val) varies() bool {
	return v.dyn != nil || slices.ContainsFunc(v.elems, func(e val) bool { return e.varies() })
}

// standIn returns a placeholder for v as it will be when a name is learned: anything not known before is replaced by a
// number.
func (v *val) standIn() val {
	out := *v
	if v.dyn == nil {
		if v.kind == unknownVal {
			return number(v.pos, 1)
		}
		return out
	}
	d := *v.dyn
	out.kind, out.dyn, d.parts = dynamicVal, &d, slices.Clone(d.parts)
	for i := range d.parts {
		d.parts[i] = d.parts[i].standIn()
	}
	if d.op != dynVar && d.op != dynText {
		d.x, d.y = d.x.standIn(), d.y.standIn()
	}
	return out
}

// weigh counts the terms of a value.
func (v *val) weigh() int {
	if v.terms > 0 {
		return v.terms
	}
	n := 1
	for i := range v.elems {
		n += v.elems[i].weigh()
	}
	if d := v.dyn; d != nil {
		for i := range d.parts {
			n += d.parts[i].weigh()
		}
		switch {
		case d.fallback != nil:
			n += d.fallback.weigh()
		case d.op != dynVar && d.op != dynText:
			n += d.x.weigh() + d.y.weigh()
		}
	}
	return n
}

func number(pos syntax.Pos, x int64) val {
	if x < 0 {
		return val{pos: pos, kind: numberVal, neg: true, abs: abs(x), written: strconv.FormatInt(x, 10)}
	}
	return val{pos: pos, kind: numberVal, abs: uint64(x), written: strconv.FormatInt(x, 10)}
}

// each calls f for every variable in v that depends on the request.
func (v *val) each(f func(*dynamic)) {
	for i := range v.elems {
		v.elems[i].each(f)
	}
	if v.dyn == nil {
		return
	}
	d := v.dyn
	if d.op == dynVar {
		f(d)
		if d.fallback != nil {
			d.fallback.each(f)
		}
		return
	}
	for i := range d.parts {
		d.parts[i].each(f)
	}
	d.x.each(f)
	d.y.each(f)
}

// named reports whether a part of v comes from the requested name.
func (v *val) named() (named bool) {
	v.each(func(d *dynamic) { named = named || d.src == fromName })
	return named
}

// program compiles an integer expression. It reports false if v cannot be an integer, or if the stack would exceed
// maxStack.
func program(dst []instr, v *val, depth int) ([]instr, bool) {
	if depth >= maxStack {
		return dst, false
	}
	if v.kind != dynamicVal {
		x, ok := v.integer()
		return append(dst, instr{op: opConst, k: x}), ok
	}
	d := v.dyn
	switch d.op {
	case dynText:
		return dst, false
	case dynNeg:
		dst, ok := program(dst, &d.x, depth)
		return append(dst, instr{op: opNeg}), ok
	case dynVar:
		switch d.src {
		case fromTime:
			return append(dst, instr{op: opTime}), true
		case fromName:
			return append(dst, instr{op: opName, attr: d.attr}), true
		case fromAttr:
			at := len(dst)
			dst = append(dst, instr{op: opAttr, attr: d.attr})
			if d.fallback == nil {
				return dst, true
			}
			dst, ok := program(dst, d.fallback, depth)
			dst[at].skip = len(dst) - at - 1
			return dst, ok
		}
		return dst, false
	}
	dst, ok1 := program(dst, &d.x, depth)
	dst, ok2 := program(dst, &d.y, depth+1)
	return append(dst, instr{op: opcodes[d.op]}), ok1 && ok2
}

// texts compiles an expression that makes text. It reports false for arithmetic.
func texts(dst []part, v *val) ([]part, bool) {
	if v.kind != dynamicVal {
		if v.kind == pairVal || v.kind == listVal {
			return dst, false
		}
		if text := v.plain(); text != "" {
			dst = append(dst, part{lit: text})
		}
		return dst, true
	}
	d := v.dyn
	switch d.op {
	case dynText:
		for i := range d.parts {
			var ok bool
			if dst, ok = texts(dst, &d.parts[i]); !ok {
				return dst, false
			}
		}
		return dst, true
	case dynVar:
		p := part{src: d.src, attr: d.attr}
		if d.fallback != nil {
			var ok bool
			if p.fallback, ok = texts([]part{}, d.fallback); !ok {
				return dst, false
			}
		}
		return append(dst, p), true
	}
	return dst, false
}

// values converts constants to the values that the encoder takes.
func values(vals []val) []tlv.Value {
	if len(vals) == 0 {
		return nil
	}
	return appendValues(make([]tlv.Value, 0, len(vals)), vals)
}

// appendValues appends what values returns to dst.
func appendValues(dst []tlv.Value, vals []val) []tlv.Value {
	for i := range vals {
		v := &vals[i]
		o := tlv.Value{Neg: v.neg, Num: v.abs, Text: v.text, List: values(v.elems)}
		switch v.kind {
		case numberVal:
			o.Type = tlv.Number
		case hexVal:
			o.Type = tlv.Hex
		case wordVal:
			o.Type = tlv.Word
		case quotedVal:
			o.Type = tlv.String
		case bareVal:
			o.Type = tlv.Any
		case pairVal:
			o.Type = tlv.Pair
		case listVal:
			o.Type = tlv.List
		}
		dst = append(dst, o)
	}
	return dst
}
