package transfer

import "testing"

// A body of each size finds memory although others hold one block in every page available to their sizes.
func TestArenaKeepsPagesForEachSize(t *testing.T) {
	const pages = 256
	for theirs := range numClasses {
		a := newArena(pages << pageShift)
		size := 1 << (minShift + theirs)
		var refs []uint32
		for {
			b, ref := a.take(size)
			if b == nil {
				break
			}
			refs = append(refs, ref)
		}
		if len(refs) < pages*3/4*(pageSize/size) {
			t.Errorf("of size %d: %d blocks", size, len(refs))
		}
		seen := map[uint32]bool{}
		for _, ref := range refs { // one stays in each page
			if page := ref >> blockBits; seen[page] {
				a.give(ref)
			} else {
				seen[page] = true
			}
		}
		for ours := range numClasses {
			b, ref := a.take(1 << (minShift + ours))
			if b == nil {
				if ours != theirs || size < pageSize {
					t.Errorf("beside bodies of %d octets there is no room for one of %d", size, 1<<(minShift+ours))
				}
				continue
			}
			a.give(ref)
		}
	}
}
