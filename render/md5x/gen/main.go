// Command gen generates the kernels of md5x that hash many messages in parallel; lanes.go of md5x has the command
// line.
package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("!purego")
	sines := GLOBL("sines", attr.RODATA|attr.NOPTR)
	for i := range 64 {
		DATA(4*i, U32(uint32(math.Abs(math.Sin(float64(i+1)))*(1<<32))))
	}
	for _, groups := range []int{1, 2, 4} {
		avx512(groups, sines)
	}
	for _, halves := range []int{1, 2} {
		avx2(halves, sines)
	}
	Generate()
}

// shifts holds the rotations of the steps in each round, word the block's word that a step uses (RFC 1321, section
// 3.4).
var shifts = [4][4]uint64{{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}}

func word(step int) int {
	return [4]int{step, 5*step + 1, 3*step + 5, 7 * step}[step/16] % 16
}

var (
	z = []VecPhysical{
		Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15,
		Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25, Z26, Z27, Z28, Z29, Z30, Z31,
	}
	y = []VecPhysical{Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8, Y9, Y10, Y11, Y12, Y13, Y14, Y15}
)

const (
	stateSize = 4 * 16 * 4 // a group's [4][16]uint32
	pointers  = 16 * 8     // a group's [16]*byte
	words     = 16 * 64    // scratch memory for a group's transposed block
)

// frame is the common beginning of the kernels.
type frame struct {
	state, from, end, off, scratch Register
}

// begin opens a kernel for groups of 16 lanes, or halves of one. It advances off from 0 to end.
func begin(name, doc string, scratch int) (f frame) {
	TEXT(name, 0, "func(h *[4][16]uint32, p *[16]*byte, n int)")
	Doc(doc)
	Pragma("noescape")
	f = frame{Load(Param("h"), GP64()), Load(Param("p"), GP64()), Load(Param("n"), GP64()), GP64(), nil}
	if scratch > 0 {
		local := AllocLocal(scratch + 64)
		r := GP64()
		LEAQ(local.Offset(63), r)
		ANDQ(I32(-64), r)
		f.scratch = r
	}
	XORQ(f.off, f.off)
	SHLQ(Imm(6), f.end)
	return f
}

