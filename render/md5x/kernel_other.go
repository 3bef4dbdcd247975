//go:build !amd64 || purego

package md5x

func detect() kernel { return scalar }

// blocks is never called, because the scalar kernel has no slots.
func (kernel) blocks(*[maxSlots / 16][4][16]uint32, *[maxSlots / 16][16]*byte, int, int) {}
