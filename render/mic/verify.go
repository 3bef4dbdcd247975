package mic

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"fmt"

	"dcs/render/md5x"
)

// Verdict is the result of verifying one integrity value.
type Verdict uint8

const (
	Absent    Verdict = iota // the file has none
	Valid                    // as computed
	Invalid                  // not as computed
	Unchecked                // present, but not computable: no secret, or an unsupported algorithm
)

// String returns "absent", "valid", "INVALID" or "unchecked".
func (v Verdict) String() string {
	switch v {
	case Absent:
		return "absent"
	case Valid:
		return "valid"
	case Invalid:
		return "INVALID"
	case Unchecked:
		return "unchecked"
	}
	return fmt.Sprintf("Verdict(%d)", uint8(v))
}

// Result is one verified integrity value. It prints as its verdict.
type Result struct {
	Verdict
	Found []byte // value in the file; aliases the file
	Want  []byte // computed value; nil if Absent or Unchecked
	Note  string // remark, or empty
}

// Report is the result of Verify. A CM file has CM, CMTS and possibly Extended, an MTA file has MTA.
type Report struct {
	CM       Result // TLV 6
	CMTS     Result // TLV 7
	Extended Result // 43.6: its 43.6.3, or TLV 7 if it has none
	MTA      Result // the hash object
	// MTAVariant is the variant of the hash object found.
	MTAVariant Variant
	// Notes describes what is unusual about the file, apart from integrity values.
	Notes []string
}

// OK reports whether no value is Invalid.
func (r *Report) OK() bool {
	return r.CM.Verdict != Invalid && r.CMTS.Verdict != Invalid && r.Extended.Verdict != Invalid && r.MTA.Verdict != Invalid
}

// Verify verifies the integrity values of a CM file, or of an MTA file (one that begins with TLV 254). Without a
// secret, the keyed ones are Unchecked. A file that cannot be walked is an error, and the report is empty.
func Verify(file []byte, s *Secret) (Report, error) {
	if len(file) > 0 && file[0] == typeDelimiter {
		return verifyMTA(file)
	}
	var r Report
	l, err := scan(file)
	if err != nil {
		return r, err
	}
	switch tail := file[l.end:]; {
	case len(tail) == 0:
		r.Notes = append(r.Notes, "no end-of-data marker (255)")
	case len(bytes.Trim(tail[1:], "\x00")) != 0:
		r.Notes = append(r.Notes, fmt.Sprintf("octets other than zeros after the end-of-data marker at offset %d", l.end))
	case len(file)%4 != 0:
		r.Notes = append(r.Notes, "not padded to a multiple of four octets")
	}

	if l.cm.end != 0 {
		d := md5x.From(md5x.New())
		if l.cmts.end != 0 && l.cmts.off < l.cm.off {
			r.Notes = append(r.Notes, "TLV 7 comes before TLV 6")
			d.Write(file[:l.cmts.off])
			d.Write(file[l.cmts.end:l.cm.off])
		} else {
			d.Write(file[:l.cm.off])
		}
		r.CM.set(file[l.cm.off+2:l.cm.end], d.Sum())
	}
	if at := uncovered(file, &l); at >= 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("the CM MIC does not cover TLV %d at offset %d", file[at], at))
	}

	unusable := l.ext.usable(file)
	check := func(res *Result, found []byte, mac func([]byte, *layout) [md5x.Size]byte, why error) {
		switch {
		case why != nil:
			*res = Result{Verdict: Unchecked, Found: found, Note: why.Error()}
		case s == nil:
			*res = Result{Verdict: Unchecked, Found: found, Note: "no secret"}
		default:
			res.set(found, mac(file, &l))
		}
	}
	var found []byte
	if l.cmts.end != 0 {
		found = file[l.cmts.off+2 : l.cmts.end]
	}
	switch {
	case l.ext.explicit():
		if unusable == nil && !l.ext.computable() {
			unusable = errors.New("43.6.3 is not of the 16 octets that HMAC-MD5 gives")
		}
		check(&r.Extended, file[l.ext.digest.off:l.ext.digest.end], s.extended, unusable)
	case l.ext.found() && found != nil:
		check(&r.Extended, found, s.extended, unusable)
	}
	switch {
	case found == nil:
	case l.ext.found() && !l.ext.explicit():
		r.CMTS = r.Extended
		if r.CMTS.Note == "" {
			r.CMTS.Note = "TLV 7 is the extended CMTS MIC"
		}
	default:
		check(&r.CMTS, found, s.cmts, nil)
	}
	return r, nil
}

// set compares an integrity value with the computed one.
func (r *Result) set(found []byte, want [md5x.Size]byte) {
	r.Verdict, r.Found, r.Want = Invalid, found, want[:]
	if bytes.Equal(found, r.Want) {
		r.Verdict = Valid
	}
}

// uncovered returns the offset of the first TLV after TLV 6, other than 7 and pads, or -1.
func uncovered(file []byte, l *layout) int {
	if l.cm.end == 0 {
		return -1
	}
	for off := l.cm.end; off < l.end; {
		_, end, err := next(file, off)
		if err != nil {
			break // cannot happen: scan has read this far
		}
		if file[off] != typeCMTS && file[off] != typePad {
			return off
		}
		off = end
	}
	return -1
}

func verifyMTA(file []byte) (Report, error) {
	var r Report
	m, err := scanMTA(file)
	if err != nil {
		return r, err
	}
	if !m.closed {
		r.Notes = append(r.Notes, "no closing delimiter (fe 01 ff) at the end")
	}
	if m.variant == NoHash {
		if brokenHash(file) {
			r.MTA = Result{Verdict: Invalid, Note: "there is a hash, but not in an object that an MTA could read"}
		}
		return r, nil
	}
	r.MTAVariant = m.variant
	want := m.sum(file)
	r.MTA = Result{Verdict: Invalid, Found: file[m.value.off:m.value.end], Want: want[:]}
	switch {
	case len(r.MTA.Found) != sha1.Size:
		r.MTA.Note = fmt.Sprintf("the hash has %d octets, not %d", len(r.MTA.Found), sha1.Size)
	case bytes.Equal(r.MTA.Found, r.MTA.Want):
		r.MTA.Verdict = Valid
	}
	if !m.last && r.MTA.Note == "" {
		r.MTA.Note = fmt.Sprintf("not directly before the closing delimiter, but at offset %d", m.hash.off)
	}
	return r, nil
}
