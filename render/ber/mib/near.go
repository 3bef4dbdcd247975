package mib

import "strings"

// unknown returns the error for a label that the index does not have.
func (x *Index) unknown(label string) error {
	if x.faulty {
		return failf(errUnknown, "unknown MIB label %s; not all modules of mib_path could be read", label)
	}
	if near := x.nearest(label); near != "" {
		return failf(errUnknown, "unknown MIB label %s; did you mean %s?", label, near)
	}
	return failf(errUnknown, "unknown MIB label %s; mib_path adds modules", label)
}

// nearest returns the label nearest to an unknown one, or "" if none is similar.
func (x *Index) nearest(label string) string {
	most := min(len(label)/4+1, 3)
	best, found := most+1, ""
	for row := range x.t.nRows {
		have := x.t.label(row)
		if have == found || len(have)-len(label) >= best || len(label)-len(have) >= best {
			continue
		}
		d := 1
		if !strings.EqualFold(have, label) {
			d = distance(have, label, best-1)
		}
		if d < best {
			best, found = d, have
		}
	}
	return found
}

// maxNear is the length above which labels are not compared: no MIB has longer ones.
const maxNear = 128

// distance returns the number of octets to insert, delete or change to turn a into b, or most+1 if
// that exceeds most.
func distance(a, b string, most int) int {
	if len(a) > maxNear || len(b) > maxNear || most < 0 {
		return most + 1
	}
	var row [maxNear + 1]int
	for j := range len(b) + 1 {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		least := row[0]
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = min(diagonal, row[j], row[j+1]) + 1
			}
			diagonal, row[j+1] = row[j+1], cost
			least = min(least, cost)
		}
		if least > most {
			return most + 1
		}
	}
	return min(row[len(b)], most+1)
}
