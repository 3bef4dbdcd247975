package xsk

import "testing"

// A worker that keeps up lends few frames; one that once had many packets waiting lends more, until that is long ago.
func TestDepth(t *testing.T) {
	d := newDepth(16384)
	for i, step := range []struct{ waiting, frames, reviewed int }{
		{0, 16384, 1024}, // nothing is known at first
		{100, 1024, 1024},
		{1000, 4000, 4000},
		{300, 4000, 1200},
		{10000, 16384, 16384},
		{0, 16384, 1024},
	} {
		d.waiting(step.waiting)
		if d.frames != step.frames {
			t.Errorf("step %d: %d frames, want %d", i, d.frames, step.frames)
		}
		if d.review(); d.frames != step.reviewed {
			t.Errorf("step %d: %d frames after the review, want %d", i, d.frames, step.reviewed)
		}
	}
	if few := newDepth(64); few.frames != 64 {
		t.Errorf("%d of 64 frames", few.frames)
	} else if few.review(); few.frames != 64 {
		t.Errorf("%d of 64 frames after a review", few.frames)
	}
}
