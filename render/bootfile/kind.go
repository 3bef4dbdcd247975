// Package bootfile recognizes boot files among the other files of a directory, and checks them.
package bootfile

import (
	"bytes"

	"dcs/render/ber"
	"dcs/render/tlv"
)

// Kind is the kind of a file.
type Kind uint8

const (
	Other  Kind = iota // text, firmware image, or anything else that no device boots from
	Modem              // of a cable modem
	MTA                // of a PacketCable MTA
	Portal             // of a CableHome portal service
)

// String returns "other", "modem", "mta" or "cablehome".
func (k Kind) String() string { return [...]string{"other", "modem", "mta", "cablehome"}[k] }

// MaxSize is the largest size of a boot file in octets.
const MaxSize = 1 << 20

// KindOf returns the kind of a file, even if damaged. A modem file is recognized by two consecutive MICs or, if they
// are cut off or overwritten, by its beginning: two values that match the dictionary in type, length and range.
// Without either, a file is Other. Of a file larger than MaxSize, only the length is used.
func KindOf(file []byte) Kind {
	switch {
	case len(file) == 0 || len(file) > MaxSize:
		return Other
	case bytes.HasPrefix(file, opening) || bytes.HasPrefix(opening, file):
		return MTA
	case signed(file):
		return Modem
	}
	modem, portal := look(tlv.Root(tlv.CM), file), look(tlv.Root(tlv.PS), file)
	switch {
	case portal.object:
		return Portal
	case modem.fits >= enough:
		return Modem
	case portal.fits >= enough && portal.whole:
		return Portal
	case bytes.HasSuffix(file, closing):
		return MTA
	}
	return Other
}

var (
	opening = []byte{254, 1, 1} // of an MTA's file
	closing = []byte{254, 1, 255}
)

// enough is how many values must match the dictionary.
const enough = 2

// likeness is how much a file resembles TLVs.
type likeness struct {
	fits   int  // values of a type, length and range that are unlikely by chance
	object bool // there is an SNMP object after a two-octet length
	whole  bool // the end was reached
}

// look reads TLVs up to one that does not match.
func look(parent *tlv.Def, b []byte) (l likeness) {
	for len(b) > 0 {
		if b[0] == 0 && parent.IsRoot() {
			b = b[1:]
			continue
		}
		d, ok := parent.ChildByCode(b[0])
		if !ok || d.Scope == tlv.ScopeRegistration && parent.IsRoot() {
			return l
		}
		if d.Kind == tlv.KindMarker {
			l.whole = b[0] == 255 && len(bytes.TrimLeft(b[1:], "\x00")) == 0
			return l
		}
		width := d.LenBytes()
		if len(b) <= width {
			return l
		}
		size := int(b[1])
		if width == 2 {
			size = size<<8 | int(b[2])
		}
		value := b[1+width:]
		complete := size <= len(value)
		value = value[:min(size, len(value))]
		n, ok := fits(d, value, size)
		if l.fits += n; !ok || !complete {
			return l
		}
		l.object = l.object || d.Kind == tlv.KindVarbindLen16 && n > 0
		b = b[1+width+size:]
	}
	l.whole = true
	return l
}

// fits returns how many values match in a TLV whose value has size octets, possibly not all in the file. ok reports
// whether reading may continue.
func fits(d *tlv.Def, value []byte, size int) (n int, ok bool) {
	complete := len(value) == size
	switch {
	case d.Kind.Varbind():
		if object(value, size) {
			return enough, true
		}
		return 0, false
	case d.Kind == tlv.KindVendorGroup:
		if len(value) < 2 || value[0] != 8 || value[1] != 3 {
			return 0, false
		}
		return enough, true
	case d.Kind == tlv.KindCertFragments:
		if bytes.HasPrefix(value, []byte{0x30, 0x82}) { // the first fragment of a certificate
			return enough, true
		}
		return 0, true
	case d.Group():
		return look(d, value).fits, true
	case size < d.LenMin || d.LenMax > 0 && size > d.LenMax:
		return 0, false
	case d.LenMin != d.LenMax || size == 0 || !complete:
		return 0, true
	case size <= 4 && d.Limited:
		v := int64(0)
		for _, c := range value {
			v = v<<8 | int64(c)
		}
		if v < d.Min || v > d.Max {
			return 0, true // an old file may exceed the dictionary's range
		}
		if d.Path == "3" { // network access, 0 or 1: 23 of the 24 bits in its three octets are known
			return enough, true
		}
	}
	return 1, true
}

// object reports whether a value of size octets, possibly not all in the file, begins like an SNMP object: a sequence
// as long as the value, starting with an object identifier.
func object(value []byte, size int) bool {
	if len(value) == size {
		_, err := ber.ParseVarbind(value)
		return err == nil
	}
	if len(value) < 3 || value[0] != 0x30 {
		return false
	}
	n, at := int(value[1]), 2
	switch {
	case n == 0x81 && len(value) > 3:
		n, at = int(value[2]), 3
	case n == 0x82 && len(value) > 4:
		n, at = int(value[2])<<8|int(value[3]), 4
	}
	return n == size-at && at < len(value) && value[at] == byte(ber.ObjectID)
}

// mics is the length of the MICs at the end of a signed file: TLVs 6 and 7 of 16 octets each.
const mics = 36

// signed reports whether a file contains two consecutive MICs.
func signed(file []byte) bool {
	for off := 0; ; off++ {
		i := bytes.Index(file[off:], []byte{6, 16})
		if i < 0 || off+i+mics > len(file) {
			return false
		}
		if off += i; file[off+18] == 7 && file[off+19] == 16 {
			return true
		}
	}
}
