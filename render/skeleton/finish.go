package skeleton

import (
	"errors"
	"strings"

	"dcs/render/mic"
)

const endOfData = 255 // type of the end marker of a portal's file; a modem's file gets it with the MICs

// finish completes a compiled skeleton, and checks what can only be checked in the whole file, as far as it does not
// depend on the request.
func (s *Skeleton) finish() error {
	if s.Kind != ModemFile {
		if s.Kind == PortalFile {
			s.base = append(s.base, endOfData)
		}
		if s.Kind == MTAFile && s.hash != mic.NoHash {
			// The hash object requires the closing delimiter, which no request can add.
			_, err := mic.SignMTA(s.constant(), s.hash)
			return err
		}
		return nil
	}
	for i := range s.tops {
		switch t := &s.tops[i]; t.code {
		case 6, 7, 255:
			return errors.New("TLVs 6, 7 and 255 are added by the compiler; leave them out")
		case 43:
			s.ext = s.ext || s.extended(t)
		}
	}
	_, err := mic.Sign(s.constant(), blank)
	return err
}

// blank is a secret for trial signing.
var blank = mic.NewSecret(nil)

// constant returns a copy of the octets that no request changes. It contains a top-level TLV with a slot, but without
// its value.
func (s *Skeleton) constant() []byte {
	out := make([]byte, 0, len(s.base)+64) // room for the MICs or the hash object
	at := 0
	for i := range s.tops {
		t := &s.tops[i]
		if t.change < 0 {
			continue
		}
		out = append(append(out, s.base[at:t.start.off]...), t.code, 0)
		if s.Kind == ModemFile && (t.code == 103 || t.code == 104) || s.Kind == MTAFile && t.code == 64 {
			out = append(out, 0) // a length of two octets
		}
		at = t.end.off
	}
	return append(out, s.base[at:]...)
}

// fail returns the fault of a file that cannot be signed.
func (s *Skeleton) fail(err error) *Fault {
	f := s.broken
	f.Text = strings.TrimPrefix(err.Error(), "mic: ")
	return &f
}

// extended reports whether a TLV 43 has a sub-TLV 6. The length of a sub-TLV with slots of varying width, which have no
// octets yet, is in its fixup.
func (s *Skeleton) extended(t *topTLV) bool {
	for at := t.start.off + 2; at+2 <= t.end.off; {
		if s.base[at] == 6 {
			return true
		}
		n := int(s.base[at+1])
		for i := range s.fixups {
			if f := &s.fixups[i]; f.at.off == at+1 {
				n = f.fixed
			}
		}
		at += 2 + n
	}
	return false
}
