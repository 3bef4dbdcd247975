package tlv

import (
	"encoding/binary"
	"slices"
	"strconv"

	"dcs/render/ber/mib"
)

// Encoder encodes values as TLVs. It keeps no state between calls and may be used by several
// goroutines at once if ReadFile and Warn may.
type Encoder struct {
	MIB     *mib.Index // names of SNMP objects; nil: numbers only
	Dialect Dialect    // of the file being encoded
	Lenient bool       // accept what the open encoder accepts, with a warning each
	Long    bool       // accept texts of any length that Lenient accepts

	// ReadFile reads the certificate or digit map named by the value of a keyword. If nil, such
	// keywords are errors.
	ReadFile func(name string) ([]byte, error)
	// ReadHead reads the first [cvc.MaxHead] octets of the firmware image named by the value of a
	// keyword, or all of it. If nil, ReadFile does.
	ReadHead func(name string) ([]byte, error)
	// Warn is called for a value that is encoded as written but may not be intended. It may be
	// nil.
	Warn func(msg string)
}

// Lifted ends the errors that Lenient turns into warnings.
const Lifted = "; accepted with --lenient, or with dcs:lenient in a comment on the file's first line"

// maxFragment is the length in octets of the fragments into which certificates and eSAFE
// configurations are split.
const maxFragment = 254

func (e *Encoder) warn(d *Def, msg string) {
	if e.Warn != nil {
		e.Warn(d.Name + ": " + msg)
	}
}

// computed returns an error for a TLV that the compiler adds itself. Pads may be written too.
func (d *Def) computed() error {
	if !d.Kind.row().computed || !d.Parent().IsRoot() || d.Code == 0 {
		return nil
	}
	return d.fail(-1, "added by the compiler; leave it out")
}

