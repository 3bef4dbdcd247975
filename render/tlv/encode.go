package tlv

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"dcs/render/ber/mib"
)

// Encoder turns values into TLVs. It keeps no state between calls, so that several
// goroutines may share one if ReadFile and Warn allow it.
type Encoder struct {
	MIB     *mib.Index // names of SNMP objects; nil: numbers only
	Dialect Dialect    // of the file that the TLVs go to
	Lenient bool       // a value of another SNMP type than its object's is a warning, no error

	// ReadFile reads the certificate or digit map that a keyword names. Nil: such a
	// keyword is an error.
	ReadFile func(name string) ([]byte, error)
	// Warn is told of what is encoded as asked but may not be meant. Nil: nobody is.
	Warn func(msg string)
}

// maxFragment is the length of the pieces that a certificate or an eSAFE's
// configuration is cut into.
const maxFragment = 254

func (e *Encoder) warn(d *Def, msg string) {
	if e.Warn != nil {
		e.Warn(d.Name + ": " + msg)
	}
}

// computed refuses what a compiler makes itself.
func (d *Def) computed() error {
	if !d.Parent().IsRoot() {
		return nil
	}
	switch d.Kind {
	case KindDigest16:
		return d.fail(-1, "is computed and put at the end of the file; leave it out")
	case KindMarker:
		return d.fail(-1, "is put at the end of the file; leave it out")
	}
	return nil
}

// AppendTLV appends type, length and value; where the kind cuts long values into pieces,
// several TLVs. An SnmpMibObject of more than 255 octets at the top of an MTA's file
// becomes TLV 64 with a length of two octets. On an error, which is a *ValueError, dst
// comes back as it was.
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

// mtaTop reports whether d is an SNMP object at the top of an MTA's file.
func (e *Encoder) mtaTop(d *Def) bool {
	return e.Dialect == MTA && d.Code == 11 && d.Parent().IsRoot()
}

// OpenGroup appends the type and room for the length. The contents follow, then CloseGroup.
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

// CloseGroup fills in the length of the TLV that OpenGroup began when dst was start octets
// long. Kinds that cut long values into pieces get more TLVs behind. A value too long for
// its length field is an error.
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
	msg := count(n, "octet") + " do not fit in one TLV, which holds " + strconv.Itoa(most)
	if d.Kind == KindVarbind && d.Parent().IsRoot() {
		msg += "; only an MTA's file has a longer form, TLV 64"
	}
	return d.fail(-1, msg)
}

// AppendGroup appends a TLV with that body. d need not be a group: a body of TLVs is then
// its value, as the open encoder has it.
func (d *Def) AppendGroup(dst, body []byte) ([]byte, error) {
	start := len(dst)
	out, err := d.CloseGroup(append(d.OpenGroup(dst), body...), start)
	if err != nil {
		return dst, err
	}
	return out, nil
}

func (d *Def) fragments() bool {
	return d.Kind == KindCertFragments || d.Kind == KindOpaqueFragments
}

func appendFragments(dst []byte, code uint8, value []byte) []byte {
	for len(value) > maxFragment {
		dst = append(append(dst, code, maxFragment), value[:maxFragment]...)
		value = value[maxFragment:]
	}
	return append(append(dst, code, byte(len(value))), value...)
}

// AppendValue appends the octets of the value alone, checked against the kind, the limits
// and the length field. A value of a kind that is cut into pieces comes in one. On an
// error, which is a *ValueError, dst comes back as it was.
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
	switch d.Kind {
	case KindFlagEmpty, KindMarker:
		return dst, nil
	case KindVarbind, KindVarbindLen16:
		return e.appendVarbind(dst, d, vals)
	case KindWriteControl:
		return e.appendWriteControl(dst, d, vals)
	}
	if len(vals) != 1 {
		msg := "is lacking a value: " + d.wants()
		i := -1
		if len(vals) > 1 {
			msg = "takes one value, not " + strconv.Itoa(len(vals)) + ": " + d.wants()
			i = 1
		}
		return dst, d.fail(i, msg)
	}
	v := &vals[0]
	switch d.Kind {
	case KindUint8, KindUint16, KindUint24, KindUint32, KindInt8, KindInt32:
		return d.appendNumber(dst, v)
	case KindString, KindZString:
		return d.appendString(dst, v)
	case KindBytes, KindBytesLen16, KindDigest16, KindDigest20, KindOpaqueFragments,
		KindGroup, KindGroupLen16, KindVendorGroup:
		return d.appendOctets(dst, v)
	case KindCertFragments:
		return e.appendCert(dst, d, f, v)
	case KindIPv4, KindIPv6, KindIPv4OrIPv6, KindTypedIP:
		return d.appendAddr(dst, v, v)
	case KindMAC:
		return d.appendMAC(dst, v, v)
	case KindMACMask:
		a, b, ok := v.pair()
		if !ok {
			return dst, d.unlike(v)
		}
		out, err := d.appendMAC(dst, &a, v)
		if err != nil {
			return dst, err
		}
		return d.appendMAC(out, &b, v)
	case KindIPPort, KindIPv6PrefixList, KindIPv4List, KindIPv6List, KindMACList,
		KindUint8List, KindUint16List, KindUint16Pair:
		return d.appendList(dst, v)
	case KindOID:
		return e.appendOIDTLV(dst, d, 0, v)
	}
	return dst, d.fail(-1, "cannot be encoded")
}

