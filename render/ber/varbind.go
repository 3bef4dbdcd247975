package ber

import (
	"errors"
	"fmt"
)

// Tag is a BER identifier octet.
type Tag byte

// The tags of SNMP values: universal ones, and the application-specific ones of RFC 2578, section 2.
const (
	Integer     Tag = 0x02 // Integer32 and INTEGER
	BitString   Tag = 0x03 // of SNMPv1 drafts; BITS are an OctetString
	OctetString Tag = 0x04 // also BITS
	Null        Tag = 0x05
	ObjectID    Tag = 0x06
	Sequence    Tag = 0x30
	IPAddress   Tag = 0x40
	Counter32   Tag = 0x41
	Gauge32     Tag = 0x42 // also Unsigned32
	TimeTicks   Tag = 0x43
	Opaque      Tag = 0x44
	Counter64   Tag = 0x46
)

// String returns the tag's name in the template language, or the tag in hexadecimal.
func (t Tag) String() string {
	switch t {
	case Integer:
		return "Integer"
	case BitString:
		return "BitString"
	case OctetString:
		return "String"
	case Null:
		return "Null"
	case ObjectID:
		return "ObjectID"
	case Sequence:
		return "Sequence"
	case IPAddress:
		return "IPAddress"
	case Counter32:
		return "Counter32"
	case Gauge32:
		return "Gauge32"
	case TimeTicks:
		return "TimeTicks"
	case Opaque:
		return "Opaque"
	case Counter64:
		return "Counter64"
	}
	return fmt.Sprintf("tag 0x%02x", byte(t))
}

// AppendInt appends the contents octets of an INTEGER: two's complement in the fewest octets (X.690, section
// 8.3).
func AppendInt(dst []byte, v int64) []byte {
	n := 1
	for n < 8 && v>>(8*n-1) != 0 && v>>(8*n-1) != -1 {
		n++
	}
	for n--; n >= 0; n-- {
		dst = append(dst, byte(v>>(8*n)))
	}
	return dst
}

// AppendUint appends the contents octets of an unsigned value: the fewest octets, with a leading zero if the
// top bit would make it negative.
func AppendUint(dst []byte, v uint64) []byte {
	n := 1
	for n < 9 && v>>(8*n-1) != 0 {
		n++
	}
	for n--; n >= 0; n-- {
		dst = append(dst, byte(v>>(8*n)))
	}
	return dst
}

// DecodeInt decodes the contents octets of an INTEGER of up to 64 bits, in any number of octets.
func DecodeInt(b []byte) (int64, error) {
	if len(b) == 0 {
		return 0, errors.New("integer without octets")
	}
	for len(b) > 8 && (b[0] == 0 && b[1] < 0x80 || b[0] == 0xff && b[1] > 0x7f) {
		b = b[1:]
	}
	if len(b) > 8 {
		return 0, errors.New("integer wider than 64 bits")
	}
	v := int64(int8(b[0]))
	for _, c := range b[1:] {
		v = v<<8 | int64(c)
	}
	return v, nil
}

// DecodeUint decodes the contents octets of an unsigned value of up to 64 bits, in any number of octets. One whose top bit is set is
// read as if a zero preceded it, if it has 4 or 8 octets: some encoders leave the zero out.
func DecodeUint(b []byte) (uint64, error) {
	switch {
	case len(b) == 0:
		return 0, errors.New("unsigned value without octets")
	case b[0] > 0x7f && len(b) != 4 && len(b) != 8:
		return 0, errors.New("unsigned value is negative")
	}
	for len(b) > 8 && b[0] == 0 {
		b = b[1:]
	}
	if len(b) > 8 {
		return 0, errors.New("unsigned value wider than 64 bits")
	}
	var v uint64
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v, nil
}

// AppendTLV appends tag, length and value. The length has the fewest octets (X.690, section 8.1.3).
func AppendTLV(dst []byte, tag Tag, value []byte) []byte {
	dst = append(dst, byte(tag))
	dst = appendLength(dst, len(value))
	return append(dst, value...)
}

