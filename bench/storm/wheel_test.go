package storm

import (
	"slices"
	"testing"
)

func TestWheel(t *testing.T) {
	w := newWheel(4)
	var met []int32
	f := func(i int32) { met = append(met, i) }
	w.set(0, 10*second)
	w.set(1, 40*second) // more than two turns
	w.set(2, 10*second)
	w.set(3, 5*second)
	w.set(2, 20*second) // instead
	w.clear(3)
	w.clear(3)
	for _, step := range []struct {
		now  int64
		want []int32
	}{
		{10*second - 1, nil},
		{10 * second, []int32{0}},
		{20 * second, []int32{2}},
		{39 * second, nil},
		{100 * second, []int32{1}},
		{200 * second, nil},
	} {
		met = nil
		w.expire(step.now, f)
		if !slices.Equal(met, step.want) {
			t.Errorf("at %d s: %v, want %v", step.now/second, met, step.want)
		}
	}
}