// wants says how a value of this kind is written.
func (d *Def) wants() string {
	limits := func() string {
		if !d.Limited {
			return ""
		}
		return ", " + d.limits()
	}
	switch d.Kind {
	case KindUint8, KindUint16, KindUint24, KindUint32, KindInt8, KindInt32:
		return "a number" + limits()
	case KindUint8List, KindUint16List:
		return "numbers with commas between" + limits()
	case KindUint16Pair:
		return "two numbers with a comma between" + limits()
	case KindBytes, KindBytesLen16, KindDigest16, KindDigest20, KindOpaqueFragments:
		s := "0x and hexadecimal digits, " + d.octets()
		if d.Quoted {
			s += ", or a quoted string"
		}
		return s
	case KindString, KindZString:
		return "a quoted string"
	case KindIPv4:
		return "an IPv4 address"
	case KindIPv6:
		return "an IPv6 address"
	case KindIPv4OrIPv6, KindTypedIP:
		return "an IPv4 or IPv6 address"
	case KindIPPort:
		return "an address and a port, such as 10.0.0.1/161"
	case KindMAC:
		return "a MAC address, such as 00:11:22:33:44:55"
	case KindMACMask:
		return "a MAC address and a mask, such as 00:11:22:33:44:55/ff:ff:ff:00:00:00"
	case KindMACList:
		return "MAC addresses with commas between"
	case KindIPv4List:
		return "IPv4 addresses with commas between"
	case KindIPv6List:
		return "IPv6 addresses with commas between"
	case KindIPv6PrefixList:
		return "IPv6 prefixes with commas between, such as 2001:db8::/32"
	case KindOID:
		return "an object identifier, such as .1.3.6.1, or its name"
	case KindVarbind, KindVarbindLen16:
		return "an object identifier, a type and a value"
	case KindWriteControl:
		return "an object identifier, then 0 to allow or 1 to forbid"
	case KindGroup, KindGroupLen16, KindVendorGroup:
		return "a block in braces, or 0x and hexadecimal digits"
	case KindCertFragments:
		return "a file name in quotes, or 0x and hexadecimal digits"
	}
	return "nothing"
}

// unlike is the error for a value of another form than the kind's.
func (d *Def) unlike(v *Value) error {
	return d.fail(0, "wants "+d.wants()+", not "+v.describe())
}

func (d *Def) limits() string {
	return strconv.FormatInt(d.Min, 10) + " to " + strconv.FormatInt(d.Max, 10)
}

func (d *Def) octets() string {
	if d.LenMin != d.LenMax {
		return strconv.Itoa(d.LenMin) + " to " + strconv.Itoa(d.LenMax) + " octets"
	}
	return count(d.LenMin, "octet")
}

// count returns "1 octet", "2 octets".
func count(n int, what string) string {
	s := strconv.Itoa(n) + " " + what
	if n != 1 {
		s += "s"
	}
	return s
}

// width returns the octets of a number, or of a list's numbers, and whether it has a sign.
func (k Kind) width() (octets int, signed bool) {
	switch k {
	case KindUint8, KindUint8List:
		return 1, false
	case KindUint16, KindUint16List, KindUint16Pair:
		return 2, false
	case KindUint24:
		return 3, false
	case KindUint32:
		return 4, false
	case KindInt8:
		return 1, true
	case KindInt32:
		return 4, true
	}
	return 0, false
}

