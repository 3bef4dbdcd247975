package xsk

import "testing"

// A worker that keeps up lends few frames; one that had many packets waiting lends more, by half less after each review.
func TestDepth(t *testing.T) {
	d := newDepth(16384)
	for i, step := range []struct{ waiting, frames, reviewed int }{
		{0, 16384, 8192}, // nothing is known at first
		{0, 8192, 4096},
		{600, 4096, 2400},
		{0, 2400, 1200},
		{100, 1200, 1024},
		{0, 1024, 1024},
		{1000, 4000, 4000},
		{300, 4000, 2000},
		{10000, 16384, 16384},
		{0, 16384, 8192},
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

// After a review the kernel has more frames than it is to have: it gets no others until it has returned enough.
func TestDepthBelowLent(t *testing.T) {
	d := newDepth(16384)
	d.review()
	for _, tt := range []struct{ lent, want int }{{16384, 0}, {8193, 0}, {8192, 0}, {8191, 1}, {0, 8192}} {
		if got := d.more(tt.lent); got != tt.want {
			t.Errorf("%d lent: %d more, want %d", tt.lent, got, tt.want)
		}
	}
}
