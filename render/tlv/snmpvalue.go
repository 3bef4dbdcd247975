package tlv

import (
	"encoding/hex"
	"strconv"
	"strings"

	"dcs/render/ber"
)

// AppendSNMPValue appends the contents octets of the value alone. Indexes in errors count the
// operands from the object's name on, so that the value has index 2.
func (e *Encoder) AppendSNMPValue(dst []byte, d *Def, p *VarbindPrefix, vals []Value) ([]byte, error) {
	if len(vals) != 1 {
		return dst, d.fail(2+min(1, len(vals)), "takes one value after the type, got "+strconv.Itoa(len(vals)))
	}
	v := &vals[0]
	switch p.Type {
	case Integer:
		return e.appendInteger(dst, d, p, v)
	case Unsigned32, Counter32, TimeTicks, Counter64:
		return e.appendUnsigned(dst, d, p, v)
	case IPAddress:
		a, ok := v.addr()
		if !ok || !a.Is4() {
			return dst, d.fail(2, "IPAddress: expected an IPv4 address, got "+v.describe())
		}
		b := a.As4()
		return append(dst, b[:]...), nil
	case ObjectID:
		ref, err := e.resolve(d, 2, v)
		if err != nil {
			return dst, err
		}
		return ber.AppendOID(dst, ref.OID), nil
	}
	start := len(dst)
	out, err := e.appendOctetString(dst, d, p, v)
	if err != nil {
		return dst, err
	}
	if p.Object != nil && p.Type != BITS && p.Type != BitString && e.Warn != nil {
		if err := p.Object.CheckSize(len(out) - start); err != nil {
			e.warn(d, err.Error())
		}
	}
	return out, nil
}

func (e *Encoder) appendInteger(dst []byte, d *Def, p *VarbindPrefix, v *Value) ([]byte, error) {
	neg, mag, big, ok := v.number()
	if !ok && (v.Type == Word || v.Type == Any) && p.Object != nil {
		if n, found := p.Object.EnumValue(v.Text); found {
			return ber.AppendInt(dst, n), nil
		}
		if len(p.Object.Enums) > 0 {
			return dst, d.fail(2, p.Object.Label+" has no "+v.describe()+": "+p.Object.EnumText())
		}
	}
	if label, number, found := strings.Cut(v.Text, "("); !ok && v.Type == Word && found { // as in createAndGo(4)
		num := Value{Type: Any, Text: strings.TrimSuffix(number, ")")}
		if neg, mag, big, ok = num.number(); ok {
			e.warn(d, "the number of "+label+" is not checked: no labels of this object are known")
		}
	}
	switch {
	case !ok && v.Type == String:
		return dst, d.fail(2, "Integer: expected a number without quotes, got "+v.describe())
	case !ok:
		return dst, d.fail(2, "Integer: expected a number, got "+v.describe())
	case big || !neg && mag > 1<<31-1 || neg && mag > 1<<31:
		return dst, d.fail(2, v.describe()+" does not fit in 32 bits, -2147483648 to 2147483647")
	}
	n := int64(mag)
	if neg {
		n = -n
	}
	e.checkValue(d, p, n)
	return ber.AppendInt(dst, n), nil
}

func (e *Encoder) checkValue(d *Def, p *VarbindPrefix, n int64) {
	if p.Object == nil || e.Warn == nil {
		return
	}
	if err := p.Object.CheckValue(n); err != nil {
		e.warn(d, err.Error())
	}
}

func (e *Encoder) appendUnsigned(dst []byte, d *Def, p *VarbindPrefix, v *Value) ([]byte, error) {
	neg, n, big, ok := v.number()
	most, bits := uint64(1<<32-1), "32"
	if p.Type == Counter64 {
		most, bits = 1<<64-1, "64"
	}
	switch {
	case !ok:
		return dst, d.fail(2, p.Type.String()+": expected a number, got "+v.describe())
	case neg && n != 0:
		return dst, d.fail(2, v.describe()+" is out of range, 0 to "+strconv.FormatUint(most, 10))
	case big || n > most:
		return dst, d.fail(2, v.describe()+" does not fit in "+bits+" bits, 0 to "+strconv.FormatUint(most, 10))
	}
	if n < 1<<63 {
		e.checkValue(d, p, int64(n))
	}
	return ber.AppendUint(dst, n), nil
}

