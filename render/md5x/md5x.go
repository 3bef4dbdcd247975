// Package md5x implements MD5 (RFC 1321) with states that can be saved and resumed, for one message or many in
// parallel.
//
// MD5 is broken as a signature. It is used here because DOCSIS requires it (MULPIv3.0 C.1.1.5, C.1.1.6).
package md5x

import "encoding/binary"

const (
	Size      = 16 // octets of a digest
	BlockSize = 64 // octets that MD5 absorbs at a time
)

// State is MD5 after a whole number of blocks. Copies can be resumed any number of times.
type State struct {
	H [4]uint32 // the chaining variables A, B, C, D
	N uint64    // octets absorbed so far, a multiple of BlockSize
}

// New returns the state before the first octet (RFC 1321, section 3.3).
func New() State {
	return State{H: [4]uint32{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}}
}

// Blocks absorbs the whole blocks at the start of p and returns the rest, less than BlockSize octets.
func (s *State) Blocks(p []byte) (rest []byte) {
	n := len(p) &^ (BlockSize - 1)
	if n > 0 {
		block(&s.H, p[:n])
		s.N += uint64(n)
	}
	return p[n:]
}

// Sum returns the digest of what s has absorbed followed by tail, which may have any length.
func (s State) Sum(tail []byte) [Size]byte {
	rest := s.Blocks(tail)
	var last [2 * BlockSize]byte
	block(&s.H, last[:pad(&last, rest, s.N)])
	return s.digest()
}

func (s *State) digest() (out [Size]byte) {
	binary.LittleEndian.PutUint32(out[0:], s.H[0])
	binary.LittleEndian.PutUint32(out[4:], s.H[1])
	binary.LittleEndian.PutUint32(out[8:], s.H[2])
	binary.LittleEndian.PutUint32(out[12:], s.H[3])
	return out
}

// pad writes rest (less than BlockSize octets) and its padding (RFC 1321, sections 3.1 and 3.2) to last, which must
// be zero, and returns the resulting length, one block or two. n is the number of octets absorbed before rest.
func pad(last *[2 * BlockSize]byte, rest []byte, n uint64) int {
	k := copy(last[:BlockSize], rest)
	last[k] = 0x80
	end := BlockSize
	if k >= BlockSize-8 {
		end = 2 * BlockSize
	}
	binary.LittleEndian.PutUint64(last[end-8:], (n+uint64(k))<<3)
	return end
}

// Digest hashes a message in pieces. The zero value is not usable; create one with From.
type Digest struct {
	s   State
	buf [BlockSize]byte
	n   int // octets in buf
}

// From returns a Digest that continues from s.
func From(s State) Digest { return Digest{s: s} }

// Write absorbs p.
func (d *Digest) Write(p []byte) {
	if d.n > 0 {
		k := copy(d.buf[d.n:], p)
		d.n += k
		p = p[k:]
		if d.n < BlockSize {
			return
		}
		d.s.Blocks(d.buf[:])
		d.n = 0
	}
	d.n = copy(d.buf[:], d.s.Blocks(p))
}

// Sum returns the digest of all octets written. More can be written afterwards.
func (d *Digest) Sum() [Size]byte { return d.s.Sum(d.buf[:d.n]) }
