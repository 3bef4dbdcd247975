package tlv

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// AppendGeneric appends the TLV described by GenericTLV's operands: TlvCode, then an optional
// TlvLength, then TlvValue, TlvString, TlvStringZero, or TlvType and TlvValue. If braces is
// true, body is the encoded contents of a block, and no value is allowed. parent is the group
// or root that contains the TLV, which determines the width of the length field; nil if the
// group is not in the dictionary.
func (e *Encoder) AppendGeneric(dst []byte, parent *Def, vals []Value, body []byte, braces bool) ([]byte, error) {
	g := generic{code: -1, length: -1}
	value, err := g.read(vals)
	if err != nil {
		return dst, err
	}
	if braces {
		switch {
		case g.valued:
			return dst, genericErr(-1, "either a block or a value, not both")
		case g.typed:
			return dst, genericErr(-1, "TlvType goes with TlvValue, not with a block")
		}
		value = body
	} else if !g.valued {
		return dst, genericErr(-1, "missing TlvValue, TlvString or TlvStringZero")
	}
	if g.code < 0 {
		return dst, genericErr(-1, "missing TlvCode")
	}
	if g.length >= 0 && g.length != int64(len(value)) {
		return dst, genericErr(g.lengthAt, "TlvLength says "+strconv.FormatInt(g.length, 10)+
			", the value has "+count(len(value), "octet"))
	}
	most := 255
	if parent == nil {
		parent = &Def{}
	}
	if c, ok := parent.ChildByCode(uint8(g.code)); ok {
		if err := c.computed(); err != nil {
			return dst, err
		}
		if c.Kind == KindMarker {
			return dst, genericErr(-1, "TLV "+strconv.Itoa(int(c.Code))+" has no length; write "+c.Name+" 0x00")
		}
		if c.LenBytes() == 2 {
			most = 65535
		}
	}
	if len(value) > most {
		return dst, genericErr(-1, strconv.Itoa(len(value))+" octets do not fit in one TLV, which holds at most "+strconv.Itoa(most))
	}
	dst = append(dst, byte(g.code))
	if most > 255 {
		dst = append(dst, byte(len(value)>>8))
	}
	return append(append(dst, byte(len(value))), value...), nil
}

func genericErr(i int, msg string) error {
	return &ValueError{Name: "GenericTLV", Index: i, Msg: msg}
}

type generic struct {
	code, length int64
	lengthAt     int
	valued       bool
	typed        bool // TlvType is present
}

func (g *generic) read(vals []Value) ([]byte, error) {
	var out []byte
	kind := ""
	for i := 0; i < len(vals); i += 2 {
		if vals[i].Type != Word || i+1 == len(vals) {
			return nil, genericErr(i, "expected TlvCode, TlvLength, TlvType, TlvValue, TlvString or TlvStringZero, "+
				"each with its value, got "+vals[i].describe())
		}
		v := &vals[i+1]
		word := strings.ToLower(vals[i].Text)
		if word == "tlvcode" && g.code >= 0 || word == "tlvlength" && g.length >= 0 || word == "tlvtype" && g.typed {
			return nil, genericErr(i, "duplicate "+vals[i].Text+"; keep one")
		}
		switch word {
		case "tlvcode", "tlvlength":
			neg, n, big, ok := v.number()
			most := uint64(255)
			if word == "tlvlength" {
				most = 65535
			}
			if !ok {
				return nil, genericErr(i+1, vals[i].Text+": expected a number, got "+v.describe())
			}
			if neg || big || n > most {
				return nil, genericErr(i+1, vals[i].Text+" "+v.describe()+" is out of range, 0 to "+strconv.FormatUint(most, 10))
			}
			if word == "tlvcode" {
				g.code = int64(n)
			} else {
				g.length, g.lengthAt = int64(n), i+1
			}
			continue
		case "tlvtype":
			if v.Type != Word && v.Type != Any {
				return nil, genericErr(i+1, "TlvType: expected Integer, Short, Char or IPAddress, got "+v.describe())
			}
			if g.valued {
				return nil, genericErr(i, "TlvType after the value; it belongs before TlvValue")
			}
			kind, g.typed = strings.ToLower(v.Text), true
			continue
		case "tlvvalue", "tlvstring", "tlvstringzero":
		default:
			return nil, genericErr(i, "unknown keyword "+vals[i].Text+
				"; expected TlvCode, TlvLength, TlvType, TlvValue, TlvString or TlvStringZero")
		}
		if g.valued {
			return nil, genericErr(i, "more than one value; keep one")
		}
		g.valued = true
		if word != "tlvvalue" && g.typed {
			return nil, genericErr(i, "TlvType goes with TlvValue, not with "+vals[i].Text)
		}
		if word != "tlvvalue" {
			s, ok := v.text()
			if !ok {
				return nil, genericErr(i+1, vals[i].Text+": expected a quoted string, got "+v.describe())
			}
			out = append(out, s...)
			if word == "tlvstringzero" {
				out = append(out, 0)
			}
			continue
		}
		var err error
		if out, err = genericValue(kind, v, i+1); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func genericValue(kind string, v *Value, at int) ([]byte, error) {
	var octets int
	switch kind {
	case "":
		if v.Type == String {
			return nil, genericErr(at, "TlvValue: expected 0x and hexadecimal digits; TlvString takes "+v.describe())
		}
		if v.Type != Hex && v.Type != Any && v.Type != Octets {
			return nil, genericErr(at, "TlvValue: expected 0x and hexadecimal digits, or TlvType before it, got "+v.describe())
		}
		out, msg := v.octets(nil)
		if msg != "" {
			return nil, genericErr(at, msg)
		}
		return out, nil
	case "integer":
		octets = 4
	case "short":
		octets = 2
	case "char":
		octets = 1
	case "ipaddress":
		a, ok := v.addr()
		if !ok || !a.Is4() {
			return nil, genericErr(at, "TlvType IPAddress: expected an IPv4 address, got "+v.describe())
		}
		b := a.As4()
		return b[:], nil
	default:
		return nil, genericErr(at-2, "TlvType: expected Integer, Short, Char or IPAddress, got "+kind)
	}
	neg, n, big, ok := v.number()
	bits := 8 * octets
	switch {
	case !ok:
		return nil, genericErr(at, "TlvValue: expected a number, got "+v.describe())
	case big || !neg && n >= 1<<bits || neg && n > 1<<(bits-1):
		return nil, genericErr(at, v.describe()+" does not fit in "+strconv.Itoa(bits)+" bits")
	}
	if neg {
		n = -n
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	return b[8-octets:], nil
}
