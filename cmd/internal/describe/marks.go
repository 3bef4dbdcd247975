// Package describe describes boot files for the command line and the admin page.
package describe

import (
	"encoding/hex"

	"dcs/render/mic"
	"dcs/render/tlv"
)

// Mark is the verdict on an integrity check value.
type Mark struct {
	Name    string `json:"name"`
	Verdict string `json:"verdict"`
	Found   string `json:"found,omitempty"` // hexadecimal
	Want    string `json:"want,omitempty"`
	Note    string `json:"note,omitempty"`
}

// Verdicts returns the verdicts of a report on the values that a file of this dialect has.
func Verdicts(d tlv.Dialect, r *mic.Report) []Mark {
	var marks []Mark
	add := func(name string, res *mic.Result) {
		marks = append(marks, Mark{name, res.Verdict.String(), hex.EncodeToString(res.Found), hex.EncodeToString(res.Want), res.Note})
	}
	switch d {
	case tlv.CM:
		add("CM MIC", &r.CM)
		add("CMTS MIC", &r.CMTS)
		if r.Extended.Verdict != mic.Absent {
			add("extended CMTS MIC", &r.Extended)
		}
	case tlv.MTA:
		name := "MTA hash"
		if r.MTAVariant != mic.NoHash {
			name += " (" + r.MTAVariant.String() + ")"
		}
		add(name, &r.MTA)
	}
	return marks
}
