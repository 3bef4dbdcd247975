package mib

import (
	"encoding/binary"
	"errors"
	"math"
	"sort"
	"strings"
	"sync/atomic"

	"dcs/render/ber"
)

// The index is one string of octets that is looked up in place, so that a start costs a few
// page faults instead of parsing. All numbers are little endian.
//
//	header  magic, then five counts and the length of the blob, 32 bits each
//	rows    one per object, sorted by label, then OID, then module
//	oids    one per distinct OID, sorted by key; key, nearest ancestor in the table, first of byOID
//	byOID   row numbers, grouped by OID
//	dict    blob offsets of values that many rows share; 0 is the empty value
//	types   named types, sorted by name, then module
//	blob    strings with a uvarint length in front, keys, lists
//
// A key is an OID with each arc base 128, the first two arcs apart, so that the octets of an
// ancestor are a prefix of a descendant's and every OID, of one arc too, has a key.
const (
	magic      = "DCSMIB\x00\x03"
	headerSize = len(magic) + 6*4
	rowSize    = 24
	oidSize    = 12
	typeSize   = 16
	noParent   = math.MaxUint32
)

// Offsets in a row: label, OID number, then five dict numbers, then four octets and another dict number.
const (
	rowLabel  = 0
	rowOID    = 4
	rowModule = 8
	rowTC     = 10
	rowEnums  = 12
	rowRanges = 14
	rowIndex  = 16
	rowKind   = 18
	rowSyntax = 19
	rowAccess = 20
	rowStatus = 21

	rowEdition = 22
)

// laterBit is set in the octet of the status for Object.Later.
const laterBit = 0x80

// Offsets in a type: name, then five dict numbers, then two octets.
const (
	typeName   = 0
	typeModule = 4
	typeEnums  = 6
	typeRanges = 8
	typeHint   = 10
	typeParent = 12
	typeSyntax = 14
	typeStatus = 15
)

var (
	accessNames = [...]string{
		"", "not-accessible", "accessible-for-notify", "read-only", "read-write", "read-create", "write-only", "not-implemented",
	}
	statusNames = [...]string{"", "current", "mandatory", "deprecated", "obsolete", "optional"}
)

type table struct {
	rows, oids, byOID, dict, types, blob string

	nRows, nOIDs, nTypes int

	objects []atomic.Pointer[Object] // by row, once they have been looked up
}

func le16(s string, i int) int { return int(s[i]) | int(s[i+1])<<8 }