func (f *frame) next() {
	CMPQ(f.off, f.end)
	JB(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// lane returns the address of quad q (16 octets) in the block of a lane.
func (f *frame) lane(group, lane, q int) Mem {
	ptr := GP64()
	MOVQ(Mem{Base: f.from, Disp: group*pointers + 8*lane}, ptr)
	return Mem{Base: ptr, Index: f.off, Scale: 1, Disp: 16 * q}
}

// transpose turns four registers whose 128-bit parts each hold four words of one lane into four that each hold one
// word of all lanes.
func transpose(r, t []VecPhysical) {
	VPUNPCKLDQ(r[1], r[0], t[0])
	VPUNPCKLDQ(r[3], r[2], t[1])
	VPUNPCKHDQ(r[1], r[0], t[2])
	VPUNPCKHDQ(r[3], r[2], t[3])
	VPUNPCKLQDQ(t[1], t[0], r[0])
	VPUNPCKHQDQ(t[1], t[0], r[1])
	VPUNPCKLQDQ(t[3], t[2], r[2])
	VPUNPCKHQDQ(t[3], t[2], r[3])
}

// ternary returns the VPTERNLOGD table for a function of its destination, second and third operands.
func ternary(f func(dst, y, z uint8) uint8) (imm uint64) {
	for i := range uint8(8) {
		imm |= uint64(f(i>>2, i>>1, i)&1) << i
	}
	return imm
}

// functions holds the functions of the four rounds.
var functions = [4]uint64{
	ternary(func(d, c, b uint8) uint8 { return b&c | ^b&d }),
	ternary(func(d, c, b uint8) uint8 { return d&b | ^d&c }),
	ternary(func(d, c, b uint8) uint8 { return b ^ c ^ d }),
	ternary(func(d, c, b uint8) uint8 { return c ^ (b | ^d) }),
}

// avx512 writes a kernel that hashes 16 lanes a group. Each step depends on the previous one: four instructions of
// two cycles each on Zen 5, where two or four groups in parallel fill the gaps. BenchmarkKernel measures 10.5, 5.3
// and 3.4 ns a block with one, two and four groups.
func avx512(groups int, sines Mem) {
	scratch := groups * words
	if groups == 1 {
		scratch = 0
	}
	f := begin(fmt.Sprintf("avx512x%d", 16*groups),
		fmt.Sprintf("avx512x%d absorbs n > 0 blocks in each of %d lanes: %d groups, one after another at h and p.", 16*groups, 16*groups, groups),
		scratch)
	h := func(g, i int) Mem { return Mem{Base: f.state, Disp: g*stateSize + 64*i} }

	// With one group the words of the block stay in Z0 to Z15, and the state is in Z16 to Z19. With more groups the
	// words go through memory.
	s := make([][]VecPhysical, groups)
	for g := range groups {
		s[g] = z[4*g:]
		if groups == 1 {
			s[g] = z[16:]
		}
		for i := range 4 {
			VMOVDQU32(h(g, i), s[g][i])
		}
	}

	Label("loop")
	w := make([][16]Op, groups)
	quad := func(g, q int) {
		r := z[20:]
		if groups == 1 {
			r = z[4*q:]
		}
		for j := range 4 {
			for l := range 4 {
				m := f.lane(g, 4*j+l, q)
				if j == 0 {
					VMOVDQU32(m, r[l].AsX())
				} else {
					VINSERTI32X4(Imm(uint64(j)), m, r[l], r[l])
				}
			}
		}
		transpose(r, z[28:])
		for i := range 4 {
			w[g][4*q+i] = r[i]
			if groups > 1 {
				m := Mem{Base: f.scratch, Disp: g*words + 64*(4*q+i)}
				VMOVDQA32(r[i], m)
				w[g][4*q+i] = m
			}
		}
	}
	for i := range 64 {
		if i%16 == 0 {
			Comment(fmt.Sprintf("Round %d.", i/16+1))
		}
		if i < 16 && i%4 == 0 {
			Comment(fmt.Sprintf("Words %d to %d.", i, i+3))
			for g := range groups {
				quad(g, i/4)
			}
		}
		for g := range groups {
			a, b, c, d, t := s[g][(64-i)%4], s[g][(65-i)%4], s[g][(66-i)%4], s[g][(67-i)%4], z[24+g]
			VPADDD_BCST(sines.Offset(4*i), a, a)
			VPADDD(w[g][word(i)], a, a)
			VMOVDQA32(d, t)
			VPTERNLOGD(Imm(functions[i/16]), b, c, t)
			VPADDD(t, a, a)
			VPROLD(Imm(shifts[i/16][i%4]), a, a)
			VPADDD(b, a, a)
		}
	}
	Comment("Add what the block began with.")
	for g := range groups {
		for i := range 4 {
			VPADDD(h(g, i), s[g][i], s[g][i])
			VMOVDQU32(s[g][i], h(g, i))
		}
	}
	ADDQ(Imm(64), f.off)
	f.next()
}

// avx2 writes a kernel that hashes the first 8 lanes of a group, or both halves in parallel.
func avx2(halves int, sines Mem) {
	f := begin(fmt.Sprintf("avx2x%d", 8*halves),
		fmt.Sprintf("avx2x%d absorbs n > 0 blocks in each of the first %d lanes of the group at h and p.", 8*halves, 8*halves),
		words)
	h := func(half, i int) Mem { return Mem{Base: f.state, Disp: 32*half + 64*i} }
	w := func(half, i int) Mem { return Mem{Base: f.scratch, Disp: 32*half + 64*i} }
	s := [][]VecPhysical{y[0:4], y[4:8]}
	for half := range halves {
		for i := range 4 {
			VMOVDQU(h(half, i), s[half][i])
		}
	}

	Label("loop")
	for i := range 64 {
		if i%16 == 0 {
			Comment(fmt.Sprintf("Round %d.", i/16+1))
		}
		if i < 16 && i%4 == 0 {
			Comment(fmt.Sprintf("Words %d to %d.", i, i+3))
			for half := range halves {
				r := y[8:12]
				for j := range 2 {
					for l := range 4 {
						m := f.lane(0, 8*half+4*j+l, i/4)
						if j == 0 {
							VMOVDQU(m, r[l].AsX())
						} else {
							VINSERTI128(Imm(1), m, r[l], r[l])
						}
					}
				}
				transpose(r, y[12:])
				for k := range 4 {
					VMOVDQA(r[k], w(half, i+k))
				}
			}
		}
		sine := y[8]
		VPBROADCASTD(sines.Offset(4*i), sine)
		for half := range halves {
			a, b, c, d := s[half][(64-i)%4], s[half][(65-i)%4], s[half][(66-i)%4], s[half][(67-i)%4]
			t, u := y[10+2*half], y[11+2*half]
			VPADDD(sine, a, a)
			VPADDD(w(half, word(i)), a, a)
			switch i / 16 {
			case 0: // d ^ b&(c^d)
				VPXOR(c, d, t)
				VPAND(b, t, t)
				VPXOR(d, t, t)
			case 1: // b&d + c&^d: the second term does not depend on b
				VPANDN(c, d, t)
				VPADDD(t, a, a)
				VPAND(b, d, t)
			case 2:
				VPXOR(c, d, t)
				VPXOR(b, t, t)
			case 3: // c ^ (b | ^d)
				VPCMPEQD(u, u, u)
				VPXOR(d, u, t)
				VPOR(b, t, t)
				VPXOR(c, t, t)
			}
			VPADDD(t, a, a)
			n := shifts[i/16][i%4]
			VPSLLD(Imm(n), a, t)
			VPSRLD(Imm(32-n), a, a)
			VPOR(t, a, a)
			VPADDD(b, a, a)
		}
	}
	Comment("Add what the block began with.")
	for half := range halves {
		for i := range 4 {
			VPADDD(h(half, i), s[half][i], s[half][i])
			VMOVDQU(s[half][i], h(half, i))
		}
	}
	ADDQ(Imm(64), f.off)
	f.next()
}
