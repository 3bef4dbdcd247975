package main

import (
	"testing"

	"dcs/bench/rig"
	"dcs/bench/storm"
)

// A rate that the load bounds, on either side, is no part of a limit.
func TestOfLimit(t *testing.T) {
	round := func(rate, load float64) sample {
		return sample{Round: rig.Round{Result: &storm.Result{Rate: rate}, LoadBusy: load}}
	}
	limit := []sample{round(100, 0.5), round(200, 0.96), round(100, 0.5)}
	for _, tt := range []struct {
		rounds, limit []sample
		want          string
	}{
		{[]sample{round(90, 0.5), round(190, 0.5), round(100, 0.99)}, limit, "0.950 (0.900–1.000)"},
		{[]sample{round(90, 0.5), round(190, 0.97), round(100, 0.99)}, limit, bound},
		{limit, []sample{round(90, 1), round(190, 1), round(100, 0.5)}, bound},
	} {
		if got := ofLimit(tt.rounds, tt.limit); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
}
