package attr

// ParseMAC reads a MAC address as names, files, databases and directories write it: twelve
// hexadecimal digits, alone or in pairs with one of : - . between, or in fours with dots.
// It does not allocate.
func ParseMAC[T string | []byte](s T) (m [6]byte, ok bool) {
	group := 0 // digits between separators
	switch {
	case len(s) == 12:
	case len(s) == 17 && (s[2] == ':' || s[2] == '-' || s[2] == '.'):
		group = 2
	case len(s) == 14 && s[4] == '.':
		group = 4
	default:
		return m, false
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