// AppendTLV appends type, length and value, as several TLVs if the kind splits long values. At
// the top of an MTA's file, an SnmpMibObject of more than 255 octets becomes TLV 64, which has
// a two-octet length. Errors are of type *ValueError; dst is returned unchanged then.
func (e *Encoder) AppendTLV(dst []byte, d *Def, f Form, vals []Value) ([]byte, error) {
	if err := d.computed(); err != nil {
		return dst, err
	}
	start := len(dst)
	out := d.OpenGroup(dst)
	head := len(out)
	if d.LenBytes() == 0 {
		return out, nil
	}
	out, err := e.appendValue(out, d, f, vals)
	if err != nil {
		return dst, err
	}
	if d.Kind == KindVarbind && len(out)-head > 255 && e.mtaTop(d) {
		n := len(out) - head
		out = slices.Insert(out, head, 0)
		out[start] = 64
		binary.BigEndian.PutUint16(out[start+1:], uint16(n))
		return out, nil
	}
	out, err = d.CloseGroup(out, start)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// mtaTop reports whether d is an SNMP object at the top level of an MTA's file.
func (e *Encoder) mtaTop(d *Def) bool {
	return e.Dialect == MTA && d.Code == 11 && d.Parent().IsRoot()
}

// OpenGroup appends the type and room for the length. Append the contents next, then call
// CloseGroup.
func (d *Def) OpenGroup(dst []byte) []byte {
	dst = append(dst, d.Code)
	switch d.LenBytes() {
	case 1:
		dst = append(dst, 0)
	case 2:
		dst = append(dst, 0, 0)
	}
	return dst
}

// CloseGroup fills in the length of the TLV that OpenGroup began when len(dst) was start. For
// kinds that split long values it inserts the headers of further TLVs. A value too long for its
// length field is an error.
func (d *Def) CloseGroup(dst []byte, start int) ([]byte, error) {
	head := start + 1 + d.LenBytes()
	n := len(dst) - head
	switch {
	case d.LenBytes() == 0:
	case d.LenBytes() == 2:
		if n > 65535 {
			return dst, d.tooLong(n, 65535)
		}
		binary.BigEndian.PutUint16(dst[start+1:], uint16(n))
	case d.fragments() && n > maxFragment:
		return appendFragments(dst[:start], d.Code, slices.Clone(dst[head:])), nil
	case n > 255:
		return dst, d.tooLong(n, 255)
	default:
		dst[start+1] = byte(n)
	}
	return dst, nil
}

func (d *Def) tooLong(n, most int) error {
	msg := count(n, "octet") + " do not fit in one TLV, which holds at most " + strconv.Itoa(most)
	if d.Kind == KindVarbind && d.Parent().IsRoot() {
		msg += "; only MTA files have a longer form (TLV 64)"
	}
	return d.fail(-1, msg)
}

func (d *Def) fragments() bool { return d.Kind.row().fragments }

func appendFragments(dst []byte, code uint8, value []byte) []byte {
	for len(value) > maxFragment {
		dst = append(append(dst, code, maxFragment), value[:maxFragment]...)
		value = value[maxFragment:]
	}
	return append(append(dst, code, byte(len(value))), value...)
}

// AppendValue appends the octets of the value alone, checked against the kind, the limits and
// the length field. The value of a kind that is split comes in one piece. Errors are of type
// *ValueError; dst is returned unchanged then.
func (e *Encoder) AppendValue(dst []byte, d *Def, f Form, vals []Value) ([]byte, error) {
	out, err := e.appendValue(dst, d, f, vals)
	if err != nil {
		return dst, err
	}
	most := 255
	if d.LenBytes() == 2 || e.mtaTop(d) {
		most = 65535
	}
	if n := len(out) - len(dst); n > most && !d.fragments() {
		return dst, d.tooLong(n, most)
	}
	return out, nil
}

func (e *Encoder) appendValue(dst []byte, d *Def, f Form, vals []Value) ([]byte, error) {
	if f == FormDigitMap {
		return e.appendDigitMap(dst, d, vals)
	}
	return d.codec().append(e, dst, d, f, vals)
}

// unlike returns the error for a value that does not have the form of d's kind.
func (d *Def) unlike(v *Value) error {
	return d.fail(0, "expected "+d.wants()+", got "+v.describe())
}

// count returns "1 octet", "2 octets".
func count(n int, what string) string {
	s := strconv.Itoa(n) + " " + what
	if n != 1 {
		s += "s"
	}
	return s
}

// text returns the characters of a quoted string or of a variable.
func (v *Value) text() (string, bool) {
	return v.Text, v.Type == String || v.Type == Any
}

func (e *Encoder) readFile(d *Def, v *Value) ([]byte, error) { return e.read(e.ReadFile, d, v) }

func (e *Encoder) readHead(d *Def, v *Value) ([]byte, error) {
	if e.ReadHead == nil {
		return e.readFile(d, v)
	}
	return e.read(e.ReadHead, d, v)
}

func (e *Encoder) read(file func(name string) ([]byte, error), d *Def, v *Value) ([]byte, error) {
	name, ok := v.text()
	if !ok {
		return nil, d.fail(0, "expected a file name in quotes, got "+v.describe())
	}
	if file == nil {
		return nil, d.fail(0, "no files can be read here")
	}
	data, err := file(name)
	if err != nil {
		return nil, &fileError{ValueError{Name: d.Name, Index: 0, Msg: err.Error()}, err}
	}
	return data, nil
}

// fileError is a ValueError that wraps the error from reading a file.
type fileError struct {
	ValueError
	err error
}

func (e *fileError) Unwrap() []error { return []error{&e.ValueError, e.err} }

// nameFor returns the keyword of d whose value is written in that form.
func (d *Def) nameFor(f Form) string {
	for _, n := range kidNames[d.Parent().name0 : d.Parent().name0+d.Parent().nameN] {
		if n.def == d.self && n.form == f {
			return n.nameOf()
		}
	}
	return ""
}
