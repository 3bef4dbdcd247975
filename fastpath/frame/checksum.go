package frame

import (
	"encoding/binary"
	"math/bits"
)

// Checksums are ones' complement sums of 16-bit words (RFC 1071). Such a sum is independent of how many words are added
// at a time and of their byte order, as long as the result is stored in the same order.

// add adds in ones' complement.
func add(a, b uint64) uint64 {
	s, c := bits.Add64(a, b, 0)
	return s + c
}

// sum returns s plus the words of b; an odd last octet is padded with 0.
func sum(b []byte, s uint64) uint64 {
	var c uint64
	for len(b) >= 64 {
		w := (*[64]byte)(b)
		s, c = bits.Add64(s, binary.NativeEndian.Uint64(w[0:]), 0)
		s, c = bits.Add64(s, binary.NativeEndian.Uint64(w[8:]), c)
		s, c = bits.Add64(s, binary.NativeEndian.Uint64(w[16:]), c)
		s, c = bits.Add64(s, binary.NativeEndian.Uint64(w[24:]), c)
		s, c = bits.Add64(s, binary.NativeEndian.Uint64(w[32:]), c)
		s, c = bits.Add64(s, binary.NativeEndian.Uint64(w[40:]), c)
		s, c = bits.Add64(s, binary.NativeEndian.Uint64(w[48:]), c)
		s, c = bits.Add64(s, binary.NativeEndian.Uint64(w[56:]), c)
		s, c = bits.Add64(s, 0, c)
		s += c
		b = b[64:]
	}
	for len(b) >= 8 {
		s = add(s, binary.NativeEndian.Uint64(b))
		b = b[8:]
	}
	if len(b) >= 4 {
		s = add(s, uint64(binary.NativeEndian.Uint32(b)))
		b = b[4:]
	}
	if len(b) >= 2 {
		s = add(s, uint64(binary.NativeEndian.Uint16(b)))
		b = b[2:]
	}
	if len(b) == 1 {
		s = add(s, uint64(swap(uint16(b[0])<<8)))
	}
	return s
}

// fold reduces a sum to one word.
func fold(s uint64) uint16 {
	s = s>>32 + s&0xffffffff
	s = s>>32 + s&0xffffffff
	t := uint32(s)
	t = t>>16 + t&0xffff
	t = t>>16 + t&0xffff
	return uint16(t)
}

// sum4 is fold(sum) of an IPv4 header without options.
func sum4(h *[20]byte) uint16 {
	s := uint64(binary.NativeEndian.Uint32(h[0:])) + uint64(binary.NativeEndian.Uint32(h[4:])) + uint64(binary.NativeEndian.Uint32(h[8:])) +
		uint64(binary.NativeEndian.Uint32(h[12:])) + uint64(binary.NativeEndian.Uint32(h[16:]))
	return fold(s)
}

// swap converts a word between network byte order and the host's.
func swap(v uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], v)
	return binary.NativeEndian.Uint16(b[:])
}