func (d *Def) appendNumber(dst []byte, v *Value) ([]byte, error) {
	neg, mag, big, ok := v.number()
	if !ok {
		if v.Type == String {
			if _, _, ok := parseUint(v.Text, 10); ok {
				return dst, d.fail(0, "wants a number: write "+v.Text+" without the quotes")
			}
		}
		return dst, d.unlike(v)
	}
	octets, signed := d.Kind.width()
	bits := 8 * octets
	top := uint64(1)<<bits - 1 // greatest magnitude of either sign
	switch {
	case signed && neg:
		top = uint64(1) << (bits - 1)
	case signed:
		top = uint64(1)<<(bits-1) - 1
	case neg && mag != 0:
		return dst, d.fail(0, v.describe()+" is out of range, "+d.limits())
	}
	if big || mag > top {
		return dst, d.fail(0, v.describe()+" does not fit in "+strconv.Itoa(bits)+" bits, "+d.limits())
	}
	n := int64(mag)
	if neg {
		n = -n
	}
	if d.Limited && (n < d.Min || n > d.Max) {
		return dst, d.fail(0, v.describe()+" is out of range, "+d.limits())
	}
	for shift := bits - 8; shift >= 0; shift -= 8 {
		dst = append(dst, byte(n>>shift))
	}
	return dst, nil
}

// text returns the characters of a quoted string, or of a variable.
func (v *Value) text() (string, bool) {
	return v.Text, v.Type == String || v.Type == Any
}

func (d *Def) appendString(dst []byte, v *Value) ([]byte, error) {
	start := len(dst)
	if s, ok := v.text(); ok {
		dst = append(dst, s...)
	} else if v.Type == Hex || v.Type == Octets {
		out, msg := v.octets(dst)
		if msg != "" {
			return dst, d.fail(0, msg)
		}
		dst = out
	} else if v.Type == Word || v.Type == Number {
		return dst, d.fail(0, "wants a string: put "+v.describe()+" in quotes")
	} else {
		return dst, d.unlike(v)
	}
	n := len(dst) - start
	least, most := d.LenMin, d.LenMax
	if d.Kind == KindZString {
		dst = append(dst, 0)
		least, most = 0, 254
		if d.Limited {
			least, most = int(d.Min), int(d.Max)
		}
	}
	switch {
	case n > most:
		return dst, d.fail(0, count(n, "character")+", at most "+strconv.Itoa(most)+" are allowed")
	case n < least:
		return dst, d.fail(0, count(n, "character")+", at least "+strconv.Itoa(least)+" must be there")
	}
	return dst, nil
}

// octets appends the octets of a hexadecimal value. The message says what is wrong.
func (v *Value) octets(dst []byte) ([]byte, string) {
	if v.Type == Octets {
		return append(dst, v.Text...), ""
	}
	digits := v.Text
	if v.Type == Any {
		var ok bool
		if digits, ok = cutHex(digits); !ok {
			return dst, "wants 0x and hexadecimal digits, not " + v.describe()
		}
	}
	return appendHex(dst, digits)
}

func (d *Def) appendOctets(dst []byte, v *Value) ([]byte, error) {
	start := len(dst)
	switch v.Type {
	case Hex, Octets, Any:
		if d.Quoted && v.Type == Any {
			if _, ok := cutHex(v.Text); !ok {
				dst = append(dst, v.Text...)
				break
			}
		}
		out, msg := v.octets(dst)
		if msg != "" {
			return dst, d.fail(0, msg)
		}
		dst = out
	case String:
		if d.Quoted {
			dst = append(dst, v.Text...)
			break
		}
		if _, ok := cutHex(v.Text); ok {
			return dst, d.fail(0, "hexadecimal goes without quotes: write "+shorten(v.Text))
		}
		return dst, d.unlike(v)
	case Number:
		if d.LenMin == d.LenMax && d.LenMin <= 4 && !v.Neg && v.Num>>(8*d.LenMin) == 0 {
			h := strconv.FormatUint(v.Num, 16)
			h = strings.Repeat("0", 2*d.LenMin-len(h)) + h
			return dst, d.fail(0, "wants "+d.wants()+": write 0x"+h+" for "+v.describe())
		}
		return dst, d.unlike(v)
	default:
		return dst, d.unlike(v)
	}
	n := len(dst) - start
	switch d.Kind {
	case KindGroup, KindGroupLen16, KindVendorGroup, KindOpaqueFragments:
		return dst, nil
	}
	if n < d.LenMin || n > d.LenMax {
		return dst, d.fail(0, "wants "+d.octets()+", "+v.describe()+" has "+strconv.Itoa(n))
	}
	return dst, nil
}

