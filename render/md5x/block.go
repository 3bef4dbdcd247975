package md5x

import (
	"encoding/binary"
	"math/bits"
)

// block absorbs the whole blocks of p (RFC 1321, section 3.4). Each step adds the term that depends on the previous
// step last, and G is written as a sum of disjoint masks; both shorten the dependency chain between steps.
func block(h *[4]uint32, p []byte) {
	a, b, c, d := h[0], h[1], h[2], h[3]
	for len(p) >= BlockSize {
		q := (*[BlockSize]byte)(p)
		aa, bb, cc, dd := a, b, c, d
		x0 := binary.LittleEndian.Uint32(q[0:])
		x1 := binary.LittleEndian.Uint32(q[4:])
		x2 := binary.LittleEndian.Uint32(q[8:])
		x3 := binary.LittleEndian.Uint32(q[12:])
		x4 := binary.LittleEndian.Uint32(q[16:])
		x5 := binary.LittleEndian.Uint32(q[20:])
		x6 := binary.LittleEndian.Uint32(q[24:])
		x7 := binary.LittleEndian.Uint32(q[28:])
		x8 := binary.LittleEndian.Uint32(q[32:])
		x9 := binary.LittleEndian.Uint32(q[36:])
		xa := binary.LittleEndian.Uint32(q[40:])
		xb := binary.LittleEndian.Uint32(q[44:])
		xc := binary.LittleEndian.Uint32(q[48:])
		xd := binary.LittleEndian.Uint32(q[52:])
		xe := binary.LittleEndian.Uint32(q[56:])
		xf := binary.LittleEndian.Uint32(q[60:])

		// Round 1.
		a = b + bits.RotateLeft32(a+x0+0xd76aa478+((c^d)&b^d), 7)
		d = a + bits.RotateLeft32(d+x1+0xe8c7b756+((b^c)&a^c), 12)
		c = d + bits.RotateLeft32(c+x2+0x242070db+((a^b)&d^b), 17)
		b = c + bits.RotateLeft32(b+x3+0xc1bdceee+((d^a)&c^a), 22)
		a = b + bits.RotateLeft32(a+x4+0xf57c0faf+((c^d)&b^d), 7)
		d = a + bits.RotateLeft32(d+x5+0x4787c62a+((b^c)&a^c), 12)
		c = d + bits.RotateLeft32(c+x6+0xa8304613+((a^b)&d^b), 17)
		b = c + bits.RotateLeft32(b+x7+0xfd469501+((d^a)&c^a), 22)
		a = b + bits.RotateLeft32(a+x8+0x698098d8+((c^d)&b^d), 7)
		d = a + bits.RotateLeft32(d+x9+0x8b44f7af+((b^c)&a^c), 12)
		c = d + bits.RotateLeft32(c+xa+0xffff5bb1+((a^b)&d^b), 17)
		b = c + bits.RotateLeft32(b+xb+0x895cd7be+((d^a)&c^a), 22)
		a = b + bits.RotateLeft32(a+xc+0x6b901122+((c^d)&b^d), 7)
		d = a + bits.RotateLeft32(d+xd+0xfd987193+((b^c)&a^c), 12)
		c = d + bits.RotateLeft32(c+xe+0xa679438e+((a^b)&d^b), 17)
		b = c + bits.RotateLeft32(b+xf+0x49b40821+((d^a)&c^a), 22)
		// Round 2.
		a = b + bits.RotateLeft32(a+x1+0xf61e2562+(c&^d)+(b&d), 5)
		d = a + bits.RotateLeft32(d+x6+0xc040b340+(b&^c)+(a&c), 9)
		c = d + bits.RotateLeft32(c+xb+0x265e5a51+(a&^b)+(d&b), 14)
		b = c + bits.RotateLeft32(b+x0+0xe9b6c7aa+(d&^a)+(c&a), 20)
		a = b + bits.RotateLeft32(a+x5+0xd62f105d+(c&^d)+(b&d), 5)
		d = a + bits.RotateLeft32(d+xa+0x02441453+(b&^c)+(a&c), 9)
		c = d + bits.RotateLeft32(c+xf+0xd8a1e681+(a&^b)+(d&b), 14)
		b = c + bits.RotateLeft32(b+x4+0xe7d3fbc8+(d&^a)+(c&a), 20)
		a = b + bits.RotateLeft32(a+x9+0x21e1cde6+(c&^d)+(b&d), 5)
		d = a + bits.RotateLeft32(d+xe+0xc33707d6+(b&^c)+(a&c), 9)
		c = d + bits.RotateLeft32(c+x3+0xf4d50d87+(a&^b)+(d&b), 14)
		b = c + bits.RotateLeft32(b+x8+0x455a14ed+(d&^a)+(c&a), 20)
		a = b + bits.RotateLeft32(a+xd+0xa9e3e905+(c&^d)+(b&d), 5)
		d = a + bits.RotateLeft32(d+x2+0xfcefa3f8+(b&^c)+(a&c), 9)
		c = d + bits.RotateLeft32(c+x7+0x676f02d9+(a&^b)+(d&b), 14)
		b = c + bits.RotateLeft32(b+xc+0x8d2a4c8a+(d&^a)+(c&a), 20)
		// Round 3.
		a = b + bits.RotateLeft32(a+x5+0xfffa3942+(b^(c^d)), 4)
		d = a + bits.RotateLeft32(d+x8+0x8771f681+(a^(b^c)), 11)
		c = d + bits.RotateLeft32(c+xb+0x6d9d6122+(d^(a^b)), 16)
		b = c + bits.RotateLeft32(b+xe+0xfde5380c+(c^(d^a)), 23)
		a = b + bits.RotateLeft32(a+x1+0xa4beea44+(b^(c^d)), 4)
		d = a + bits.RotateLeft32(d+x4+0x4bdecfa9+(a^(b^c)), 11)
		c = d + bits.RotateLeft32(c+x7+0xf6bb4b60+(d^(a^b)), 16)
		b = c + bits.RotateLeft32(b+xa+0xbebfbc70+(c^(d^a)), 23)
		a = b + bits.RotateLeft32(a+xd+0x289b7ec6+(b^(c^d)), 4)
		d = a + bits.RotateLeft32(d+x0+0xeaa127fa+(a^(b^c)), 11)
		c = d + bits.RotateLeft32(c+x3+0xd4ef3085+(d^(a^b)), 16)
		b = c + bits.RotateLeft32(b+x6+0x04881d05+(c^(d^a)), 23)
		a = b + bits.RotateLeft32(a+x9+0xd9d4d039+(b^(c^d)), 4)
		d = a + bits.RotateLeft32(d+xc+0xe6db99e5+(a^(b^c)), 11)
		c = d + bits.RotateLeft32(c+xf+0x1fa27cf8+(d^(a^b)), 16)
		b = c + bits.RotateLeft32(b+x2+0xc4ac5665+(c^(d^a)), 23)
		// Round 4.
		a = b + bits.RotateLeft32(a+x0+0xf4292244+(c^(b|^d)), 6)
		d = a + bits.RotateLeft32(d+x7+0x432aff97+(b^(a|^c)), 10)
		c = d + bits.RotateLeft32(c+xe+0xab9423a7+(a^(d|^b)), 15)
		b = c + bits.RotateLeft32(b+x5+0xfc93a039+(d^(c|^a)), 21)
		a = b + bits.RotateLeft32(a+xc+0x655b59c3+(c^(b|^d)), 6)
		d = a + bits.RotateLeft32(d+x3+0x8f0ccc92+(b^(a|^c)), 10)
		c = d + bits.RotateLeft32(c+xa+0xffeff47d+(a^(d|^b)), 15)
		b = c + bits.RotateLeft32(b+x1+0x85845dd1+(d^(c|^a)), 21)
		a = b + bits.RotateLeft32(a+x8+0x6fa87e4f+(c^(b|^d)), 6)
		d = a + bits.RotateLeft32(d+xf+0xfe2ce6e0+(b^(a|^c)), 10)
		c = d + bits.RotateLeft32(c+x6+0xa3014314+(a^(d|^b)), 15)
		b = c + bits.RotateLeft32(b+xd+0x4e0811a1+(d^(c|^a)), 21)
		a = b + bits.RotateLeft32(a+x4+0xf7537e82+(c^(b|^d)), 6)
		d = a + bits.RotateLeft32(d+xb+0xbd3af235+(b^(a|^c)), 10)
		c = d + bits.RotateLeft32(c+x2+0x2ad7d2bb+(a^(d|^b)), 15)
		b = c + bits.RotateLeft32(b+x9+0xeb86d391+(d^(c|^a)), 21)

		a, b, c, d = a+aa, b+bb, c+cc, d+dd
		p = p[BlockSize:]
	}
	h[0], h[1], h[2], h[3] = a, b, c, d
}