func le32(s string, i int) uint32 {
	s = s[i : i+4]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

func openTable(data string) (*table, error) {
	if len(data) < headerSize || data[:len(magic)] != magic {
		return nil, errors.New("MIB index: not in this program's format")
	}
	var n [6]int
	for i := range n {
		n[i] = int(le32(data, len(magic)+4*i))
	}
	t := &table{nRows: n[0], nOIDs: n[1], nTypes: n[4]}
	rest := data[headerSize:]
	for _, part := range []struct {
		to   *string
		size int
	}{
		{&t.rows, n[0] * rowSize},
		{&t.oids, n[1] * oidSize},
		{&t.byOID, n[2] * 4},
		{&t.dict, n[3] * 4},
		{&t.types, n[4] * typeSize},
		{&t.blob, n[5]},
	} {
		if part.size > len(rest) {
			return nil, errors.New("MIB index: cut off")
		}
		*part.to, rest = rest[:part.size], rest[part.size:]
	}
	t.objects = make([]atomic.Pointer[Object], t.nRows)
	return t, nil
}

func uvarint(s string) (v uint64, n int) {
	for n < len(s) {
		c := s[n]
		v |= uint64(c&0x7f) << (7 * n)
		n++
		if c < 0x80 {
			break
		}
	}
	return v, n
}

func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// text returns the string at a blob offset.
func (t *table) text(off uint32) string {
	s := t.blob[off:]
	n, at := uvarint(s)
	return s[at : at+int(n)]
}

func (t *table) label(row int) string { return t.text(le32(t.rows, row*rowSize+rowLabel)) }

func (t *table) oidOf(row int) int { return int(le32(t.rows, row*rowSize+rowOID)) }

func (t *table) kind(row int) Kind { return Kind(t.rows[row*rowSize+rowKind]) }

func (t *table) status(row int) string { return statusNames[t.rows[row*rowSize+rowStatus]&^laterBit] }

func (t *table) later(row int) bool { return t.rows[row*rowSize+rowStatus]&laterBit != 0 }

// shared returns the dict value of one of a row's 16-bit fields; it extends to the end of the blob.
func (t *table) shared(row, field int) string { return t.dictValue(le16(t.rows, row*rowSize+field)) }

func (t *table) dictValue(id int) string {
	if id == 0 {
		return "\x00"
	}
	return t.blob[le32(t.dict, id*4):]
}

func (t *table) sharedText(row, field int) string { return dictText(t.shared(row, field)) }

func dictText(s string) string {
	n, at := uvarint(s)
	return s[at : at+int(n)]
}

func (t *table) module(row int) string { return t.sharedText(row, rowModule) }

func (t *table) edition(row int) string { return t.sharedText(row, rowEdition) }

func (t *table) key(oid int) string { return t.text(le32(t.oids, oid*oidSize)) }

// parent returns the nearest ancestor in the table, or -1.
func (t *table) parent(oid int) int {
	p := le32(t.oids, oid*oidSize+4)
	if p == noParent {
		return -1
	}
	return int(p)
}

// rowsOf returns the part of byOID for an OID.
func (t *table) rowsOf(oid int) string {
	from := le32(t.oids, oid*oidSize+8)
	to := uint32(len(t.byOID) / 4)
	if oid+1 < t.nOIDs {
		to = le32(t.oids, (oid+1)*oidSize+8)
	}
	return t.byOID[from*4 : to*4]
}

// labelled returns the rows of a label: from up to, but not including, to.
func (t *table) labelled(label string) (from, to int) {
	from = sort.Search(t.nRows, func(i int) bool { return t.label(i) >= label })
	to = from
	for to < t.nRows && t.label(to) == label {
		to++
	}
	return from, to
}

// find returns the longest prefix of key in the table, or -1.
func (t *table) find(key []byte) int {
	// The last entry that sorts up to key lies between key and its longest prefix, so that this prefix is
	// that entry or one of its ancestors.
	oid := sort.Search(t.nOIDs, func(i int) bool { return t.key(i) > string(key) }) - 1
	for oid >= 0 && !hasPrefix(key, t.key(oid)) {
		oid = t.parent(oid)
	}
	return oid
}

func hasPrefix(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == prefix
}

// keyBuf has room for the key of any OID.
type keyBuf [5 * ber.MaxArcs]byte

func appendKey(dst []byte, oid ber.OID) []byte {
	for _, arc := range oid {
		dst = appendKeyArc(dst, arc)
	}
	return dst
}

func appendKeyArc(dst []byte, arc uint32) []byte {
	shift := 0
	for shift < 28 && arc>>(shift+7) != 0 {
		shift += 7
	}
	for ; shift > 0; shift -= 7 {
		dst = append(dst, byte(arc>>shift)|0x80)
	}
	return append(dst, byte(arc)&0x7f)
}

func keyArcs(key string) int {
	n := 0
	for i := 0; i < len(key); i++ {
		if key[i] < 0x80 {
			n++
		}
	}
	return n
}

func appendKeyOID(dst ber.OID, key string) ber.OID {
	var arc uint32
	for i := 0; i < len(key); i++ {
		arc = arc<<7 | uint32(key[i]&0x7f)
		if key[i] < 0x80 {
			dst = append(dst, arc)
			arc = 0
		}
	}
	return dst
}

// object returns the object of a row, the same each time. Templates name few objects, each of them many times.
func (t *table) object(row int) *Object {
	at := &t.objects[row]
	if o := at.Load(); o != nil {
		return o
	}
	at.CompareAndSwap(nil, t.decode(row))
	return at.Load()
}

func (t *table) decode(row int) *Object {
	r := t.rows[row*rowSize : (row+1)*rowSize]
	key := t.key(t.oidOf(row))
	o := &Object{
		Label:  t.label(row),
		Module: t.module(row),
		OID:    appendKeyOID(make(ber.OID, 0, keyArcs(key)), key),
		Kind:   Kind(r[rowKind]),
		Syntax: Syntax(r[rowSyntax]),
		TC:     t.sharedText(row, rowTC),
		Enums:  decodeEnums(t.shared(row, rowEnums)),
		Ranges: decodeRanges(t.shared(row, rowRanges)),
		Access: accessNames[r[rowAccess]],
		Status: t.status(row),

		Edition: t.sharedText(row, rowEdition),
		Later:   t.later(row),
	}
	o.Index, o.Implied, o.Augments = decodeIndex(t.shared(row, rowIndex))
	return o
}

func appendString(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

func encodeEnums(enums []Enum) []byte {
	if len(enums) == 0 {
		return nil
	}
	b := binary.AppendUvarint(nil, uint64(len(enums)))
	for _, e := range enums {
		b = binary.AppendVarint(b, e.Value)
		b = appendString(b, e.Label)
	}
	return b
}

func decodeEnums(s string) []Enum {
	count, at := uvarint(s)
	if count == 0 {
		return nil
	}
	enums := make([]Enum, count)
	for i := range enums {
		v, n := uvarint(s[at:])
		at += n
		size, n := uvarint(s[at:])
		at += n
		enums[i] = Enum{Value: unzigzag(v), Label: s[at : at+int(size)]}
		at += int(size)
	}
	return enums
}

func encodeRanges(ranges []Range) []byte {
	if len(ranges) == 0 {
		return nil
	}
	b := binary.AppendUvarint(nil, uint64(len(ranges)))
	for _, r := range ranges {
		b = binary.AppendVarint(b, r.Min)
		b = binary.AppendVarint(b, r.Max)
	}
	return b
}

func decodeRanges(s string) []Range {
	count, at := uvarint(s)
	if count == 0 {
		return nil
	}
	ranges := make([]Range, count)
	for i := range ranges {
		lo, n := uvarint(s[at:])
		at += n
		hi, n := uvarint(s[at:])
		at += n
		ranges[i] = Range{Min: unzigzag(lo), Max: unzigzag(hi)}
	}
	return ranges
}

// An index is stored as text, as in the module's source: names separated by spaces, with IMPLIED before the
// last, or AUGMENTS and a row.
const (
	impliedWord  = "IMPLIED "
	augmentsWord = "AUGMENTS "
)

func encodeIndex(o *Object) []byte {
	text := strings.Join(o.Index, " ")
	switch {
	case o.Augments != "":
		text = augmentsWord + o.Augments
	case o.Implied && len(o.Index) > 0:
		last := o.Index[len(o.Index)-1]
		text = text[:len(text)-len(last)] + impliedWord + last
	}
	if text == "" {
		return nil
	}
	return appendString(nil, text)
}

func decodeIndex(s string) (names []string, implied bool, augments string) {
	n, at := uvarint(s)
	return parseIndex(s[at : at+int(n)])
}

func parseIndex(text string) (names []string, implied bool, augments string) {
	if text == "" {
		return nil, false, ""
	}
	if row, ok := strings.CutPrefix(text, augmentsWord); ok {
		return nil, false, row
	}
	names = strings.Split(text, " ")
	if n := len(names); n > 1 && names[n-2]+" " == impliedWord {
		names[n-2] = names[n-1]
		return names[:n-1], true, ""
	}
	return names, false, ""
}
