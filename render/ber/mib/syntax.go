package mib

import (
	"math"
	"slices"
	"strconv"
)

// objectValue parses the value after ::=.
func (p *smiParser) objectValue(o *smiObject) {
	if o.macro == "TRAP-TYPE" {
		o.oid = []smiArc{p.arc()}
		return
	}
	p.expect("{")
	if p.is("}") {
		p.fail("the OID of %s is empty", o.name)
	}
	for p.until("}") {
		p.accept(",")
		o.oid = append(o.oid, p.arc())
	}
}

func (p *smiParser) arc() (a smiArc) {
	if p.peek().kind == tokWord {
		a.name = p.next().text
		if !p.accept("(") {
			return a
		}
	}
	t := p.peek()
	n, err := strconv.ParseUint(t.text, 10, 32)
	if t.kind != tokNumber || err != nil {
		p.fail("expected an arc, 0 to 4294967295, got %q", t.text)
		return a
	}
	p.next()
	a.number, a.known = uint32(n), true
	if a.name != "" {
		p.expect(")")
	}
	return a
}

func (p *smiParser) syntax() *smiType {
	t := &smiType{}
	for p.accept("[") {
		p.skipTo("]")
		p.accept("IMPLICIT")
	}
	t.base = p.word("a type")
	switch t.base {
	case "SEQUENCE", "CHOICE":
		t.base = ""
		if p.accept("OF") {
			t.table = true
			p.word("a row's type")
			return t
		}
		t.sequence = true
		p.skipBraces()
		return t
	case "OCTET", "BIT":
		p.expect("STRING")
		t.base += " STRING"
	case "OBJECT":
		p.expect("IDENTIFIER")
		t.base += " IDENTIFIER"
	}
	if p.accept(".") {
		t.base = p.word("a type")
	}
	if p.accept("{") {
		for p.until("}") {
			if p.accept(",") {
				continue
			}
			label := p.word("a label")
			p.expect("(")
			t.enums = append(t.enums, Enum{label, p.integer()})
			p.expect(")")
		}
		slices.SortStableFunc(t.enums, func(a, b Enum) int {
			switch {
			case a.Value < b.Value:
				return -1
			case a.Value > b.Value:
				return 1
			}
			return 0
		})
	}
	if p.accept("(") {
		if p.accept("SIZE") {
			p.expect("(")
			t.ranges = p.ranges()
			p.expect(")")
		} else {
			t.ranges = p.ranges()
		}
	}
	return t
}

// ranges parses up to and including the closing parenthesis.
func (p *smiParser) ranges() (ranges []Range) {
	for p.err == nil {
		lo := p.integer()
		hi := lo
		if p.accept("..") {
			hi = p.integer()
		}
		ranges = append(ranges, Range{lo, hi})
		if p.accept(")") {
			return ranges
		}
		p.expect("|")
	}
	return nil
}

// integer parses a number. One that exceeds 64 bits becomes the largest.
func (p *smiParser) integer() int64 {
	switch {
	case p.accept("MIN"):
		return math.MinInt64
	case p.accept("MAX"):
		return math.MaxInt64
	}
	negative := p.accept("-")
	t := p.peek()
	if t.kind != tokNumber {
		p.fail("expected a number, got %q", t.text)
		return 0
	}
	p.next()
	v, err := strconv.ParseInt(t.text, 10, 64)
	if err != nil {
		v = math.MaxInt64
	}
	if negative {
		return -v
	}
	return v
}
