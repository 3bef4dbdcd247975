// Package skeleton compiles a template to octets with slots: constants are encoded once, and a request only fills in
// the slots.
package skeleton

import (
	"sync/atomic"

	"dcs/render/md5x"
	"dcs/render/mic"
	"dcs/render/tlv"
)

// Kind is the kind of file that a skeleton makes.
type Kind uint8

const (
	ModemFile  Kind = iota // ends in MICs, 255 and padding
	MTAFile                // may hold a hash object
	PortalFile             // CableHome: ends in 255
	PlainFile              // text, or a binary file as it is
	NumKinds
)

// A Skeleton is a file with slots. It is immutable except for the state that it caches per secret; any number of
// goroutines may render it.
type Skeleton struct {
	Kind Kind

	base   []byte   // the constant octets; zeros in place of slots of fixed width
	slots  []slot   // by offset
	fixups []fixup  // lengths that depend on varying slots, innermost first
	tops   []topTLV // top-level TLVs in file order; nil once it is finished
	order  []topTLV // those that the CMTS MIC covers, in its order; modem files only
	vary   int      // number of slots of varying width
	named  bool     // a slot's value comes from the requested name
	ext    bool     // TLV 43.6 requests an extended CMTS MIC
	hash   mic.Variant

	cm     md5x.State            // state of the CM MIC, over the octets before the first change
	prefix []byte                // what the CMTS MIC covers before the first change, in its order
	keyed  atomic.Pointer[keyed] // under the secret in slot 0
	others atomic.Pointer[[maxKeyed - 1]atomic.Pointer[keyed]]
	broken Fault // the fault of a file that cannot be signed, without its text

	budget    *Budget
	extra     atomic.Int64 // octets cached beyond those in Octets
	remembers atomic.Bool  // something is cached for some secret
}

// A place is an offset in base, after the first n varying slots.
type place struct{ off, n int }

// A topTLV is one run of top-level TLVs of one type.
type topTLV struct {
	code       byte
	start, end place
	change     int // offset in base of its first octet that a request can change; -1: none
}

// A fixup is a length field whose value depends on the varying slots first ≤ i < last.
type fixup struct {
	at          place
	octets      int // of the length field: 1 or 2
	fixed       int // length without those slots
	first, last int
	site        *site
}

// Static reports whether every request gets the same octets.
func (s *Skeleton) Static() bool { return len(s.slots) == 0 }

// Signed reports whether the file ends in MICs, which Build leaves blank.
func (s *Skeleton) Signed() bool { return s.Kind == ModemFile }

// Build appends the file to dst with blank MICs, which Lanes or Sign fills in; a file that is Alone is appended without
// MICs. On a Fault, dst is returned unchanged; [Unfit] says nothing about the request. Build does not allocate once dst
// and sc are large enough.
func (s *Skeleton) Build(dst []byte, v *Values, sc *Scratch) ([]byte, *Fault) {
	start := len(dst)
	var fault *Fault
	if s.vary == 0 {
		dst = append(dst, s.base...)
		fault = s.patch(dst[start:], v, sc)
	} else {
		dst, fault = s.grow(dst, v, sc)
	}
	switch {
	case fault != nil && s.named && !s.suits(v, sc):
		sc.Bad = ""
		return dst[:start], Unfit
	case fault != nil:
		return dst[:start], fault
	case s.named && len(dst)-start > maxOctets: // as constants they may be too many for a template
		return dst[:start], Unfit
	}
	switch s.Kind {
	case ModemFile:
		if !s.ext {
			dst = appendTrailer(dst, start)
		}
	case MTAFile:
		if s.hash != mic.NoHash {
			file, err := mic.SignMTA(dst[start:], s.hash)
			switch {
			case err != nil && s.named:
				return dst[:start], Unfit
			case err != nil:
				return dst[:start], s.fail(err)
			}
			dst = append(dst[:start], file...)
		}
	}
	return dst, nil
}

// appendTrailer appends TLVs 6 and 7, blank, the end marker and the padding.
func appendTrailer(dst []byte, start int) []byte {
	dst = append(dst, 6, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		7, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255)
	for (len(dst)-start)%4 != 0 {
		dst = append(dst, 0)
	}
	return dst
}

// patch fills the slots of a skeleton in which all have a fixed width.
func (s *Skeleton) patch(file []byte, v *Values, sc *Scratch) *Fault {
	for i := range s.slots {
		sl := &s.slots[i]
		room := file[sl.off : sl.off : sl.off+sl.width]
		if _, why := sl.append(room, v, sc); why != okay {
			return sl.site.fault(why)
		}
	}
	return nil
}

// grow appends base and slots piece by piece, then corrects the lengths around them.
func (s *Skeleton) grow(dst []byte, v *Values, sc *Scratch) ([]byte, *Fault) {
	start := len(dst)
	sc.widths = append(sc.widths[:0], 0)
	prev, sum := 0, 0
	for i := range s.slots {
		sl := &s.slots[i]
		dst = append(dst, s.base[prev:sl.off]...)
		prev = sl.off + sl.width
		before := len(dst)
		var why Reason
		if dst, why = sl.append(dst, v, sc); why != okay {
			return dst, sl.site.fault(why)
		}
		if sl.width == 0 {
			sum += len(dst) - before
			sc.widths = append(sc.widths, sum)
		}
	}
	dst = append(dst, s.base[prev:]...)
	file := dst[start:]
	for i := range s.fixups {
		f := &s.fixups[i]
		n := f.fixed + sc.widths[f.last] - sc.widths[f.first]
		at := sc.at(f.at)
		switch {
		case f.octets == 1 && n <= 255:
			file[at] = byte(n)
		case f.octets == 2 && n <= 0xffff:
			file[at], file[at+1] = byte(n>>8), byte(n)
		default:
			sc.badInt(int64(n))
			return dst, f.site.fault(BlockTooLong)
		}
	}
	return dst, nil
}

// at returns the offset of p in the file that was built last.
func (sc *Scratch) at(p place) int {
	if p.n == 0 {
		return p.off
	}
	return p.off + sc.widths[p.n]
}

// Dialect returns the TLV dialect that the skeleton's file decodes in.
func (s *Skeleton) Dialect() tlv.Dialect {
	switch s.Kind {
	case MTAFile:
		return tlv.MTA
	case PortalFile:
		return tlv.PS
	}
	return tlv.CM
}
