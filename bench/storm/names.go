package storm

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// modemAddr returns the address of modem i: the i-th of the prefix, from 0.
func modemAddr(p netip.Prefix, i int) netip.Addr {
	if p.Addr().Is4() {
		b := p.Addr().As4()
		n := uint32(b[2])<<8 | uint32(b[3])
		n += uint32(i)
		b[1] += byte(n >> 16)
		b[2], b[3] = byte(n>>8), byte(n)
		return netip.AddrFrom4(b)
	}
	b := p.Addr().As16()
	b[14] += byte(i >> 8)
	b[15] += byte(i)
	return netip.AddrFrom16(b)
}

// Names generates file names without allocating.
type Names struct {
	list  []string
	parts []part
	net   netip.Prefix
	seed  uint64
}

type part struct {
	text   string // when kind is 0
	kind   byte   // 'i', 'a' (address), 'm' (MAC), 'r' (range)
	lo, hi uint64
}

// parseNames parses a template: {i} is the modem's number from 0, {ip} its address, {mac} its MAC address (12
// hexadecimal digits: 02, and the number at the end), {7-12} a number from 7 to 12 that is drawn once for the modem.
// {cpe} and {tier} are short for {1-16} and {1-3}.
func parseNames(template string, modems netip.Prefix, seed uint64) (*Names, error) {
	n := &Names{net: modems, seed: seed}
	rest := template
	for rest != "" {
		text, after, found := strings.Cut(rest, "{")
		if text != "" {
			n.parts = append(n.parts, part{text: text})
		}
		if !found {
			break
		}
		word, tail, found := strings.Cut(after, "}")
		if !found {
			return nil, fmt.Errorf("name %q: unclosed {", template)
		}
		rest = tail
		switch word {
		case "i":
			n.parts = append(n.parts, part{kind: 'i'})
			continue
		case "ip":
			n.parts = append(n.parts, part{kind: 'a'})
			continue
		case "mac":
			n.parts = append(n.parts, part{kind: 'm'})
			continue
		case "cpe":
			word = "1-16"
		case "tier":
			word = "1-3"
		}
		lo, hi, _ := strings.Cut(word, "-")
		p := part{kind: 'r'}
		var err1, err2 error
		p.lo, err1 = strconv.ParseUint(lo, 10, 32)
		p.hi, err2 = strconv.ParseUint(hi, 10, 32)
		if err1 != nil || err2 != nil || p.lo > p.hi {
			return nil, fmt.Errorf("name %q: unknown {%s}; use {i}, {ip}, {mac}, {cpe}, {tier} or a range such as {1-16}", template, word)
		}
		n.parts = append(n.parts, p)
	}
	if len(n.parts) == 0 {
		return nil, errors.New("an empty file name")
	}
	return n, nil
}

// Append appends the name that modem i asks for.
func (n *Names) Append(dst []byte, i int) []byte { return n.append(dst, i, uint64(i)) }

// append is Append with the seed for drawn numbers apart from the modem.
func (n *Names) append(dst []byte, i int, draw uint64) []byte {
	if len(n.list) > 0 {
		return append(dst, n.list[i%len(n.list)]...)
	}
	for k, p := range n.parts {
		switch p.kind {
		case 0:
			dst = append(dst, p.text...)
		case 'i':
			dst = strconv.AppendInt(dst, int64(i), 10)
		case 'a':
			dst = modemAddr(n.net, i).AppendTo(dst)
		case 'm':
			dst = appendMAC(dst, i)
		case 'r':
			dst = strconv.AppendUint(dst, p.lo+mix(n.seed^draw<<8^uint64(k))%(p.hi-p.lo+1), 10)
		}
	}
	return dst
}

// appendMAC appends the MAC address of modem i, 12 hexadecimal digits.
func appendMAC(dst []byte, i int) []byte {
	const digits = "0123456789abcdef"
	for shift := 44; shift >= 0; shift -= 4 {
		dst = append(dst, digits[(uint64(0x02)<<40|uint64(i))>>shift&15])
	}
	return dst
}

// mix is the finalizer of SplitMix64: consecutive numbers give unrelated results.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