func (d *Def) appendAddr(dst []byte, v, whole *Value) ([]byte, error) {
	a, ok := v.addr()
	if !ok || a.Is4() && (d.Kind == KindIPv6 || d.Kind == KindIPv6List || d.Kind == KindIPv6PrefixList) ||
		!a.Is4() && (d.Kind == KindIPv4 || d.Kind == KindIPv4List) {
		return dst, d.unlike(whole)
	}
	if d.Kind == KindTypedIP {
		t := byte(2)
		if a.Is4() {
			t = 1
		}
		dst = append(dst, t)
	}
	if a.Is4() {
		b := a.As4()
		return append(dst, b[:]...), nil
	}
	b := a.As16()
	return append(dst, b[:]...), nil
}

func (d *Def) appendMAC(dst []byte, v, whole *Value) ([]byte, error) {
	m, ok := v.mac()
	if !ok {
		return dst, d.unlike(whole)
	}
	return append(dst, m[:]...), nil
}

func (d *Def) appendList(dst []byte, v *Value) ([]byte, error) {
	start := len(dst)
	if d.Kind == KindIPPort {
		return d.appendAddrPort(dst, v, 2, 65535)
	}
	elems := v.elements()
	for i := range elems {
		var err error
		el := &elems[i]
		switch d.Kind {
		case KindIPv6PrefixList:
			dst, err = d.appendAddrPort(dst, el, 1, 128)
		case KindIPv4List, KindIPv6List:
			dst, err = d.appendAddr(dst, el, el)
		case KindMACList:
			dst, err = d.appendMAC(dst, el, el)
		default:
			dst, err = d.appendNumber(dst, el)
		}
		if err != nil {
			return dst, err
		}
	}
	n, size := len(dst)-start, d.elementSize()
	least, most := (d.LenMin+size-1)/size, d.LenMax/size
	if n < least*size || n > most*size {
		want := strconv.Itoa(least) + " to " + strconv.Itoa(most)
		if least == most {
			want = strconv.Itoa(least)
		}
		return dst, d.fail(0, "wants "+want+" elements, not "+strconv.Itoa(n/size))
	}
	return dst, nil
}

// appendAddrPort appends an address and the number behind its slash.
func (d *Def) appendAddrPort(dst []byte, v *Value, octets int, most uint64) ([]byte, error) {
	a, b, ok := v.pair()
	if !ok {
		return dst, d.unlike(v)
	}
	dst, err := d.appendAddr(dst, &a, v)
	if err != nil {
		return dst, err
	}
	neg, n, big, ok := b.number()
	if !ok {
		return dst, d.unlike(v)
	}
	if neg || big || n > most {
		return dst, d.fail(0, b.describe()+" is out of range, 0 to "+strconv.FormatUint(most, 10))
	}
	if octets == 2 {
		dst = append(dst, byte(n>>8))
	}
	return append(dst, byte(n)), nil
}

func (e *Encoder) readFile(d *Def, v *Value) ([]byte, error) {
	name, ok := v.text()
	if !ok {
		return nil, d.fail(0, "wants a file name in quotes, not "+v.describe())
	}
	if e.ReadFile == nil {
		return nil, d.fail(0, "no files can be read here")
	}
	data, err := e.ReadFile(name)
	if err != nil {
		return nil, &fileError{ValueError{Name: d.Name, Index: 0, Msg: err.Error()}, err}
	}
	return data, nil
}

// fileError is a ValueError that keeps the reason why a file could not be read.
type fileError struct {
	ValueError
	err error
}

func (e *fileError) Unwrap() []error { return []error{&e.ValueError, e.err} }

func (e *Encoder) appendCert(dst []byte, d *Def, f Form, v *Value) ([]byte, error) {
	if v.Type == Hex || v.Type == Octets {
		out, msg := v.octets(dst)
		if msg != "" {
			return dst, d.fail(0, msg)
		}
		return out, nil
	}
	if f == FormBytes {
		if v.Type == Any {
			if _, ok := cutHex(v.Text); ok {
				return d.appendOctets(dst, v)
			}
		}
		msg := "wants 0x and hexadecimal digits, not " + v.describe()
		if name := d.nameFor(FormFile); name != "" {
			msg += "; " + name + " takes a file name"
		}
		return dst, d.fail(0, msg)
	}
	data, err := e.readFile(d, v)
	if err != nil {
		return dst, err
	}
	if len(data) == 0 {
		return dst, d.fail(0, "the file "+v.describe()+" is empty")
	}
	return append(dst, data...), nil
}

// nameFor returns the keyword of d that wants its value in that form.
func (d *Def) nameFor(f Form) string {
	for _, n := range kidNames[d.Parent().name0 : d.Parent().name0+d.Parent().nameN] {
		if n.def == d.self && n.form == f {
			return n.nameOf()
		}
	}
	return ""
}
