package device

import "errors"

// A MAC is a device's MAC address. The zero value means none: no device has the address 00:00:00:00:00:00.
type MAC [6]byte

// Errors of [ParseMAC], worded to follow the text that was parsed: "x is not a MAC address".
var (
	ErrNotMAC  = errors.New("not a MAC address")
	ErrZeroMAC = errors.New("all zeros, not the MAC address of a device")
)

// IsZero reports whether m is the zero MAC.
func (m MAC) IsZero() bool { return m == MAC{} }

// Or returns m, or other if m is zero.
func (m MAC) Or(other MAC) MAC {
	if m.IsZero() {
		return other
	}
	return m
}

// String returns the address as in "0a:01:02:03:04:05", or "" if m is zero.
func (m MAC) String() string { return string(m.AppendTo(nil)) }

// AppendTo appends the result of String.
func (m MAC) AppendTo(dst []byte) []byte {
	const digits = "0123456789abcdef"
	if m.IsZero() {
		return dst
	}
	for i, b := range m {
		if i > 0 {
			dst = append(dst, ':')
		}
		dst = append(dst, digits[b>>4], digits[b&15])
	}
	return dst
}

// MarshalText implements [encoding.TextMarshaler] with String.
func (m MAC) MarshalText() ([]byte, error) { return m.AppendTo(nil), nil }

// ParseMAC parses a device's MAC address in the forms accepted by [ParseEUI48]. The error is ErrNotMAC or ErrZeroMAC.
// It does not allocate.
func ParseMAC[T string | []byte](s T) (MAC, error) {
	m, ok := ParseEUI48(s)
	switch {
	case !ok:
		return MAC{}, ErrNotMAC
	case m == [6]byte{}:
		return MAC{}, ErrZeroMAC
	}
	return m, nil
}

// ParseEUI48 parses six octets in the forms used for MAC addresses in file names, files, databases and directories:
// twelve hexadecimal digits, alone, in pairs separated by : - or ., or in groups of four separated by dots; or
// without leading zeros, separated by : or -, as printed by dhcpd's binary-to-ascii (16, 8, ":", …): 0:10:18:de:ad:1.
// All zeros are accepted. It does not allocate.
func ParseEUI48[T string | []byte](s T) (m [6]byte, ok bool) {
	group := 0 // digits between separators
	switch {
	case len(s) == 12 && isHex(s):
	case len(s) == 17 && (s[2] == ':' || s[2] == '-' || s[2] == '.'):
		group = 2
	case len(s) == 14 && s[4] == '.':
		group = 4
	default:
		return parseShort(s)
	}
	n := 0 // digits parsed
	for i := 0; i < len(s); i++ {
		if group > 0 && i%(group+1) == group {
			if s[i] != s[group] {
				return m, false
			}
			continue
		}
		d, isDigit := hexDigit(s[i])
		if !isDigit {
			return m, false
		}
		m[n/2] = m[n/2]<<4 | d
		n++
	}
	return m, true
}

func isHex[T string | []byte](s T) bool {
	for i := 0; i < len(s); i++ {
		if _, ok := hexDigit(s[i]); !ok {
			return false
		}
	}
	return true
}

// parseShort parses six octets of one or two digits between identical separators.
func parseShort[T string | []byte](s T) (m [6]byte, ok bool) {
	const shortest, longest = len("0:0:0:0:0:0"), len("00:00:00:00:00:00")
	if len(s) < shortest || len(s) > longest {
		return m, false
	}
	octet, digits, sep := 0, 0, byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		d, isDigit := hexDigit(c)
		switch {
		case isDigit && digits < 2:
			m[octet] = m[octet]<<4 | d
			digits++
		case digits > 0 && octet < 5 && (c == ':' || c == '-') && (sep == 0 || c == sep):
			octet++
			digits, sep = 0, c
		default:
			return [6]byte{}, false
		}
	}
	if octet != 5 || digits == 0 {
		return [6]byte{}, false
	}
	return m, true
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c-'0' <= 9:
		return c - '0', true
	case c-'a' <= 5:
		return c - 'a' + 10, true
	case c-'A' <= 5:
		return c - 'A' + 10, true
	}
	return 0, false
}
