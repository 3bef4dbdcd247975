// Package ber encodes and decodes the subset of BER (X.690) used by SNMP variable bindings in boot files.
package ber

import (
	"errors"
	"fmt"
	"strconv"
)

// MaxArcs is the largest number of sub-identifiers in an object identifier (RFC 2578, section 3.5).
const MaxArcs = 128

// OID is an object identifier, one element per arc.
type OID []uint32

// String returns the dotted form without a leading dot, as in "1.3.6.1".
func (o OID) String() string {
	return string(o.AppendText(make([]byte, 0, 8*len(o))))
}

// AppendText appends the dotted form without a leading dot.
func (o OID) AppendText(dst []byte) []byte {
	for i, arc := range o {
		if i > 0 {
			dst = append(dst, '.')
		}
		dst = strconv.AppendUint(dst, uint64(arc), 10)
	}
	return dst
}

// Check returns an error if the OID cannot be encoded: it must have 1 to MaxArcs arcs, of which the first is
// 0 to 2, and the second 0 to 39 under 0 and 1 (X.660, clause 7.6).
func (o OID) Check() error {
	switch {
	case len(o) == 0:
		return errors.New("empty object identifier")
	case len(o) > MaxArcs:
		return fmt.Errorf("object identifier of %d arcs, at most %d are allowed", len(o), MaxArcs)
	case o[0] > 2:
		return fmt.Errorf("first arc %d, only 0, 1 and 2 exist", o[0])
	case len(o) > 1 && o[0] < 2 && o[1] > 39:
		return fmt.Errorf("second arc %d, at most 39 under %d", o[1], o[0])
	}
	return nil
}

// ParseOID parses dotted numbers, with or without a leading dot. Each arc is 0 to 4294967295. The result
// passes Check.
func ParseOID(s string) (OID, error) {
	rest := s
	if rest != "" && rest[0] == '.' {
		rest = rest[1:]
	}
	oid := make(OID, 0, 16)
	for {
		arc, n, err := parseArc(rest)
		if err != nil {
			return nil, fmt.Errorf("object identifier %q: %w", s, err)
		}
		if len(oid) == MaxArcs {
			return nil, fmt.Errorf("object identifier %q: more than %d arcs", s, MaxArcs)
		}
		oid = append(oid, arc)
		if n == len(rest) {
			break
		}
		if rest[n] != '.' {
			return nil, fmt.Errorf("object identifier %q: %q is not a digit", s, rest[n])
		}
		rest = rest[n+1:]
	}
	if err := oid.Check(); err != nil {
		return nil, fmt.Errorf("object identifier %q: %w", s, err)
	}
	return oid, nil
}

// parseArc parses the decimal number at the start of s and returns its length in octets.
func parseArc(s string) (arc uint32, n int, err error) {
	var v uint64
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		v = v*10 + uint64(s[n]-'0')
		n++
		if v > 1<<32-1 {
			return 0, n, errors.New("an arc does not fit in 32 bits, 0 to 4294967295")
		}
	}
	if n == 0 {
		return 0, 0, errors.New("an arc is missing")
	}
	return uint32(v), n, nil
}

// AppendOID appends the contents octets of an object identifier (X.690, section 8.19): the first two arcs
// form one sub-identifier, and each sub-identifier is in base 128, most significant digit first. A single arc
// is encoded as if followed by .0, as net-snmp does. The OID must pass Check.
func AppendOID(dst []byte, oid OID) []byte {
	if len(oid) == 0 {
		return dst
	}
	first := uint64(oid[0]) * 40
	if len(oid) == 1 {
		return appendBase128(dst, first)
	}
	dst = appendBase128(dst, first+uint64(oid[1]))
	for _, arc := range oid[2:] {
		dst = appendBase128(dst, uint64(arc))
	}
	return dst
}

func appendBase128(dst []byte, v uint64) []byte {
	shift := 0
	for v>>(shift+7) != 0 {
		shift += 7
	}
	for ; shift > 0; shift -= 7 {
		dst = append(dst, byte(v>>shift)|0x80)
	}
	return append(dst, byte(v)&0x7f)
}

// DecodeOID decodes the contents octets of an object identifier. Errors: no octets, a sub-identifier that is
// truncated, padded with 0x80 or wider than 32 bits, more than MaxArcs arcs.
func DecodeOID(b []byte) (OID, error) {
	if len(b) == 0 {
		return nil, errors.New("empty object identifier")
	}
	oid := make(OID, 0, min(len(b)+1, MaxArcs))
	for i := 0; i < len(b); {
		start := i
		if b[i] == 0x80 {
			return nil, fmt.Errorf("offset %d: sub-identifier with a leading 0x80", i)
		}
		var v uint64
		for {
			v = v<<7 | uint64(b[i]&0x7f)
			if v > 1<<32-1+80 {
				return nil, fmt.Errorf("offset %d: sub-identifier wider than 32 bits", start)
			}
			i++
			if b[i-1] < 0x80 {
				break
			}
			if i == len(b) {
				return nil, fmt.Errorf("offset %d: sub-identifier is cut off", start)
			}
		}
		if start == 0 {
			top := min(v/40, 2)
			oid = append(oid, uint32(top))
			v -= top * 40
		}
		if v > 1<<32-1 {
			return nil, fmt.Errorf("offset %d: sub-identifier wider than 32 bits", start)
		}
		if len(oid) == MaxArcs {
			return nil, fmt.Errorf("offset %d: more than %d arcs", start, MaxArcs)
		}
		oid = append(oid, uint32(v))
	}
	return oid, nil
}
