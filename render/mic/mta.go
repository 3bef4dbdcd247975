package mic

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"fmt"
)

const (
	typeDelimiter = 254 // first and last TLV of an MTA file (PKT-SP-PROV1.5, 9.1)
	typeObject    = 11  // an SNMP varbind
	typeObject16  = 64  // an SNMP varbind with a two-octet length, in MTA files only
)

// Variant is the object that carries an MTA file's hash.
type Variant uint8

const (
	NoHash Variant = iota
	NA             // PacketCable: pktcMtaDevProvConfigHash, 1.3.6.1.4.1.4491.2.2.1.1.2.7.0
	EU             // EuroPacketCable, 1.3.6.1.4.1.7432.1.1.2.9.0
	IETF           // RFC 4682: pktcMtaDevProvConfigHash, 1.3.6.1.2.1.140.1.2.11.0
)

var variantNames = [...]string{NoHash: "none", NA: "na", EU: "eu", IETF: "ietf"}

// String returns "none", "na", "eu" or "ietf".
func (v Variant) String() string {
	if int(v) < len(variantNames) {
		return variantNames[v]
	}
	return fmt.Sprintf("Variant(%d)", uint8(v))
}

// ParseVariant is the inverse of String.
func ParseVariant(s string) (Variant, error) {
	for v, name := range variantNames {
		if s == name {
			return Variant(v), nil
		}
	}
	return NoHash, fmt.Errorf("mic: unknown MTA hash %q: na, eu, ietf or none", s)
}

// hashOIDs holds the contents octets (X.690, 8.19) of the object of each Variant.
var hashOIDs = [...]string{
	NA:   "\x2b\x06\x01\x04\x01\xa3\x0b\x02\x02\x01\x01\x02\x07\x00",
	EU:   "\x2b\x06\x01\x04\x01\xba\x08\x01\x01\x02\x09\x00",
	IETF: "\x2b\x06\x01\x02\x01\x81\x0c\x01\x02\x0b\x00",
}

// mtaLayout is the result of a walk over an MTA file.
type mtaLayout struct {
	hash    place // the TLV with the hash object, including its header
	value   place // the hash itself
	variant Variant
	closed  bool // the file ends with fe 01 ff
	last    bool // the hash is directly before fe 01 ff
}

// scanMTA walks an MTA file. Truncated TLVs and a second hash object are errors with their offsets.
func scanMTA(file []byte) (m mtaLayout, err error) {
	if len(file) < 3 || string(file[:3]) != "\xfe\x01\x01" {
		return m, errors.New("mic: not an MTA file: it does not begin with fe 01 01")
	}
	for off := 0; off < len(file); {
		width := 1
		if file[off] == typeObject16 {
			width = 2
		}
		hdr, end, err := measure(file[off:], off, width)
		if err != nil {
			return m, err
		}
		switch file[off] {
		case typeObject, typeObject16:
			v, value := hashObject(file[:end], off+hdr)
			if v == NoHash {
				break
			}
			if m.variant != NoHash {
				return m, fmt.Errorf("mic: a second hash object at offset %d, the first is at %d", off, m.hash.off)
			}
			m.variant, m.hash, m.value = v, place{off, end}, value
		case typeDelimiter:
			m.closed = end == len(file) && end-off == 3 && file[off+2] == 0xff
			m.last = m.closed && m.variant != NoHash && m.hash.end == off
		}
		off = end
	}
	return m, nil
}

// hashObject reports whether the varbind file[off:] sets one of the hash objects, and the position of its value.
func hashObject(file []byte, off int) (Variant, place) {
	seq, ok := element(file, off, 0x30)
	if !ok || seq.end != len(file) {
		return NoHash, place{}
	}
	oid, ok := element(file[:seq.end], seq.off, 0x06)
	if !ok {
		return NoHash, place{}
	}
	value, ok := element(file[:seq.end], oid.end, 0x04)
	if !ok || value.end != seq.end {
		return NoHash, place{}
	}
	name := string(file[oid.off:oid.end])
	for v := NA; v <= IETF; v++ {
		if hashOIDs[v] == name {
			return v, value
		}
	}
	return NoHash, place{}
}

// brokenHash reports whether an MTA file without a readable hash object had one: it contains the identifier of one,
// or the hash itself where an object of that size would have it.
func brokenHash(file []byte) bool {
	for _, oid := range hashOIDs[NA:] {
		if bytes.Contains(file, append([]byte{0x06, byte(len(oid))}, oid...)) {
			return true
		}
		size := 2 + 2 + 2 + len(oid) + 2 + sha1.Size
		end := len(file) - len(closing)
		if end < size || string(file[end:]) != closing {
			continue
		}
		h := sha1.New()
		h.Write(file[:end-size])
		h.Write(file[end:])
		if bytes.Equal(h.Sum(nil), file[end-sha1.Size:end]) {
			return true
		}
	}
	return false
}

// closing is the end of an MTA file.
const closing = "\xfe\x01\xff"

// element returns the position of the contents of the BER element at off, if it has that tag and fits. It accepts the
// long form of lengths with up to two octets, because encoders differ in when they use it.
func element(b []byte, off int, tag byte) (place, bool) {
	if len(b)-off < 2 || b[off] != tag {
		return place{}, false
	}
	n, at := int(b[off+1]), off+2
	switch {
	case n == 0x81 && len(b)-at >= 1:
		n, at = int(b[at]), at+1
	case n == 0x82 && len(b)-at >= 2:
		n, at = int(b[at])<<8|int(b[at+1]), at+2
	case n >= 0x80:
		return place{}, false
	}
	if n > len(b)-at {
		return place{}, false
	}
	return place{at, at + n}, true
}

// sum returns the SHA-1 over the whole file except its hash object.
func (m *mtaLayout) sum(file []byte) (sum [sha1.Size]byte) {
	h := sha1.New()
	h.Write(file[:m.hash.off])
	h.Write(file[m.hash.end:])
	h.Sum(sum[:0])
	return sum
}

// SignMTA inserts the hash of an MTA file as a TLV 11 directly before the closing fe 01 ff, and returns the file,
// modified and appended to in place (PKT-SP-PROV1.5, 9.1: SHA-1 over the file without the hash object). It replaces
// an existing hash object of any variant at any place; NoHash only removes it. Errors: a file that does not begin
// with fe 01 01 or end with fe 01 ff, or has a TLV that does not fit.
func SignMTA(file []byte, v Variant) ([]byte, error) {
	if int(v) >= len(hashOIDs) {
		return file, fmt.Errorf("mic: unknown MTA hash %v", v)
	}
	m, err := scanMTA(file)
	if err != nil {
		return file, err
	}
	if !m.closed {
		return file, errors.New("mic: the MTA file lacks its closing delimiter fe 01 ff")
	}
	file = append(file[:m.hash.off], file[m.hash.end:]...)
	if v == NoHash {
		return file, nil
	}
	sum := sha1.Sum(file)
	oid := hashOIDs[v]
	file = file[:len(file)-3]
	varbind := 2 + len(oid) + 2 + len(sum)
	file = append(file, typeObject, byte(2+varbind), 0x30, byte(varbind), 0x06, byte(len(oid)))
	file = append(file, oid...)
	file = append(file, 0x04, byte(len(sum)))
	file = append(file, sum[:]...)
	return append(file, typeDelimiter, 1, 0xff), nil
}

// CableHomeHash returns the hash of a CableHome PS file, cabhPsDevProvConfigHash: SHA-1 over the whole file. The file
// does not contain it; the provisioning server sends it by SNMP.
func CableHomeHash(file []byte) [sha1.Size]byte { return sha1.Sum(file) }
