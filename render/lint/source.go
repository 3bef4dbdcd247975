package lint

import (
	"errors"

	"dcs/render/syntax"
)

// Rules without a function: their findings come from who reads the files.
const (
	sourceID = "source"
	allowID  = "allow-unknown"
)

var sourceRules = []Rule{
	{
		ID: sourceID, Severity: Error, In: all, Cite: "language of templates",
		Meaning: "The file cannot be read or compiled: it makes no boot file.",
		Remedy:  "mend the text as the error says",
	},
	{
		ID: allowID, Severity: Warning, In: all, Cite: "language of templates",
		Meaning: "A comment dcs:allow names a rule that does not exist, so it allows nothing.",
		Remedy:  "use an id of the table: dcs check --rules",
	},
}

// Unreadable returns the errors of reading or compiling a file as findings; each has its position if it is, or wraps, a
// [syntax.Error].
func Unreadable(file string, err error) []Finding {
	var errs syntax.Errors
	if errors.As(err, &errs) {
		return sources(Error, errs)
	}
	return []Finding{{Rule: ByID(sourceID), Severity: Error, Spot: Spot{File: file}, Text: err.Error()}}
}

// Compiled returns the warnings of compiling a file as findings.
func Compiled(warnings syntax.Errors) []Finding { return sources(Warning, warnings) }

func sources(s Severity, errs syntax.Errors) []Finding {
	out := make([]Finding, len(errs))
	for i, e := range errs {
		out[i] = Finding{Rule: ByID(sourceID), Severity: s, Spot: Spot{Place: Place{Pos: e.Pos}}, Text: e.Msg}
	}
	return out
}
