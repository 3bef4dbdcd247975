package device

// ParseMAC reads a MAC address as names, files, databases and directories write it: twelve
// hexadecimal digits, alone or in pairs with one of : - . between, or in fours with dots, or without leading zeros
// between : or -, as dhcpd's binary-to-ascii (16, 8, ":", …) writes it: 0:10:18:de:ad:1. It does not allocate.
func ParseMAC[T string | []byte](s T) (m [6]byte, ok bool) {
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
	n := 0 // digits read
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

// parseShort reads six octets of one or two digits between separators that are all the same.
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

// AppendMAC appends a MAC address as 0a:01:02:03:04:05.
func AppendMAC(dst []byte, m [6]byte) []byte {
	const digits = "0123456789abcdef"
	for i, b := range m {
		if i > 0 {
			dst = append(dst, ':')
		}
		dst = append(dst, digits[b>>4], digits[b&15])
	}
	return dst
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
