package mic

import (
	"errors"
	"fmt"

	"dcs/render/md5x"
)

// Algorithms of 43.6.1 (MULPIv3.0 C.1.1.18.1.6.1).
const (
	algHMACMD5 = 1
	algMMH16   = 2
	algVendor  = 43
)

// extended is the configuration of the extended CMTS MIC (43.6, MULPIv3.0 C.1.1.18.1.6) as offsets into the file.
type extended struct {
	whole               place // 43.6
	alg, bitmap, digest place // values of 43.6.1, 43.6.2, 43.6.3
}

func (e *extended) found() bool    { return e.whole.end != 0 }
func (e *extended) explicit() bool { return e.digest.end != 0 }

// computable reports whether an explicit digest has the length that HMAC-MD5 gives.
func (e *extended) computable() bool { return e.digest.end-e.digest.off == md5x.Size }

// find looks for 43.6 in the TLV 43 whose value is tlv[off:]. Only the general extension information (vendor ID
// ffffff, which comes first) can contain it; under another vendor ID, sub-TLV 6 is that vendor's own.
func (e *extended) find(tlv []byte, off int) error {
	if v := tlv[off:]; len(v) < 5 || string(v[:5]) != "\x08\x03\xff\xff\xff" {
		return nil
	}
	for off < len(tlv) {
		hdr, end, err := measure(tlv[off:], off, 1)
		if err != nil {
			return fmt.Errorf("%w, in TLV 43", err)
		}
		if tlv[off] == 6 {
			if e.found() {
				return fmt.Errorf("mic: a second extended CMTS MIC configuration (43.6) at offset %d", off)
			}
			e.whole = place{off, end}
			if err := e.parse(tlv[:end], off+hdr); err != nil {
				return err
			}
		}
		off = end
	}
	return nil
}

func (e *extended) parse(tlv []byte, off int) error {
	for off < len(tlv) {
		hdr, end, err := measure(tlv[off:], off, 1)
		if err != nil {
			return fmt.Errorf("%w, in 43.6", err)
		}
		var p *place
		switch tlv[off] {
		case 1:
			p = &e.alg
		case 2:
			p = &e.bitmap
		case 3:
			p = &e.digest
		}
		if p != nil {
			if p.end != 0 {
				return fmt.Errorf("mic: a second 43.6.%d at offset %d", tlv[off], off)
			}
			*p = place{off + hdr, end}
		}
		off = end
	}
	return nil
}

// usable returns an error if the digest that e requests cannot be computed.
func (e *extended) usable(file []byte) error {
	switch {
	case !e.found():
		return nil
	case e.alg.end-e.alg.off != 1:
		return fmt.Errorf("mic: 43.6 at offset %d names no algorithm; add a 43.6.1 of one octet, 1 for HMAC-MD5", e.whole.off)
	case e.bitmap.end == 0:
		return fmt.Errorf("mic: 43.6 at offset %d has no bitmap (43.6.2)", e.whole.off)
	}
	switch alg := file[e.alg.off]; alg {
	case algHMACMD5:
	case algMMH16:
		return errors.New("mic: extended CMTS MIC: MMH16-sigma-n (43.6.1 = 2) is not supported; use HMAC-MD5 (1)")
	case algVendor:
		return errors.New("mic: extended CMTS MIC: a vendor's algorithm (43.6.1 = 43) is not supported; use HMAC-MD5 (1)")
	default:
		return fmt.Errorf("mic: extended CMTS MIC: unknown algorithm %d in 43.6.1; use HMAC-MD5 (1)", alg)
	}
	if e.explicit() && !e.computable() {
		return nil // no digest is computed
	}
	if e.covers(file, typeCMTS) {
		return errors.New("mic: extended CMTS MIC: the bitmap has bit 7 set, but TLV 7 is computed last and cannot be covered")
	}
	if e.explicit() && e.covers(file, typeCM) {
		return errors.New("mic: extended CMTS MIC: the bitmap has bit 6 set, but TLV 6 covers 43.6.3 and cannot be covered itself")
	}
	return nil
}

// covers reports whether the bitmap selects a type. Bit n stands for type n; bit 0 is the most significant bit of the
// first octet.
func (e *extended) covers(file []byte, code uint8) bool {
	bits := file[e.bitmap.off:e.bitmap.end]
	return int(code>>3) < len(bits) && bits[code>>3]&(0x80>>(code&7)) != 0
}

var zeros [md5x.Size]byte

// extended returns the extended CMTS MIC (MULPIv3.0 C.1.1.18.1.6): HMAC-MD5 over the selected TLVs in the order of
// the file, with zeros for the value of 43.6.3.
func (s *Secret) extended(file []byte, l *layout) [md5x.Size]byte {
	e := &l.ext
	d := md5x.From((*s.states).inner)
	for off := 0; off < l.end; {
		_, end, err := next(file, off)
		if err != nil {
			break // cannot happen: scan has read this far
		}
		switch code := file[off]; {
		case code == typePad || !e.covers(file, code):
		case e.explicit() && off < e.digest.off && e.digest.end <= end:
			d.Write(file[off:e.digest.off])
			d.Write(zeros[:])
			d.Write(file[e.digest.end:end])
		default:
			d.Write(file[off:end])
		}
		off = end
	}
	return s.finish(&d)
}

// HasExtended reports whether the TLVs of a CM file request an extended CMTS MIC (43.6). It returns the error with
// which Sign would reject them.
func HasExtended(body []byte) (bool, error) {
	l, err := scan(body)
	if err != nil {
		return false, err
	}
	return l.ext.found(), l.ext.usable(body)
}