func (e *Encoder) appendOctetString(dst []byte, d *Def, p *VarbindPrefix, v *Value) ([]byte, error) {
	switch p.Type {
	case OctetString:
		if s, ok := v.text(); ok {
			return append(dst, s...), nil
		}
		if v.Type == Hex {
			return dst, d.fail(2, "String: expected a quoted string; HexString takes "+v.describe())
		}
		return dst, d.fail(2, "String: expected a quoted string, got "+v.describe())
	case HexString, BitString, Opaque:
		return d.appendHexString(dst, p.Type, v)
	case DecimalString:
		return d.appendDecimalString(dst, v)
	case BITS:
		return d.appendBits(dst, p, v)
	}
	return dst, d.fail(1, "cannot be encoded")
}

func (d *Def) appendHexString(dst []byte, t SNMPType, v *Value) ([]byte, error) {
	switch v.Type {
	case Hex, Octets, Any:
		out, msg := v.octets(dst)
		if msg != "" {
			return dst, d.fail(2, msg)
		}
		return out, nil
	case String:
		if digits, ok := cutHex(v.Text); ok {
			if _, msg := appendHex(nil, digits); msg == "" {
				return dst, d.fail(2, t.String()+" values are not quoted; write "+shorten(v.Text))
			}
		}
		return dst, d.fail(2, t.String()+": expected 0x and hexadecimal digits without quotes; write 0x"+
			hex.EncodeToString([]byte(shorten(v.Text)))+", or String "+v.describe())
	}
	return dst, d.fail(2, t.String()+": expected 0x and hexadecimal digits, got "+v.describe())
}

func (d *Def) appendDecimalString(dst []byte, v *Value) ([]byte, error) {
	s := v.Text
	switch {
	case v.Type == Number && !v.Neg:
		s = strconv.FormatUint(v.Num, 10)
	case v.Type != String && v.Type != Any && v.Type != Word:
		return dst, d.fail(2, `DecimalString: expected octets in decimal separated by dots, such as "1.2.3", got `+v.describe())
	}
	if s == "" {
		return dst, nil
	}
	start := len(dst)
	for part := range strings.SplitSeq(s, ".") {
		n, big, ok := parseUint(part, 10)
		if !ok || big || n > 255 {
			return dst[:start], d.fail(2, `DecimalString: expected octets in decimal separated by dots, such as "1.2.3": `+
				strconv.Quote(part)+" is not a number from 0 to 255")
		}
		dst = append(dst, byte(n))
	}
	return dst, nil
}

// appendBits sets the named or numbered bits. Bit 0 is the most significant bit of the first
// octet, and the octets extend to the last bit that the object names (RFC 3417, section 8).
func (d *Def) appendBits(dst []byte, p *VarbindPrefix, v *Value) ([]byte, error) {
	if v.Type == Hex || v.Type == Octets {
		return d.appendHexString(dst, BITS, v)
	}
	const most = 8*255 - 1
	start := len(dst)
	last := int64(-1)
	if p.Object != nil {
		for _, e := range p.Object.Enums {
			if e.Value <= most {
				last = max(last, e.Value)
			}
		}
	}
	elems := v.elements()
	if v.Type == String || v.Type == Any {
		if strings.TrimSpace(v.Text) == "" {
			elems = nil
		}
	}
	for last >= 0 && int64(len(dst)-start) <= last/8 {
		dst = append(dst, 0)
	}
	for i := range elems {
		el := &elems[i]
		neg, n, big, ok := el.number()
		if !ok && p.Object != nil {
			bit, found := p.Object.EnumValue(el.Text)
			if !found {
				return dst[:start], d.fail(2, p.Object.Label+" has no "+el.describe()+": "+p.Object.EnumText())
			}
			n, ok = uint64(bit), true
		}
		if !ok || neg || big || n > most {
			return dst[:start], d.fail(2, "BITS: expected names or numbers of bits separated by commas, or 0x and hexadecimal digits, got "+el.describe())
		}
		for uint64(len(dst)-start) <= n/8 {
			dst = append(dst, 0)
		}
		dst[start+int(n/8)] |= 0x80 >> (n % 8)
	}
	return dst, nil
}
