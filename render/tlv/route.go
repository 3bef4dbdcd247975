package tlv

import (
	"encoding/binary"
	"net/netip"
	"strings"
)

// routeDistinguisher is a route distinguisher, written as AS:number or address:number.
type routeDistinguisher struct{ octetString }

func (routeDistinguisher) wants(*Def) string {
	return "a route distinguisher, such as 64512:100 or 192.0.2.1:100, or 0x and 16 hexadecimal digits"
}

func (k routeDistinguisher) append(e *Encoder, dst []byte, d *Def, f Form, vals []Value) ([]byte, error) {
	v, err := d.single(vals)
	if err != nil {
		return dst, err
	}
	admin, assigned, ok := strings.Cut(v.Text, ":")
	if v.Type != Word && v.Type != String && v.Type != Any || !ok {
		return k.octetString.append(e, dst, d, f, vals)
	}
	n, big, ok := parseUint(assigned, 10)
	if !ok || big {
		return dst, d.unlike(v)
	}
	if a, err := netip.ParseAddr(admin); err == nil && a.Is4() && n <= 0xffff {
		b := a.As4()
		dst = append(append(dst, 0, 1), b[:]...)
		return binary.BigEndian.AppendUint16(dst, uint16(n)), nil
	}
	switch as, big, ok := parseUint(admin, 10); {
	case !ok || big || as > 0xffffffff:
		return dst, d.unlike(v)
	case as <= 0xffff && n <= 0xffffffff:
		dst = binary.BigEndian.AppendUint16(append(dst, 0, 0), uint16(as))
		return binary.BigEndian.AppendUint32(dst, uint32(n)), nil
	case n <= 0xffff:
		dst = binary.BigEndian.AppendUint32(append(dst, 0, 2), uint32(as))
		return binary.BigEndian.AppendUint16(dst, uint16(n)), nil
	}
	return dst, d.fail(0, v.describe()+": the second number is out of range, 0 to 4294967295 after an AS of 16 bits, else 0 to 65535")
}
