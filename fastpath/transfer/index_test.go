package transfer

import (
	"math/rand/v2"
	"testing"
)

// The index is compared with a map through all of its sizes, up and down.
func TestIndexSizes(t *testing.T) {
	const most = 10000
	r := rand.New(rand.NewPCG(1, 2))
	x := newIndex(most)
	tags := map[int32]uint32{}
	check := func() {
		t.Helper()
		for id, tag := range tags {
			found := false
			for i := x.first(tag); x.slots[i].ref != 0 && !found; i = x.next(i) {
				found = x.slots[i] == slot{tag, id + 1}
			}
			if !found {
				t.Fatalf("transfer %d of tag %#x is not found among %d in %d slots", id, tag, len(tags), len(x.slots))
			}
		}
		taken := 0
		for _, s := range x.memory {
			if s.ref != 0 {
				taken++
			}
		}
		if taken != len(tags) || 2*taken > len(x.slots) && len(x.slots) < len(x.memory)/2 {
			t.Fatalf("%d slots of %d are taken by %d transfers", taken, len(x.slots), len(tags))
		}
	}
	sizes := map[int]bool{}
	for range 2 { // up and down, twice
		for id := range int32(most) {
			tag := r.Uint32() % 3000 // clients with several transfers, and crowds about a place
			tags[id] = tag
			x.insert(tag, id)
			sizes[len(x.slots)] = true
			if id%997 == 0 {
				check()
			}
		}
		check()
		for _, id := range r.Perm(most) {
			x.remove(tags[int32(id)], int32(id))
			delete(tags, int32(id))
			if id%997 == 0 {
				check()
			}
		}
		check()
		if len(x.slots) != minSlots {
			t.Errorf("%d slots when all is over, want %d", len(x.slots), minSlots)
		}
	}
	if len(sizes) != 6 { // 1,024 to 32,768
		t.Errorf("sizes %v", sizes)
	}
}
