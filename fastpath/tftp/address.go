package tftp

import (
	"net/netip"
)

// hwaddr reads a MAC address in the forms in use: six octets of hex with or without `:`, `-` or `.` between them;
// without leading zeros between `:` or `-`, as dhcpd's binary-to-ascii writes them; either of these after a hardware
// type of 1 (Ethernet) and a comma or colon; or the six raw octets. All zeros is not a device's address.
func hwaddr(v []byte, mac *[6]byte) bool {
	var m [6]byte
	switch {
	case len(v) == len(m):
		copy(m[:], v)
	case hexPairs(v, &m), hexGroups(v, &m):
	case len(v) > 2 && v[0] == '1' && (v[1] == ',' || v[1] == ':') && (hexPairs(v[2:], &m) || hexGroups(v[2:], &m)):
	default:
		return false
	}
	if m == [6]byte{} {
		return false
	}
	*mac = m
	return true
}

// hexPairs reads six octets of two digits, with or without separators.
func hexPairs(v []byte, mac *[6]byte) bool {
	var m [6]byte
	digits := 0
	for _, c := range v {
		d, ok := hexDigit(c)
		switch {
		case !ok && (c != ':' && c != '-' && c != '.' || digits&1 != 0), ok && digits == 12:
			return false
		case ok:
			m[digits/2] = m[digits/2]<<4 | d
			digits++
		}
	}
	if digits != 12 {
		return false
	}
	*mac = m
	return true
}

// hexGroups reads six octets of one or two digits between identical separators.
func hexGroups(v []byte, mac *[6]byte) bool {
	var m [6]byte
	group, digits, sep := 0, 0, byte(0)
	for _, c := range v {
		d, ok := hexDigit(c)
		switch {
		case ok && digits < 2:
			m[group] = m[group]<<4 | d
			digits++
		case digits > 0 && group < 5 && (c == ':' || c == '-') && (sep == 0 || c == sep):
			group++
			digits, sep = 0, c
		default:
			return false
		}
	}
	if group != 5 || digits == 0 {
		return false
	}
	*mac = m
	return true
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// netaddr reads an IP address in text form, without zone. netip.ParseAddr keeps the text in its error and so would
// allocate for every request.
func netaddr(v []byte, a *netip.Addr) bool {
	for _, c := range v {
		if c == ':' {
			return netaddr6(v, a)
		}
	}
	ip, ok := dotted(v)
	if ok {
		*a = netip.AddrFrom4(ip)
	}
	return ok
}

// dotted reads four decimal octets without leading zeros.
func dotted(v []byte) (ip [4]byte, ok bool) {
	field, n, digits := 0, 0, 0
	for _, c := range v {
		switch {
		case '0' <= c && c <= '9':
			n = n*10 + int(c-'0')
			digits++
			if n > 255 || digits > 1 && n < 10 {
				return ip, false
			}
		case c == '.' && digits > 0 && field < 3:
			ip[field] = byte(n)
			field++
			n, digits = 0, 0
		default:
			return ip, false
		}
	}
	if field != 3 || digits == 0 {
		return ip, false
	}
	ip[3] = byte(n)
	return ip, true
}

// netaddr6 reads the text forms of RFC 4291, section 2.2.
func netaddr6(v []byte, a *netip.Addr) bool {
	var ip [16]byte
	n, gap := 0, -1
	if len(v) >= 2 && v[0] == ':' && v[1] == ':' {
		gap = 0
		v = v[2:]
	}
	for len(v) > 0 {
		var group, digits int
		for digits < len(v) {
			d, ok := hexDigit(v[digits])
			if !ok {
				break
			}
			if digits == 4 {
				return false
			}
			group = group<<4 | int(d)
			digits++
		}
		if digits == 0 || n == 16 {
			return false
		}
		if digits < len(v) && v[digits] == '.' {
			last, ok := dotted(v)
			if !ok || n > 12 {
				return false
			}
			n += copy(ip[n:], last[:])
			break
		}
		ip[n], ip[n+1] = byte(group>>8), byte(group)
		n += 2
		if v = v[digits:]; len(v) == 0 {
			break
		}
		if v[0] != ':' || len(v) == 1 {
			return false
		}
		if v = v[1:]; v[0] == ':' {
			if gap >= 0 {
				return false
			}
			gap = n
			v = v[1:]
		}
	}
	switch {
	case gap < 0 && n < 16, gap >= 0 && n == 16:
		return false
	case gap >= 0:
		copy(ip[16-(n-gap):], ip[gap:n])
		clear(ip[gap : 16-(n-gap)])
	}
	*a = netip.AddrFrom16(ip).Unmap()
	return true
}
