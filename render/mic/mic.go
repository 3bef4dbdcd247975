// Package mic computes and verifies the integrity values of boot files: CM MIC, CMTS MIC and extended CMTS MIC of
// cable modems, and the hashes of MTA and CableHome files.
package mic

import (
	"errors"
	"fmt"

	"dcs/render/md5x"
)

// Types of the TLVs that are relevant here (MULPIv3.0 C.1).
const (
	typePad    = 0
	typeCM     = 6
	typeCMTS   = 7
	typeVendor = 43
	typeEnd    = 255
)

// Order is the order of types in which the CMTS MIC covers a file's TLVs (MULPIv3.0 C.1.1.6). TLVs of the same type
// are in the order of the file. It must not be modified.
var Order = [21]uint8{1, 2, 3, 4, 17, 43, 6, 18, 19, 20, 22, 23, 24, 25, 28, 29, 26, 35, 36, 37, 40}

// Walk calls f for each top-level TLV of a CM file, up to the end-of-data marker (255) or the end of the file. The
// TLV is file[off:end], its value file[off+hdr:end]. Lengths have one octet, those of TLVs 103 and 104 two; a pad (0)
// is only a type octet. Walk stops without an error when f returns false. A TLV that does not fit in the file is an
// error with its offset.
func Walk(file []byte, f func(off, hdr, end int, code uint8) bool) error {
	for off := 0; off < len(file) && file[off] != typeEnd; {
		hdr, end, err := next(file, off)
		if err != nil {
			return err
		}
		if !f(off, hdr, end, file[off]) {
			return nil
		}
		off = end
	}
	return nil
}

// next returns the header length and the end of the TLV at off, which must be less than len(file).
func next(file []byte, off int) (hdr, end int, err error) {
	switch rest := file[off:]; rest[0] {
	case typePad:
		return 1, off + 1, nil
	case 103, 104:
		return measure(rest, off, 2)
	default:
		return measure(rest, off, 1)
	}
}

// measure reads the length field, width octets wide, of the TLV at the start of rest.
func measure(rest []byte, off, width int) (hdr, end int, err error) {
	hdr = 1 + width
	if len(rest) < hdr {
		return 0, 0, fmt.Errorf("mic: TLV %d at offset %d has no length", rest[0], off)
	}
	n := int(rest[1])
	if width == 2 {
		n = n<<8 | int(rest[2])
	}
	if n > len(rest)-hdr {
		return 0, 0, fmt.Errorf("mic: TLV %d at offset %d needs %d octets of value, %d are left", rest[0], off, n, len(rest)-hdr)
	}
	return hdr, off + hdr + n, nil
}

// layout is the result of a walk over a CM file.
type layout struct {
	present  [4]uint64 // one bit for each type
	cm, cmts place     // TLVs 6 and 7
	ext      extended
	end      int // where the walk ended: offset of 255, or the file's length
}

// place is the position of a TLV; end is 0 if it is absent.
type place struct{ off, end int }

func (l *layout) has(code uint8) bool { return l.present[code>>6]>>(code&63)&1 != 0 }

// scan walks a CM file. A second TLV 6, TLV 7 or 43.6 is an error.
func scan(file []byte) (l layout, err error) {
	off := 0
	for off < len(file) && file[off] != typeEnd {
		hdr, end, err := next(file, off)
		if err != nil {
			return l, err
		}
		code := file[off]
		switch code {
		case typeCM, typeCMTS:
			if l.has(code) {
				return l, fmt.Errorf("mic: a second TLV %d at offset %d", code, off)
			}
			p := &l.cm
			if code == typeCMTS {
				p = &l.cmts
			}
			*p = place{off, end}
		case typeDelimiter: // padding before it is dropped when a file is signed again
			if l.present == [4]uint64{} || l.present == [4]uint64{1 << typePad} {
				return l, errors.New("mic: an MTA file has no CM MIC and no CMTS MIC")
			}
		case typeVendor:
			if err := l.ext.find(file[:end], off+hdr); err != nil {
				return l, err
			}
		}
		l.present[code>>6] |= 1 << (code & 63)
		off = end
	}
	l.end = off
	return l, nil
}

// CM returns the CM MIC (MULPIv3.0 C.1.1.5): MD5 without a key over body, the file up to TLV 6.
func CM(body []byte) [md5x.Size]byte { return md5x.New().Sum(body) }

