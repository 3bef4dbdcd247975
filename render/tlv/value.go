package tlv

import (
	"encoding/hex"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"
)

// ValueType is how a value was written.
type ValueType uint8

const (
	Number ValueType = iota // a decimal number: Neg, Num
	Hex                     // 0x…: Text holds the digits only
	Word                    // unquoted: Text
	String                  // quoted: Text holds the octets, escapes resolved
	Any                     // the value of a variable: Text, parsed as the keyword requires
	Octets                  // an address in binary: Text holds the octets as encoded
	Pair                    // a/b: List holds the two
	List                    // a, b, c: List
)

// Value is one value of the text language after substitution of variables. Encoders do not
// modify it.
type Value struct {
	Type ValueType
	Neg  bool
	Num  uint64 // magnitude of a Number
	Text string
	List []Value
}

// Int returns a number as a Value.
func Int(v int64) Value {
	if v < 0 {
		return Value{Type: Number, Neg: true, Num: -uint64(v)}
	}
	return Value{Type: Number, Num: uint64(v)}
}

// ValueError describes what is wrong with a value. It has no position in a file; Index is that
// of the value, so that the caller can locate it.
type ValueError struct {
	Name  string // the keyword
	Index int    // of the value; -1: the whole setting
	Msg   string
}

func (e *ValueError) Error() string { return e.Name + ": " + e.Msg }

func (d *Def) fail(index int, msg string) error {
	return &ValueError{Name: d.Name, Index: index, Msg: msg}
}

// describe returns the value as text for an error.
func (v *Value) describe() string {
	const most = 40
	s := v.Text
	if len(s) > most {
		s = s[:most] + "…"
	}
	switch v.Type {
	case Number:
		s = strconv.FormatUint(v.Num, 10)
		if v.Neg {
			s = "-" + s
		}
	case Hex:
		s = "0x" + s
	case String:
		s = strconv.Quote(s)
	case Octets:
		s = "0x" + hex.EncodeToString([]byte(s))
	case Pair:
		if len(v.List) == 2 {
			return v.List[0].describe() + "/" + v.List[1].describe()
		}
		return "a pair"
	case List:
		return "a list"
	}
	return s
}

// number parses a number: decimal, hexadecimal, or either from a variable. ok is false if the
// value is not a number, big is true if the number exceeds 64 bits.
func (v *Value) number() (neg bool, mag uint64, big, ok bool) {
	switch v.Type {
	case Number:
		return v.Neg, v.Num, false, true
	case Hex:
		mag, big, ok = parseUint(v.Text, 16)
		return false, mag, big, ok
	case Any, Word:
		s := v.Text
		if h, found := cutHex(s); found {
			mag, big, ok = parseUint(h, 16)
			return false, mag, big, ok
		}
		s, neg = strings.CutPrefix(s, "-")
		mag, big, ok = parseUint(s, 10)
		return neg, mag, big, ok
	}
	return false, 0, false, false
}

func cutHex(s string) (digits string, ok bool) {
	if len(s) >= 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') {
		return s[2:], true
	}
	return s, false
}

func parseUint(s string, base uint64) (n uint64, big, ok bool) {
	if s == "" {
		return 0, false, false
	}
	for i := 0; i < len(s); i++ {
		d := uint64(hexDigit(s[i]))
		if d >= base {
			return 0, false, false
		}
		hi, lo := bits.Mul64(n, base)
		sum, carry := bits.Add64(lo, d, 0)
		if hi != 0 || carry != 0 {
			big = true
		}
		n = sum
	}
	return n, big, true
}

// hexDigit returns the value of a digit, 255 if c is not one.
func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// appendHex appends the octets given by the digits. A non-empty message describes the error.
func appendHex(dst []byte, digits string) ([]byte, string) {
	if len(digits)%2 != 0 {
		return dst, "0x" + shorten(digits) + " has an odd number of digits: two make an octet"
	}
	for i := 0; i < len(digits); i += 2 {
		hi, lo := hexDigit(digits[i]), hexDigit(digits[i+1])
		if hi > 15 || lo > 15 {
			return dst, "0x" + shorten(digits) + " has a character that is not a hexadecimal digit"
		}
		dst = append(dst, hi<<4|lo)
	}
	return dst, ""
}

func shorten(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

// addr parses an IPv4 or IPv6 address.
func (v *Value) addr() (netip.Addr, bool) {
	switch v.Type {
	case Word, String, Any:
		a, err := netip.ParseAddr(v.Text)
		return a, err == nil && a.Zone() == ""
	case Octets:
		switch len(v.Text) {
		case 4:
			return netip.AddrFrom4([4]byte([]byte(v.Text))), true
		case 16:
			return netip.AddrFrom16([16]byte([]byte(v.Text))), true
		}
	case Hex:
		var b [16]byte
		if len(v.Text) != 8 && len(v.Text) != 32 {
			break
		}
		out, msg := appendHex(b[:0], v.Text)
		if msg != "" {
			break
		}
		if len(out) == 4 {
			return netip.AddrFrom4([4]byte(out)), true
		}
		return netip.AddrFrom16(b), true
	}
	return netip.Addr{}, false
}

// mac parses a MAC address: pairs of digits separated by colons, dashes or dots, groups of four
// separated by dots, or twelve digits.
func (v *Value) mac() (m [6]byte, ok bool) {
	switch v.Type {
	case Octets:
		return m, len(v.Text) == 6 && copy(m[:], v.Text) == 6
	case Word, String, Any, Hex:
		s := v.Text
		if v.Type == Any {
			s, _ = cutHex(s)
		}
		group, sep := 12, byte(0)
		switch len(s) {
		case 12:
		case 14:
			group, sep = 4, '.'
		case 17:
			group, sep = 2, s[2]
			if sep != ':' && sep != '-' && sep != '.' {
				return m, false
			}
		default:
			return m, false
		}
		n, at := 0, 0
		for i := 0; i < len(s); i++ {
			if at == group {
				if s[i] != sep {
					return m, false
				}
				at = 0
				continue
			}
			d := hexDigit(s[i])
			if d > 15 {
				return m, false
			}
			m[n/2] = m[n/2]<<4 | d
			n++
			at++
		}
		return m, n == 12
	}
	return m, false
}

// pair splits a/b.
func (v *Value) pair() (a, b Value, ok bool) {
	switch v.Type {
	case Pair:
		if len(v.List) == 2 {
			return v.List[0], v.List[1], true
		}
	case Word, String, Any:
		if i := strings.LastIndexByte(v.Text, '/'); i >= 0 {
			return Value{Type: Any, Text: strings.TrimSpace(v.Text[:i])},
				Value{Type: Any, Text: strings.TrimSpace(v.Text[i+1:])}, true
		}
	}
	return a, b, false
}

// elements returns the elements of a list; any other value is a list of itself.
func (v *Value) elements() []Value {
	switch {
	case v.Type == List:
		return v.List
	case (v.Type == Any || v.Type == Word || v.Type == String) && strings.Contains(v.Text, ","):
		var out []Value
		for s := range strings.SplitSeq(v.Text, ",") {
			out = append(out, Value{Type: Any, Text: strings.TrimSpace(s)})
		}
		return out
	}
	return []Value{*v}
}
