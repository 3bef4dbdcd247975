package judge

import (
	"fmt"

	"dcs/render/bootfile"
	"dcs/render/library"
	"dcs/render/lint"
	"dcs/render/syntax"
	"dcs/render/tlv"
)

// Binary returns a binary file to judge; nil: it is no boot file.
func Binary(path string, data []byte) *lint.File {
	f := &lint.File{Name: path, Octets: data}
	switch bootfile.KindOf(data) {
	case bootfile.Other:
		return nil
	case bootfile.MTA:
		f.Dialect = tlv.MTA
	case bootfile.Portal:
		f.Dialect = tlv.PS
	}
	return f
}

// perRule is how many files are named for findings of one rule and severity.
const perRule = 5

// kind is what is counted of the findings of many files.
type kind struct {
	rule     *lint.Rule
	severity lint.Severity
}

// Unrendered returns the findings of static files and of Binary items. With audited, faults that an audit reports are left out. Of the
// findings of one rule and severity, only those of the first files are there.
func Unrendered(snap *library.Snapshot, o *lint.Options, audited bool) []lint.Finding {
	var found []lint.Finding
	files := map[kind]int{}
	snap.Unrendered(func(path string, item syntax.Pos, data []byte) {
		f := Binary(path, data)
		if f == nil {
			return
		}
		f.Made = audited // the MICs and the end are the audit's
		broken := map[kind]bool{}
		for _, x := range lint.Check(f, o) {
			if audited && x.Rule.ID == "tlv-truncated" && x.Path == "" {
				continue
			}
			if item.Line > 0 {
				x.Related = append(x.Related, lint.Related{Spot: lint.Spot{Place: lint.Place{Pos: item}}, Text: "the item that serves it"})
			}
			k := kind{x.Rule, x.Severity}
			if !broken[k] {
				broken[k] = true
				files[k]++
			}
			if files[k] <= perRule {
				found = append(found, x)
			}
		}
	})
	for i := range found {
		k := kind{found[i].Rule, found[i].Severity}
		if n := files[k]; n > perRule {
			files[k] = 0 // say so once
			found[i].Text += fmt.Sprintf(" (and in %d more files)", n-perRule)
		}
	}
	return found
}
