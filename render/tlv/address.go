package tlv

import (
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
)

// address is an IP address. If typed is set, an octet precedes it: 1 for IPv4, 2 for IPv6.
type address struct{ v4, v6, typed bool }

func (k address) wants() (one, many string) {
	switch {
	case !k.v6:
		return "an IPv4 address", "IPv4 addresses"
	case !k.v4:
		return "an IPv6 address", "IPv6 addresses"
	}
	return "an IPv4 or IPv6 address", "IP addresses"
}

func (k address) size() int {
	switch {
	case !k.v6:
		return 4
	case !k.v4:
		return 16
	}
	return 0
}

func (k address) append(dst []byte, d *Def, v, whole *Value) ([]byte, error) {
	a, ok := v.addr()
	if !ok || a.Is4() && !k.v4 || !a.Is4() && !k.v6 {
		return dst, d.unlike(whole)
	}
	if k.typed {
		t := byte(2)
		if a.Is4() {
			t = 1
		}
		dst = append(dst, t)
	}
	if a.Is4() {
		b := a.As4()
		return append(dst, b[:]...), nil
	}
	b := a.As16()
	return append(dst, b[:]...), nil
}

func (k address) read(b []byte) (Value, bool) {
	if k.typed {
		if len(b) == 0 {
			return Value{}, false
		}
		b = b[1:]
	}
	return addrValue(b)
}

func addrValue(b []byte) (Value, bool) {
	a, ok := netip.AddrFromSlice(b)
	return wordValue(a.String()), ok
}

// hardware is a MAC address.
type hardware struct{}

func (hardware) wants() (one, many string) {
	return "a MAC address, such as 00:11:22:33:44:55", "MAC addresses"
}

func (hardware) size() int { return 6 }

func (hardware) append(dst []byte, d *Def, v, whole *Value) ([]byte, error) {
	m, ok := v.mac()
	if !ok {
		return dst, d.unlike(whole)
	}
	return append(dst, m[:]...), nil
}

func (hardware) read(b []byte) (Value, bool) {
	s := hex.EncodeToString(b)
	var t strings.Builder
	for i := 0; i < len(s); i += 2 {
		if i > 0 {
			t.WriteByte(':')
		}
		t.WriteString(s[i : i+2])
	}
	return wordValue(t.String()), true
}

// pair is two values separated by a slash. The second has a fixed width.
type pair struct {
	first, second element
	one, many     string // returned by wants
}

var (
	addressPort = pair{
		address{v4: true, v6: true},
		suffix{octets: 2, most: 65535},
		"an address and a port, such as 10.0.0.1/161", "addresses with ports",
	}
	macMask = pair{
		hardware{},
		hardware{},
		"a MAC address and a mask, such as 00:11:22:33:44:55/ff:ff:ff:00:00:00", "MAC addresses with masks",
	}
	ipv6Prefix = pair{address{v6: true}, suffix{octets: 1, most: 128}, "an IPv6 prefix, such as 2001:db8::/32", "IPv6 prefixes"}
)

func (k pair) wants() (one, many string) { return k.one, k.many }

func (k pair) size() int {
	if k.first.size() == 0 {
		return 0
	}
	return k.first.size() + k.second.size()
}

func (k pair) append(dst []byte, d *Def, v, whole *Value) ([]byte, error) {
	a, b, ok := v.pair()
	if !ok {
		return dst, d.unlike(whole)
	}
	out, err := k.first.append(dst, d, &a, whole)
	if err != nil {
		return dst, err
	}
	return k.second.append(out, d, &b, whole)
}

func (k pair) read(b []byte) (Value, bool) {
	n := len(b) - k.second.size()
	if n <= 0 {
		return Value{}, false
	}
	first, ok1 := k.first.read(b[:n])
	second, ok2 := k.second.read(b[n:])
	return Value{Type: Pair, List: []Value{first, second}}, ok1 && ok2
}

// suffix is the number after an address: a port or a prefix length.
type suffix struct {
	octets int
	most   uint64
}

func (suffix) wants() (one, many string) { return "a number", "numbers" }

func (k suffix) size() int { return k.octets }

func (k suffix) append(dst []byte, d *Def, v, whole *Value) ([]byte, error) {
	neg, n, big, ok := v.number()
	if !ok {
		return dst, d.unlike(whole)
	}
	if neg || big || n > k.most {
		return dst, d.fail(0, v.describe()+" is out of range, 0 to "+strconv.FormatUint(k.most, 10))
	}
	for shift := 8 * (k.octets - 1); shift >= 0; shift -= 8 {
		dst = append(dst, byte(n>>shift))
	}
	return dst, nil
}

func (suffix) read(b []byte) (Value, bool) { return uintValue(b), true }
