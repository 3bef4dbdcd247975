package mic

import (
	"fmt"
	"strings"
)

// families are the contents octets with which the objects of each Variant's MTA module begin.
var families = [...]string{
	NA:   "\x2b\x06\x01\x04\x01\xa3\x0b\x02\x02\x01", // PKTC-MTA-MIB, 1.3.6.1.4.1.4491.2.2.1
	EU:   "\x2b\x06\x01\x04\x01\xba\x08",             // 1.3.6.1.4.1.7432
	IETF: "\x2b\x06\x01\x02\x01\x81\x0c",             // PKTC-IETF-MTA-MIB, 1.3.6.1.2.1.140
}

// HashObject returns which hash object a TLV at the top of an MTA file sets; NoHash: none.
func HashObject(tlv []byte) Variant {
	head := 2
	if len(tlv) > 0 && tlv[0] == typeObject16 {
		head = 3
	}
	if len(tlv) < head || tlv[0] != typeObject && tlv[0] != typeObject16 {
		return NoHash
	}
	v, _ := hashObject(tlv, head)
	return v
}

// Unlike returns why a hash object is not of the family of MIB modules that the other objects of an MTA file are of, with the variant
// that is; "": it is, or there are none. An MTA ignores a hash that its module does not have.
func (v Variant) Unlike(file []byte) string {
	var seen [len(families)]bool
	for off := 0; off < len(file); {
		width := 1
		if file[off] == typeObject16 {
			width = 2
		}
		hdr, end, err := measure(file[off:], off, width)
		if err != nil {
			return "" // told elsewhere
		}
		if seq, ok := element(file[:end], off+hdr, 0x30); ok && HashObject(file[off:end]) == NoHash {
			if oid, ok := element(file[:seq.end], seq.off, 0x06); ok {
				for f := NA; f <= IETF; f++ {
					seen[f] = seen[f] || strings.HasPrefix(string(file[oid.off:oid.end]), families[f])
				}
			}
		}
		off = end
	}
	if v == NoHash || seen[v] {
		return ""
	}
	for f := NA; f <= IETF; f++ {
		if seen[f] {
			return fmt.Sprintf("hash %v, but the file's objects are of the MIB modules of %v: MTAs that know these look for hash %[2]v", v, f)
		}
	}
	return ""
}
