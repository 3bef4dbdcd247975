package tlv

import "strconv"

// number is a big-endian integer.
type number struct {
	octets int
	signed bool
}

func (number) wants() (one, many string) { return "a number", "numbers" }

func (k number) size() int { return k.octets }

func (k number) append(dst []byte, d *Def, v, _ *Value) ([]byte, error) {
	neg, mag, big, ok := v.number()
	if !ok {
		if v.Type == String {
			if _, _, ok := parseUint(v.Text, 10); ok {
				return dst, d.fail(0, "expected a number; write "+v.Text+" without quotes")
			}
		}
		return dst, d.unlike(v)
	}
	bits := 8 * k.octets
	top := uint64(1)<<bits - 1 // greatest magnitude of either sign
	switch {
	case k.signed && neg:
		top = uint64(1) << (bits - 1)
	case k.signed:
		top = uint64(1)<<(bits-1) - 1
	case neg && mag != 0:
		return dst, d.fail(0, v.describe()+" is out of range, "+d.limits())
	}
	if big || mag > top {
		return dst, d.fail(0, v.describe()+" does not fit in "+strconv.Itoa(bits)+" bits, "+d.limits())
	}
	n := int64(mag)
	if neg {
		n = -n
	}
	if d.Limited && (n < d.Min || n > d.Max) {
		return dst, d.fail(0, v.describe()+" is out of range, "+d.limits())
	}
	for shift := bits - 8; shift >= 0; shift -= 8 {
		dst = append(dst, byte(n>>shift))
	}
	return dst, nil
}

func (k number) read(b []byte) (Value, bool) {
	v := uintValue(b)
	if k.signed {
		unused := 64 - 8*k.octets
		v = Int(int64(v.Num<<unused) >> unused)
	}
	return v, true
}

func (k number) check(c *checker, n *Node) {
	d := n.Def
	if k.signed || n.Note != "" || !d.Limited {
		return
	}
	if v := uintValue(n.Value).Num; v < uint64(d.Min) || v > uint64(d.Max) {
		c.warn(n.Offset, "%s: %d is out of range, %s", d.Title(), v, d.limits())
	}
}

func uintValue(b []byte) Value {
	var n uint64
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return Value{Type: Number, Num: n}
}

// limits returns the range of d's numbers as text.
func (d *Def) limits() string {
	return strconv.FormatInt(d.Min, 10) + " to " + strconv.FormatInt(d.Max, 10)
}

// rangeOf returns ", " and the range if el is a number and d limits it, otherwise "".
func (d *Def) rangeOf(el element) string {
	if _, ok := el.(number); ok && d.Limited {
		return ", " + d.limits()
	}
	return ""
}
