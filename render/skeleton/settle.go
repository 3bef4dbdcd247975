package skeleton

import (
	"errors"

	"dcs/render/mic"
)

const endOfData = 255 // type of the marker that a portal's file ends in; a modem's gets it with the MICs

// settle completes a skeleton whose pieces have been compiled, and checks what can only
// be checked of the whole.
func (s *Skeleton) settle() error {
	if s.Kind != ModemFile {
		if s.Kind == PortalFile {
			s.base = append(s.base, endOfData)
		}
		if s.Kind == MTAFile && s.hash != mic.NoHash && s.vary == 0 {
			// The hash object needs the closing delimiter; it is missing now or never.
			_, err := mic.SignMTA(append([]byte(nil), s.base...), s.hash)
			return err
		}
		return nil
	}
	for i := range s.tops {
		switch t := &s.tops[i]; t.code {
		case 6, 7, 255:
			return errors.New("TLVs 6, 7 and 255 are added when the file is made; leave them out")
		case 43:
			s.ext = s.ext || extended(s.base[t.start.off:t.end.off])
		}
	}
	if s.ext {
		if s.vary > 0 {
			return nil // Sign tells
		}
		_, err := mic.Sign(append([]byte(nil), s.base...), mic.NewSecret(nil))
		return err
	}
	if s.vary == 0 {
		if _, err := mic.HasExtended(s.base); err != nil {
			return err
		}
	}
	s.freeze()
	return nil
}

// extended reports whether a TLV 43 has a sub-TLV 6.
func extended(tlv []byte) bool {
	for at := 2; at+2 <= len(tlv); at += 2 + int(tlv[at+1]) {
		if tlv[at] == 6 {
			return true
		}
	}
	return false
}
