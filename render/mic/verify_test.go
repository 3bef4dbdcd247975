package mic

import (
	"bytes"
	"fmt"
	"testing"
)

func TestVerify(t *testing.T) {
	s := NewSecret([]byte("DOCSIS"))
	good := unhex(t, golden[0].want)
	change := func(at int) []byte {
		f := bytes.Clone(good)
		f[at] ^= 1
		return f
	}
	for _, tt := range []struct {
		name      string
		file      []byte
		secret    *Secret
		cm, cmts  Verdict
		wantNotes int
	}{
		{"good", good, s, Valid, Valid, 0},
		{"no secret", good, nil, Valid, Unchecked, 0},
		{"another secret", good, NewSecret(nil), Valid, Invalid, 0},
		{"a value changed", change(2), s, Invalid, Invalid, 0},
		{"CM MIC changed", change(8), s, Invalid, Invalid, 0},
		{"CMTS MIC changed", change(30), s, Valid, Invalid, 0},
		{"not signed", []byte{3, 1, 1, 255}, s, Absent, Absent, 0},
		{"CM MIC alone", append(bytes.Clone(good[:21]), 255, 0, 0), s, Valid, Absent, 0},
		{"no end", good[:39], s, Valid, Valid, 1},
		{"not padded", append(bytes.Clone(good), 0), s, Valid, Valid, 1},
		{"data after the end", append(bytes.Clone(good), 0, 0, 0, 5), s, Valid, Valid, 1},
		{"short CM MIC", []byte{3, 1, 1, 6, 1, 0xa3, 255, 0}, s, Invalid, Absent, 0},
		// NetworkAccess, then TLV 18, which neither MIC covers where it stands after TLV 6, but the CMTS MIC does by type.
		{"TLV after the CM MIC", bytes.Join([][]byte{good[:21], {18, 1, 5}, good[21:39], {255, 0}}, nil), s, Valid, Invalid, 1},
	} {
		r, err := Verify(tt.file, tt.secret)
		if err != nil || r.CM.Verdict != tt.cm || r.CMTS.Verdict != tt.cmts || len(r.Notes) != tt.wantNotes || r.Extended.Verdict != Absent {
			t.Errorf("%s: %+v, %v", tt.name, r, err)
		}
		if bad := tt.cm == Invalid || tt.cmts == Invalid; r.OK() == bad {
			t.Errorf("%s: OK() = %v", tt.name, r.OK())
		}
	}
	r, err := Verify(change(8), s)
	if err != nil || !bytes.Equal(r.CM.Want, good[5:21]) || bytes.Equal(r.CM.Found, r.CM.Want) {
		t.Errorf("found %x, want %x, %v", r.CM.Found, r.CM.Want, err)
	}
	if got := fmt.Sprint(r.CM, r.Extended); got != "INVALID absent" {
		t.Errorf("results print as %q", got)
	}
}

// TestVerifySwapped: TLV 7 before TLV 6 is not part of the CM MIC.
func TestVerifySwapped(t *testing.T) {
	good := unhex(t, golden[0].want)
	file := bytes.Join([][]byte{good[:3], good[21:39], good[3:21], {255}}, nil)
	r, err := Verify(file, NewSecret([]byte("DOCSIS")))
	if err != nil || r.CM.Verdict != Valid || r.CMTS.Verdict != Valid || len(r.Notes) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestVerifyErrors(t *testing.T) {
	for _, file := range []string{"0304", "030101 0601aa 0601aa", "fe0102", "fe0101 0b05"} {
		if r, err := Verify(unhex(t, file), nil); err == nil {
			t.Errorf("%s: no error, %+v", file, r)
		}
	}
}

// TestVerifyUnsupported: an algorithm that Sign refuses is unchecked, with the reason.
func TestVerifyUnsupported(t *testing.T) {
	body := unhex(t, "030101 2b0d 0803ffffff 0606 010102 020110")
	file := bytes.Join([][]byte{body, cm(body), {7, 4, 1, 2, 3, 4}, {255, 0}}, nil)
	r, err := Verify(file, NewSecret(nil))
	if err != nil || r.CM.Verdict != Valid || r.Extended.Verdict != Unchecked || r.CMTS.Verdict != Unchecked || r.CMTS.Note == "" {
		t.Errorf("%+v, %v", r, err)
	}
}
