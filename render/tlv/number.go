package tlv

import (
	"strconv"
	"strings"
)

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
		return dst, d.fail(0, v.describe()+" does not fit in "+strconv.Itoa(bits)+" bits, "+d.limits()+d.inUnits(mag, big))
	}
	n := int64(mag)
	if neg {
		n = -n
	}
	if !d.Unsure && d.outside(n) {
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

func uintValue(b []byte) Value {
	var n uint64
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return Value{Type: Number, Num: n}
}

// outside reports whether d's limits exclude a number.
func (d *Def) outside(n int64) bool { return d.Limited && (n < d.Min || n > d.Max) }

// advise warns of numbers outside of limits that are unsure. b is consecutive elements.
func (e *Encoder) advise(d *Def, of element, b []byte) {
	k, ok := of.(number)
	if !ok || !d.Unsure {
		return
	}
	for ; len(b) >= k.octets; b = b[k.octets:] {
		if v, _ := k.read(b[:k.octets]); d.outside(v.int()) {
			e.warn(d, v.describe()+" is outside of "+d.limits()+", which may be incomplete")
		}
	}
}

// int returns a Number that fits in 32 bits.
func (v *Value) int() int64 {
	if v.Neg {
		return -int64(v.Num)
	}
	return int64(v.Num)
}

// inUnits returns how to write a rate in bit/s that does not fit, if d's group has a unit for its rates. It rounds down.
func (d *Def) inUnits(rate uint64, big bool) string {
	unit, _, ok := d.Parent().Child("DataRateUnitSetting")
	if !ok || big || !strings.Contains(d.Name, "Rate") {
		return ""
	}
	for i, name := range []string{"kbit/s", "Mbit/s", "Gbit/s"} {
		if rate /= 1000; rate <= uint64(d.Max) {
			return "; write " + strconv.FormatUint(rate, 10) + " and " + unit.Name + " " + strconv.Itoa(i+1) + ", " + name +
				" for all rates of the flow"
		}
	}
	return ""
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