// CMTS returns the CMTS MIC (MULPIv3.0 C.1.1.6): HMAC-MD5 over whole TLVs in Order. The file must contain TLV 6; TLV
// 7 and all after it are ignored. The error is that of Walk.
func (s *Secret) CMTS(file []byte) ([md5x.Size]byte, error) {
	l, err := scan(file)
	if err != nil {
		return [md5x.Size]byte{}, err
	}
	return s.cmts(file, &l), nil
}

// cmts returns the CMTS MIC of a file of known layout, which may lack TLV 6.
func (s *Secret) cmts(file []byte, l *layout) [md5x.Size]byte {
	d := md5x.From((*s.states).inner)
	for _, code := range Order {
		if !l.has(code) {
			continue
		}
		if code == typeCM {
			d.Write(file[l.cm.off:l.cm.end])
			continue
		}
		for off := 0; off < l.end; {
			_, end, err := next(file, off)
			if err != nil {
				break // cannot happen: scan has read this far
			}
			if file[off] == code {
				d.Write(file[off:end])
			}
			off = end
		}
	}
	return s.finish(&d)
}

var errNoSecret = errors.New("mic: no secret to sign with")

// Sign appends TLVs 6 and 7, the end-of-data marker and zeros up to a multiple of four octets to body, the TLVs of a
// CM file, and returns the whole file. If body has capacity for 40 more octets, Sign appends in place and does not
// allocate.
//
// If body requests an extended CMTS MIC (43.6), Sign adds it. With a 43.6.3 of sixteen octets, the digest overwrites
// these inside body (a 43.6.3 of another length is left as it is), and TLV 7 is the CMTS MIC. Without 43.6.3, TLV 7
// is the extended digest.
//
// Errors: a TLV that does not fit (as in Walk); TLV 6, 7 or 255 in body; an MTA file; a 43.6 that is duplicate,
// malformed, or for an algorithm other than HMAC-MD5.
func Sign(body []byte, s *Secret) ([]byte, error) {
	if s == nil {
		return body, errNoSecret
	}
	l, err := scan(body)
	if err != nil {
		return body, err
	}
	switch {
	case l.cm.end != 0:
		return body, fmt.Errorf("mic: already signed: TLV 6 at offset %d", l.cm.off)
	case l.cmts.end != 0:
		return body, fmt.Errorf("mic: already signed: TLV 7 at offset %d", l.cmts.off)
	case l.end != len(body):
		return body, fmt.Errorf("mic: already ended: TLV 255 at offset %d", l.end)
	}
	if err := l.ext.usable(body); err != nil {
		return body, err
	}
	if l.ext.explicit() && l.ext.computable() {
		digest := s.extended(body, &l)
		copy(body[l.ext.digest.off:l.ext.digest.end], digest[:])
	}

	cm := CM(body)
	body = append(body, typeCM, md5x.Size)
	body = append(body, cm[:]...)
	l.cm = place{l.end, len(body)}
	l.present[0] |= 1 << typeCM
	l.end = len(body)

	var cmts [md5x.Size]byte
	if l.ext.found() && !l.ext.explicit() {
		cmts = s.extended(body, &l)
	} else {
		cmts = s.cmts(body, &l)
	}
	body = append(body, typeCMTS, md5x.Size)
	body = append(body, cmts[:]...)
	return AppendEnd(body), nil
}

// AppendEnd appends the end-of-data marker (255) and zeros up to a multiple of four octets (MULPIv3.0 C.1.2.1, C.1.2.2).
func AppendEnd(body []byte) []byte {
	body = append(body, typeEnd)
	for len(body)%4 != 0 {
		body = append(body, typePad)
	}
	return body
}

// Body returns a copy of the part of file to be signed, whether or not file is signed: for a CM file, the TLVs
// without 6, 7, 255 and all padding; for an MTA file, everything but the hash object, whose variant it returns too.
func Body(file []byte) ([]byte, Variant, error) {
	body := make([]byte, 0, len(file)+40)
	if len(file) > 0 && file[0] == typeDelimiter {
		m, err := scanMTA(file)
		if err != nil {
			return nil, NoHash, err
		}
		body, err = SignMTA(append(body, file...), NoHash)
		return body, m.variant, err
	}
	err := Walk(file, func(off, _, end int, code uint8) bool {
		if code != typeCM && code != typeCMTS && code != typePad {
			body = append(body, file[off:end]...)
		}
		return true
	})
	return body, NoHash, err
}
