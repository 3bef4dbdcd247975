// Package md5x is MD5 (RFC 1321) with states that can be kept and resumed, for one message or for many at once.
//
// MD5 is broken as a signature. It is here because DOCSIS asks for it (MULPIv3.0 C.1.1.5, C.1.1.6).
package md5x

import "encoding/binary"

const (
	Size      = 16 // octets of a digest
	BlockSize = 64 // octets that MD5 absorbs at a time
)

// State is MD5 after a whole number of blocks. It is a value: a copy resumes from the same place any number of times.
type State struct {
	H [4]uint32 // the chaining variables A, B, C, D
	N uint64    // octets absorbed so far, a multiple of BlockSize
}

// New returns the state before the first octet (RFC 1321, section 3.3).
func New() State {
	return State{H: [4]uint32{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}}
}

// Blocks absorbs the whole blocks that p begins with and returns what is left, less than BlockSize octets.
func (s *State) Blocks(p []byte) (rest []byte) {
	n := len(p) &^ (BlockSize - 1)
	if n > 0 {
		block(&s.H, p[:n])
		s.N += uint64(n)
	}
	return p[n:]
}

// Sum returns the digest of what s has absorbed followed by tail, which may be of any length.
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

// pad writes rest (less than BlockSize octets) with its padding (RFC 1321, sections 3.1 and 3.2) to a zeroed last and
// returns how many octets that makes, one block or two. n is the count of octets absorbed before rest.
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

// Digest hashes a message that comes in pieces. Its zero value is not ready: start it with From.
type Digest struct {
	s   State
	buf [BlockSize]byte
	n   int // octets waiting in buf
}

// From returns a Digest that goes on from s.
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

// Sum returns the digest of all that was written. More may be written afterwards.
func (d *Digest) Sum() [Size]byte { return d.s.Sum(d.buf[:d.n]) }
