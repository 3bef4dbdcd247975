package skeleton

import (
	"net/netip"
	"strconv"
	"unsafe"

	"dcs/render/ber"
	"dcs/render/ber/mib"
	"dcs/render/device"
	"dcs/render/md5x"
)

// slotKind is how a slot's value is encoded.
type slotKind uint8

const (
	intSlot  slotKind = iota // big-endian integer, of width octets
	ipv4Slot                 // 4 octets
	ipv6Slot                 // 16 octets
	macSlot                  // 6 octets
	textSlot                 // text, followed by a NUL if the TLV requires one
	hexSlot                  // octets written as 0x…
	snmpSlot                 // a whole SNMP TLV: of type 11, of type 64 if it is too long for that in an MTA file, of type 28 in a portal's file
)

// A slot is a place in a skeleton that each request fills.
type slot struct {
	kind   slotKind
	value  slotKind // snmpSlot: how the varbind's value is computed
	nul    bool     // textSlot: a NUL ends it
	mta    bool     // snmpSlot: type 64 is allowed
	long   bool     // snmpSlot: the TLV's length field always has two octets
	off    int      // in the skeleton's base
	width  int      // octets; 0: it varies, and takes no octets in the base
	prog   []instr  // intSlot
	min    int64
	max    int64
	parts  []part // all others
	quoted bool   // hexSlot: text without 0x is used as it is
	named  bool   // the value comes, wholly or in part, from the requested name
	minLen int
	maxLen int

	// attrs are the attributes that make up the value: the first one that the device has. It is nil if the value
	// consists of anything else.
	attrs   []int
	instead []byte      // the value's octets if the device has none of attrs; nil: there is no default
	labels  *mib.Object // snmpSlot: the object whose labels the value may be

	code byte // snmpSlot
	oid  []byte
	arcs int
	tag  ber.Tag

	site *site
}

// Scratch is a worker's memory for rendering. Its zero value is ready; it must not be
// shared between goroutines.
type Scratch struct {
	tmp    []byte // a value being encoded
	trial  []byte // tmp and the octets of slots that are filled only to see whether their values fit
	filled []byte
	widths []int  // cumulative widths of the varying slots so far
	gather []byte // TLVs in the order of a MIC
	batch  md5x.Batch

	Bad    string // the invalid value if Build returns a Fault; it may alias the device's record
	badBuf [32]byte
}

// NewScratch returns a Scratch whose memory begins with whole cache lines: what is smaller might share its line with that of another
// worker.
func NewScratch() Scratch {
	return Scratch{tmp: make([]byte, 0, 64), trial: make([]byte, 0, 64), filled: make([]byte, 0, 64), widths: make([]int, 0, 8), gather: make([]byte, 0, 64)}
}

func (sc *Scratch) bad(text string) { sc.Bad = text }

// badInt records an invalid integer as text, in the scratch's own memory.
func (sc *Scratch) badInt(x int64) {
	b := strconv.AppendInt(sc.badBuf[:0], x, 10)
	sc.Bad = unsafe.String(unsafe.SliceData(b), len(b))
}

// badTmp records the text in tmp as the invalid value.
func (sc *Scratch) badTmp() { sc.Bad = unsafe.String(unsafe.SliceData(sc.tmp), len(sc.tmp)) }

// append appends the slot's octets to dst.
func (s *slot) append(dst []byte, v *Values, sc *Scratch) ([]byte, Reason) {
	if s.kind == snmpSlot {
		return s.appendSNMP(dst, v, sc)
	}
	_, has := s.text(v)
	switch {
	case !has && s.instead != nil:
		return append(dst, s.instead...), okay
	case s.kind == intSlot:
		x, why := s.integer(v, sc)
		if why != okay {
			return dst, why
		}
		for i := s.width - 1; i >= 0; i-- {
			dst = append(dst, byte(uint64(x)>>(8*uint(i))))
		}
		return dst, okay
	}
	if why := s.octets(s.kind, v, sc); why != okay {
		return dst, why // tmp may be longer than the room in dst
	}
	return append(dst, sc.tmp...), okay
}

// text returns the value of the first of the slot's attributes that the device has.
func (s *slot) text(v *Values) (text string, ok bool) {
	for _, a := range s.attrs {
		if text, ok = v.Attrs.Get(a); ok {
			return text, true
		}
	}
	return "", false
}

// beyond parses the text of an attribute that is not a signed 64-bit integer but may be valid for an SNMP object: a
// label, or an unsigned 64-bit value for a Counter64.
func (s *slot) beyond(text string, has bool) (uint64, bool) {
	switch {
	case !has:
	case s.tag == ber.Counter64:
		return parseUint(text)
	case s.labels != nil:
		x, ok := s.labels.EnumValue(text)
		return uint64(x), ok
	}
	return 0, false
}

// integer computes the slot's program and checks the result against the slot's range.
func (s *slot) integer(v *Values, sc *Scratch) (int64, Reason) {
	x, why := run(s.prog, v, sc)
	if why == okay && (x < s.min || x > s.max) {
		sc.badInt(x)
		return 0, OutOfRange
	}
	return x, why
}

