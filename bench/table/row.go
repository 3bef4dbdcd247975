package main

import (
	"fmt"
	"slices"

	"dcs/bench/rig"
)

// Row is one figure and its target.
type Row struct {
	What     string `json:"what"`
	Target   string `json:"target"`
	Measured string `json:"measured"`
	OK       bool   `json:"ok"`
	Note     string `json:"note,omitempty"`
}

// notMeasured is in place of a figure that an error prevented.
const notMeasured = "NOT MEASURED"

// of returns the row of a figure that was measured in several rounds: their median and range, and whether the median is
// within the bound. The sign is "≥" or "≤"; the unit follows the figures ("" or " ns").
func of(what, sign string, bound float64, unit string, rounds ...float64) Row {
	m := rig.Median(rounds)
	return Row{
		What:     what,
		Target:   fmt.Sprintf("%s %g%s", sign, bound, unit),
		Measured: fmt.Sprintf("%.3g (%.3g–%.3g)%s", m, slices.Min(rounds), slices.Max(rounds), unit),
		OK:       sign == "≥" && m >= bound || sign == "≤" && m <= bound,
	}
}
