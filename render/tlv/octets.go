package tlv

import (
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"

	"dcs/render/ber/mib"
)

// octetString is arbitrary octets.
type octetString struct {
	plainCodec
	fixed     int  // octets; 0: limited by the Def
	unbounded bool // the Def's limits apply to one TLV, and the value may fill several
}

func (octetString) wants(d *Def) string {
	s := "0x and hexadecimal digits, " + d.octets()
	if d.Quoted || d.Literal {
		s += ", or a quoted string"
	}
	return s
}

func (k octetString) append(_ *Encoder, dst []byte, d *Def, _ Form, vals []Value) ([]byte, error) {
	v, err := d.single(vals)
	if err != nil {
		return dst, err
	}
	start := len(dst)
	if dst, err = d.appendOctets(dst, v); err != nil || k.unbounded {
		return dst, err
	}
	if n := len(dst) - start; n < d.LenMin || n > d.LenMax {
		return dst, d.fail(0, "expected "+d.octets()+"; "+v.describe()+" has "+strconv.Itoa(n))
	}
	return dst, nil
}

func (octetString) read(b []byte) ([]Value, bool) { return []Value{hexValue(b)}, len(b) > 0 }

func (octetString) json(*Node, *mib.Index) any { return nil }

func (k octetString) width() (octets int, multiple bool) { return k.fixed, false }

func hexValue(b []byte) Value { return Value{Type: Hex, Text: hex.EncodeToString(b)} }

// octets returns the allowed lengths of d's value as text.
func (d *Def) octets() string {
	if d.LenMin != d.LenMax {
		return strconv.Itoa(d.LenMin) + " to " + strconv.Itoa(d.LenMax) + " octets"
	}
	return count(d.LenMin, "octet")
}

// appendOctets appends the octets of v without checking their number.
func (d *Def) appendOctets(dst []byte, v *Value) ([]byte, error) {
	switch v.Type {
	case Hex, Octets, Any:
		if d.Quoted && v.Type == Any {
			if _, ok := cutHex(v.Text); !ok {
				return append(dst, v.Text...), nil
			}
		}
		out, msg := v.octets(dst)
		if msg != "" {
			return dst, d.fail(0, msg)
		}
		return out, nil
	case String:
		if d.Quoted {
			return append(dst, v.Text...), nil
		}
		if _, ok := cutHex(v.Text); ok {
			return dst, d.fail(0, "hexadecimal values are not quoted; write "+shorten(v.Text))
		}
		if d.Literal {
			return append(dst, v.Text...), nil
		}
	case Number:
		if d.LenMin == d.LenMax && d.LenMin <= 4 && !v.Neg && v.Num>>(8*d.LenMin) == 0 {
			h := strconv.FormatUint(v.Num, 16)
			h = strings.Repeat("0", 2*d.LenMin-len(h)) + h
			return dst, d.fail(0, "expected "+d.wants()+"; write 0x"+h+" for "+v.describe())
		}
	}
	return dst, d.unlike(v)
}

// octets appends the octets of a hexadecimal value. A non-empty message describes the error.
func (v *Value) octets(dst []byte) ([]byte, string) {
	if v.Type == Octets {
		return append(dst, v.Text...), ""
	}
	digits := v.Text
	if v.Type == Any {
		var ok bool
		if digits, ok = cutHex(digits); !ok {
			return dst, "expected 0x and hexadecimal digits, got " + v.describe()
		}
	}
	return appendHex(dst, digits)
}

// characters is a text, followed by a NUL if nul is set.
type characters struct {
	plainCodec
	nul bool
}

func (characters) wants(*Def) string { return "a quoted string" }

func (k characters) append(e *Encoder, dst []byte, d *Def, _ Form, vals []Value) ([]byte, error) {
	v, err := d.single(vals)
	if err != nil {
		return dst, err
	}
	start := len(dst)
	if s, ok := v.text(); ok {
		dst = append(dst, s...)
	} else if v.Type == Hex || v.Type == Octets {
		out, msg := v.octets(dst)
		if msg != "" {
			return dst, d.fail(0, msg)
		}
		dst = out
	} else if v.Type == Word || v.Type == Number {
		return dst, d.fail(0, "expected a string; put "+v.describe()+" in quotes")
	} else {
		return dst, d.unlike(v)
	}
	n := len(dst) - start
	if k.nul {
		dst = append(dst, 0)
	}
	least, most := d.Characters(false)
	_, wider := d.Characters(true)
	switch {
	case n > most && n <= wider && (e.Lenient || e.Long || d.Unsure):
		e.warn(d, count(n, "character")+", the specification allows "+strconv.Itoa(most))
	case n > most && n <= wider:
		return dst, d.fail(0, count(n, "character")+", at most "+strconv.Itoa(most)+" are allowed"+Lifted)
	case n > most:
		return dst, d.fail(0, count(n, "character")+", at most "+strconv.Itoa(most)+" are allowed")
	case n < least:
		return dst, d.fail(0, count(n, "character")+", at least "+strconv.Itoa(least)+" are required")
	}
	return dst, nil
}

// Characters returns how many characters a KindString or KindZString may have, excluding the
// NUL. The open encoder accepts more for some; lenient is its limit.
func (d *Def) Characters(lenient bool) (least, most int) {
	switch {
	case d.Kind != KindZString:
		return d.LenMin, d.LenMax
	case d.Limited && (lenient || d.Unsure):
		return int(d.Min), max(int(d.Max), d.LenMax-1)
	case d.Limited:
		return int(d.Min), int(d.Max)
	}
	return 0, 254
}

func (k characters) read(b []byte) ([]Value, bool) {
	b, ok := k.cut(b)
	return []Value{textValue(b)}, ok
}

// cut removes the trailing NUL.
func (k characters) cut(b []byte) ([]byte, bool) {
	if !k.nul {
		return b, true
	}
	if n := len(b); n > 0 && b[n-1] == 0 {
		return b[:n-1], true
	}
	return b, false
}

func (k characters) print(p *printer, n *Node, parent *Def, depth int) {
	if b, ok := k.cut(n.Value); ok && quotable(b) {
		p.plain(n, parent, depth)
		return
	}
	note := n.Note
	if k.nul && note == "" && (len(n.Value) == 0 || n.Value[len(n.Value)-1] != 0) {
		note = "no NUL at its end"
	}
	p.generic(n, note, depth)
}

func (k characters) json(n *Node, _ *mib.Index) any {
	if b, ok := k.cut(n.Value); ok {
		return jsonText(b)
	}
	return nil
}

func jsonText(b []byte) any {
	if !utf8.Valid(b) {
		return nil
	}
	return string(b)
}

// plain reports whether a string can be written in quotes: it consists of printable ASCII
// characters.
func plain(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

func textValue(b []byte) Value {
	if plain(b) {
		return Value{Type: String, Text: string(b)}
	}
	return hexValue(b)
}