func appendLength(dst []byte, n int) []byte {
	switch {
	case n < 0x80:
		return append(dst, byte(n))
	case n <= 0xff:
		return append(dst, 0x81, byte(n))
	case n <= 0xffff:
		return append(dst, 0x82, byte(n>>8), byte(n))
	case n <= 0xffffff:
		return append(dst, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	return append(dst, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

func lengthSize(n int) int {
	switch {
	case n < 0x80:
		return 1
	case n <= 0xff:
		return 2
	case n <= 0xffff:
		return 3
	case n <= 0xffffff:
		return 4
	}
	return 5
}

// AppendVarbind appends SEQUENCE { OID, value } exactly as the open docsis encoder does. oid holds the
// contents octets of the object identifier, arcs is the number of its arcs, and value holds contents octets.
// It does not allocate if dst has room.
//
// The inner lengths are as short as possible. The outer one is peculiar: with an OCTET STRING it has one
// octet only if the string's length plus arcs plus 8 is below 127, and otherwise the long form of two (30 82
// hh ll), even where one would do. With other types it has one octet as long as that is enough. Where that
// encoder would write an invalid single octet of 128 or more (long sub-identifiers), this function writes 30
// 82.
func AppendVarbind(dst, oid []byte, arcs int, tag Tag, value []byte) []byte {
	n := 2 + lengthSize(len(oid)) + len(oid) + lengthSize(len(value)) + len(value)
	switch {
	case n < 0x80 && (tag != OctetString || len(value)+arcs+8 < 127):
		dst = append(dst, byte(Sequence), byte(n))
	case n <= 0xffff:
		dst = append(dst, byte(Sequence), 0x82, byte(n>>8), byte(n))
	default:
		dst = append(dst, byte(Sequence))
		dst = appendLength(dst, n)
	}
	dst = AppendTLV(dst, ObjectID, oid)
	return AppendTLV(dst, tag, value)
}

// Varbind is one SNMP variable binding. Value holds the contents octets.
type Varbind struct {
	OID   OID
	Tag   Tag
	Value []byte
}

// ParseVarbind parses one variable binding, which must fill b. Short and long lengths are accepted,
// indefinite ones are not. Errors include the offset in b. Value aliases b. AppendVarbind need not reproduce
// the octets of another encoder.
func ParseVarbind(b []byte) (Varbind, error) {
	tag, seq, end, err := parseTLV(b, 0)
	if err != nil {
		return Varbind{}, err
	}
	if tag != Sequence {
		return Varbind{}, fmt.Errorf("offset 0: %v where a Sequence begins a varbind", tag)
	}
	if end != len(b) {
		return Varbind{}, fmt.Errorf("offset %d: %d octets after the varbind", end, len(b)-end)
	}
	tag, name, next, err := parseTLV(b, end-len(seq))
	if err != nil {
		return Varbind{}, err
	}
	if tag != ObjectID {
		return Varbind{}, fmt.Errorf("offset %d: %v where the varbind's ObjectID belongs", end-len(seq), tag)
	}
	oid, err := DecodeOID(name)
	if err != nil {
		return Varbind{}, fmt.Errorf("varbind's ObjectID at offset %d: %w", next-len(name), err)
	}
	tag, value, last, err := parseTLV(b, next)
	if err != nil {
		return Varbind{}, err
	}
	if last != end {
		return Varbind{}, fmt.Errorf("offset %d: %d octets after the varbind's value", last, end-last)
	}
	return Varbind{OID: oid, Tag: tag, Value: value}, nil
}

// ParseTLV parses the element at the start of b and returns its length in octets. value aliases b. Errors
// include the offset in b.
func ParseTLV(b []byte) (tag Tag, value []byte, n int, err error) {
	return parseTLV(b, 0)
}

// parseTLV parses the element at offset off and returns the offset after it.
func parseTLV(b []byte, off int) (tag Tag, value []byte, end int, err error) {
	if len(b)-off < 2 {
		return 0, nil, 0, fmt.Errorf("offset %d: %d octets left, tag and length want 2", off, len(b)-off)
	}
	if b[off]&0x1f == 0x1f {
		return 0, nil, 0, fmt.Errorf("offset %d: tag of several octets", off)
	}
	tag = Tag(b[off])
	at := off + 1
	n := int(b[at])
	at++
	if n >= 0x80 {
		octets := n & 0x7f
		switch {
		case octets == 0:
			return 0, nil, 0, fmt.Errorf("offset %d: indefinite length", off+1)
		case octets > len(b)-at:
			return 0, nil, 0, fmt.Errorf("offset %d: length is cut off", off+1)
		}
		n = 0
		for _, c := range b[at : at+octets] {
			if n > 0xffffff {
				return 0, nil, 0, fmt.Errorf("offset %d: length wider than 32 bits", off+1)
			}
			n = n<<8 | int(c)
		}
		at += octets
	}
	if n > len(b)-at {
		return 0, nil, 0, fmt.Errorf("offset %d: value of %d octets, %d are left", off, n, len(b)-at)
	}
	return tag, b[at : at+n : at+n], at + n, nil
}
