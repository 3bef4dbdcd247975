//go:build !purego

package md5x

import "golang.org/x/sys/cpu"

func detect() kernel {
	switch x := &cpu.X86; {
	case x.HasAVX512F && x.HasAVX512VL:
		return avx512
	case x.HasAVX2:
		return avx2
	}
	return scalar
}

// blocks absorbs n blocks in each of the first width slots.
func (k kernel) blocks(h *[maxSlots / 16][4][16]uint32, at *[maxSlots / 16][16]*byte, width, n int) {
	switch {
	case width == 64:
		avx512x64(&h[0], &at[0], n)
	case width == 32:
		avx512x32(&h[0], &at[0], n)
	case k == avx512:
		avx512x16(&h[0], &at[0], n)
	case width == 16:
		avx2x16(&h[0], &at[0], n)
	default:
		avx2x8(&h[0], &at[0], n)
	}
}
