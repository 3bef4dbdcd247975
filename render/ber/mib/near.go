package mib

import (
	"strings"

	"dcs/render/spelling"
)

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
			d = spelling.Distance(have, label, best-1)
		}
		if d < best {
			best, found = d, have
		}
	}
	return found
}
