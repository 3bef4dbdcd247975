package skeleton

import (
	"math"

	"dcs/render/groups"
)

// extent is the numbers that an expression can yield, both ends included.
type extent struct {
	min, max int64
	bounded  bool // the ends follow from a pattern, known values and arithmetic
}

var anyNumber = extent{math.MinInt64, math.MaxInt64, false}

func (e extent) or(o extent) extent {
	return extent{min(e.min, o.min), max(e.max, o.max), e.bounded && o.bounded}
}

// extentOf computes the numbers that v can be. Arithmetic that leaves 64 bits makes no file, so the ends stay within.
func (x *explorer) extentOf(v *val) extent {
	if v.kind != dynamicVal {
		if n, ok := v.integer(); ok {
			return extent{n, n, true}
		}
		return anyNumber
	}
	d := v.dyn
	switch d.op {
	case dynText:
		return anyNumber
	case dynVar:
		out := anyNumber
		switch d.src {
		case fromTime:
			out = extent{0, math.MaxUint32, false}
		case fromName, fromAttr:
			out = numbersOf(x.spread(d))
		}
		if d.fallback != nil {
			out = out.or(x.extentOf(d.fallback))
		}
		return out
	case dynNeg:
		return arithmetic(opSub, extent{0, 0, true}, x.extentOf(&d.x))
	}
	return arithmetic(opcodes[d.op], x.extentOf(&d.x), x.extentOf(&d.y))
}

// numbersOf returns the numbers that a group can capture; nil: it is unknown.
func numbersOf(t *groups.Texts) extent {
	switch {
	case t == nil || !t.Digits:
		return anyNumber
	case t.List == nil:
		return extent{t.Min, t.Max, t.Max < math.MaxInt64}
	}
	out := extent{math.MaxInt64, math.MinInt64, true}
	for _, text := range t.List {
		n, ok := parseInt(text)
		if !ok {
			continue
		}
		out.min, out.max = min(out.min, n), max(out.max, n)
	}
	if out.min > out.max {
		return anyNumber
	}
	return out
}

// arithmetic computes the extent of a op b.
func arithmetic(op opcode, a, b extent) extent {
	out := extent{math.MaxInt64, math.MinInt64, a.bounded && b.bounded}
	ends := []int64{b.min, b.max}
	if op == opDiv { // by zero, there is no file
		for _, y := range []int64{-1, 1} {
			if b.min <= y && y <= b.max {
				ends = append(ends, y)
			}
		}
	}
	for _, x := range []int64{a.min, a.max} {
		for _, y := range ends {
			n, why := arith(op, x, y)
			switch {
			case why == DivideByZero:
				continue
			case why == Overflow && overflowsUp(op, x, y):
				n = math.MaxInt64
			case why == Overflow:
				n = math.MinInt64
			}
			out.min, out.max = min(out.min, n), max(out.max, n)
		}
	}
	if out.min > out.max {
		return anyNumber
	}
	return out
}

// overflowsUp reports whether the result of x op y, which does not fit in 64 bits, is positive.
func overflowsUp(op opcode, x, y int64) bool {
	switch op {
	case opMul:
		return (x < 0) == (y < 0)
	case opSub:
		return y < 0
	case opAdd:
		return y > 0
	}
	return true // -2⁶³/-1
}

// lengthOf returns the least and the greatest length of v as a text, in octets.
func (x *explorer) lengthOf(v *val) (least, most int) {
	if v.kind != dynamicVal {
		n := len(v.plain())
		return n, n
	}
	d := v.dyn
	switch d.op {
	case dynText:
		for i := range d.parts {
			lo, hi := x.lengthOf(&d.parts[i])
			least, most = least+lo, min(maxText, most+hi)
		}
		return least, most
	case dynVar:
		switch d.src {
		case fromTime:
			least, most = 1, 10
		case fromIP, fromServer:
			least, most = len("::"), len("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
		case fromMAC:
			least, most = 17, 17
		default:
			least, most = 0, maxText
			if t := x.spread(d); t != nil {
				least, most = t.MinLen, min(maxText, t.MaxLen)
			}
		}
		if d.fallback != nil {
			lo, hi := x.lengthOf(d.fallback)
			least, most = min(least, lo), max(most, hi)
		}
		return least, most
	}
	return 1, 20
}

// example returns a text that v can be.
func (x *explorer) example(v *val) string {
	if v.kind != dynamicVal {
		return v.plain()
	}
	d := v.dyn
	switch {
	case d.op == dynText:
		text := ""
		for i := range d.parts {
			text += x.example(&d.parts[i])
		}
		return text
	case d.op != dynVar:
		return "1"
	case d.fallback != nil:
		return x.example(d.fallback)
	}
	switch d.src {
	case fromTime:
		return "3900000000"
	case fromIP, fromServer:
		return "192.0.2.1"
	case fromMAC:
		return "02:00:5e:00:53:01"
	}
	if t := x.spread(d); t != nil {
		return t.Example
	}
	return "1"
}