// octets writes the value of a slot that is not an integer to sc.tmp.
func (s *slot) octets(kind slotKind, v *Values, sc *Scratch) (why Reason) {
	if len(s.parts) == 1 && s.parts[0].lit == "" {
		if s.builtin(kind, s.parts[0].src, v, sc) {
			return okay
		}
	}
	if sc.tmp, why = appendParts(sc.tmp[:0], s.parts, v); why != okay {
		return why
	}
	switch kind {
	case macSlot:
		digits := sc.tmp
		if is0x(digits) {
			digits = digits[2:]
		}
		m, ok := device.ParseEUI48(digits)
		if !ok || s.named && !aligned(digits) {
			sc.badTmp()
			return BadAddress
		}
		sc.tmp = append(sc.tmp[:0], m[:]...)
	case ipv4Slot:
		a, ok := parseIPv4(sc.tmp)
		if !ok {
			sc.badTmp()
			if isIPv6(sc.tmp) {
				return WrongFamily
			}
			return BadAddress
		}
		sc.tmp = append(sc.tmp[:0], a[:]...)
	case ipv6Slot:
		if !isIPv6(sc.tmp) {
			sc.badTmp()
			if _, ok := parseIPv4(sc.tmp); ok {
				return WrongFamily
			}
			return BadAddress
		}
		a, err := netip.ParseAddr(unsafe.String(unsafe.SliceData(sc.tmp), len(sc.tmp)))
		if err != nil || a.Zone() != "" {
			sc.badTmp()
			return BadAddress
		}
		b := a.As16()
		sc.tmp = append(sc.tmp[:0], b[:]...)
	case hexSlot:
		if !s.quoted || is0x(sc.tmp) {
			if why := unhex(sc); why != okay {
				return why
			}
		}
		fallthrough
	default:
		if len(sc.tmp) < s.minLen || len(sc.tmp) > s.maxLen || s.named && len(sc.tmp) > maxText {
			sc.badTmp()
			return BadLength
		}
		if s.nul {
			sc.tmp = append(sc.tmp, 0)
		}
	}
	return okay
}

// aligned reports whether a MAC address is in one of the forms that a constant takes, which has no shortened octets.
func aligned(mac []byte) bool {
	switch len(mac) {
	case 12:
		return mac[1] != ':' && mac[1] != '-' && mac[2] != ':' && mac[2] != '-'
	case 14:
		return mac[4] == '.'
	}
	return len(mac) == 17
}

// builtin writes $ip, $server or $mac to sc.tmp without formatting it as text, if the slot takes the octets alone.
// Otherwise it reports false.
func (s *slot) builtin(kind slotKind, src source, v *Values, sc *Scratch) bool {
	addr := v.IP
	if src == fromServer {
		addr = v.Server
	}
	switch {
	case kind == macSlot && src == fromMAC && !v.MAC.IsZero():
		sc.tmp = append(sc.tmp[:0], v.MAC[:]...)
	case kind == ipv4Slot && (src == fromIP || src == fromServer) && addr.Is4():
		a := addr.As4()
		sc.tmp = append(sc.tmp[:0], a[:]...)
	case kind == ipv6Slot && (src == fromIP || src == fromServer) && addr.Is6():
		a := addr.As16()
		sc.tmp = append(sc.tmp[:0], a[:]...)
	default:
		return false
	}
	return true
}

// isIPv6 reports whether b is in the form of an IPv6 address, with colons.
func isIPv6(b []byte) bool {
	for _, c := range b {
		if c == ':' {
			return true
		}
	}
	return false
}

// is0x reports whether b begins with 0x or 0X.
func is0x(b []byte) bool { return len(b) >= 2 && b[0] == '0' && b[1]|0x20 == 'x' }

// unhex decodes the text 0x… in sc.tmp in place.
func unhex(sc *Scratch) Reason {
	b := sc.tmp
	ok := is0x(b) && len(b)%2 == 0
	for i := 2; ok && i < len(b); i++ {
		_, ok = hexDigit(b[i])
	}
	if !ok {
		sc.badTmp()
		return BadHex
	}
	for i := 2; i < len(b); i += 2 {
		hi, _ := hexDigit(b[i])
		lo, _ := hexDigit(b[i+1])
		b[i/2-1] = hi<<4 | lo
	}
	sc.tmp = b[:len(b)/2-1]
	return okay
}

// appendSNMP appends the slot's whole TLV.
func (s *slot) appendSNMP(dst []byte, v *Values, sc *Scratch) ([]byte, Reason) {
	text, has := s.text(v)
	switch {
	case !has && s.instead != nil:
		sc.tmp = append(sc.tmp[:0], s.instead...)
	case s.value == intSlot:
		x, why := s.integer(v, sc)
		if why != okay {
			u, ok := s.beyond(text, has)
			if !ok {
				return dst, why
			}
			x = int64(u)
		}
		if s.tag == ber.Integer {
			sc.tmp = ber.AppendInt(sc.tmp[:0], x)
		} else {
			sc.tmp = ber.AppendUint(sc.tmp[:0], uint64(x))
		}
	default:
		if why := s.octets(s.value, v, sc); why != okay {
			return dst, why
		}
	}
	dst, n, ok := s.appendObject(dst, sc.tmp)
	if !ok {
		sc.badInt(int64(n))
		return dst, BlockTooLong
	}
	return dst, okay
}

// appendObject appends the TLV of an SNMP object with a value. It returns the length of the varbind, and whether that fits.
func (s *slot) appendObject(dst, value []byte) (out []byte, n int, ok bool) {
	start := len(dst)
	dst = append(dst, s.code, 0)
	dst = ber.AppendVarbind(dst, s.oid, s.arcs, s.tag, value)
	n = len(dst) - start - 2
	switch {
	case n <= 255 && !s.long:
		dst[start+1] = byte(n)
	case !s.mta && !s.long || n > 0xffff:
		return dst, n, false
	default: // room for the second octet of the length
		dst = append(dst, 0)
		copy(dst[start+3:], dst[start+2:])
		dst[start+1], dst[start+2] = byte(n>>8), byte(n)
		if !s.long {
			dst[start] = 64
		}
	}
	return dst, n, true
}
